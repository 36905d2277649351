#!/bin/sh
# Puts uv into .cache/tools, from nothing but Python. Usage: tools.sh PYTHON UV_VERSION
set -eu
python="$1"
version="$2"

if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null || echo "no python3")
    echo "citynerve needs Python 3.11 or newer, this machine has ${found}." >&2
    echo "Debian 12 and Ubuntu 24.04 bring it: apt-get install python3 python3-venv" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing Debian's $package"
        apt-get update -qq && apt-get install -y -qq "$package" >/dev/null
    else
        echo "Python's venv module is not installed. Run: sudo apt-get install $package" >&2
        exit 1
    fi
fi

mkdir -p .cache 2>/dev/null || {
    echo "cannot write to $(pwd): give this user the right to, or clone into another folder" >&2
    exit 1
}
"$python" -m venv .cache/tools
.cache/tools/bin/pip install --quiet --disable-pip-version-check "uv==$version" || {
    echo "could not fetch uv $version from PyPI: check this machine's network and try again" >&2
    exit 1
}
