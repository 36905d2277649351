#!/bin/sh
# Puts uv into .cache/tools, from nothing but Python. Usage: tools.sh PYTHON UV_VERSION
set -eu
python="$1"
version="$2"

found=$("$python" -c 'import platform, sys; print(platform.python_version()); sys.exit(sys.version_info < (3, 11))' 2>/dev/null) || {
    if [ -n "$found" ]; then here="here $python is $found"; else here="here is none"; fi
    echo "citynerve needs Python 3.11 or newer, $here: on Debian 12, Ubuntu 24.04 or newer run \`sudo apt-get install python3 python3-venv\`, or name another with PYTHON=…" >&2
    exit 1
}

if [ "$(.cache/tools/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" = "$version" ]; then exit 0; fi

mkdir -p .cache 2>/dev/null && [ -w .cache ] && [ -w . ] || {
    echo "this user may not write to $(pwd): give it the right to, or clone into another folder" >&2
    exit 1
}

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print(f"python3.{sys.version_info[1]}-venv")')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing Debian's $package"
        export DEBIAN_FRONTEND=noninteractive
        if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; } >.cache/apt.log 2>&1; then
            tail -n 5 .cache/apt.log >&2
            echo "could not install $package: check this machine's network, then run: apt-get install $package" >&2
            exit 1
        fi
    else
        echo "Python's venv module is not installed: run: sudo apt-get install $package" >&2
        exit 1
    fi
fi

rm -rf .cache/tools
if ! { "$python" -m venv .cache/tools && .cache/tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$version"; } >.cache/tools.log 2>&1; then
    tail -n 5 .cache/tools.log >&2
    rm -rf .cache/tools
    echo "could not fetch uv $version from PyPI: check this machine's network and the room on its disk, and try again" >&2
    exit 1
fi
