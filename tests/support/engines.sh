#!/bin/sh
# Brings the servers that the tests run against: Mosquitto, Chromium, docker-compose and Prometheus from Debian, Apache Kafka
# from Maven Central into .cache/kafka. What cannot be had is named; the tests that need it then skip, or fail with CI=true.
set -eu
cd "$(dirname "$0")/../.."

wanted=""
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || wanted="$wanted mosquitto"
command -v chromium >/dev/null || wanted="$wanted chromium"
# Playwright's own runtime needs it; a bare Debian has none.
PATH="$PATH:/sbin" ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1' || wanted="$wanted libatomic1"
# What reads the files of a deployment, and judges them.
command -v docker-compose >/dev/null || wanted="$wanted docker-compose"
command -v promtool >/dev/null || wanted="$wanted prometheus"
command -v openssl >/dev/null || wanted="$wanted openssl"
command -v java >/dev/null || wanted="$wanted default-jre-headless"
[ -f .cache/kafka/complete ] || command -v mvn >/dev/null || wanted="$wanted maven"

if [ -n "$wanted" ]; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
    # What pages are measured in; the monospaced font of a bare Debian is wider than what people have.
    case "$wanted" in *chromium*) wanted="$wanted fonts-dejavu-core" ;; esac
    echo "installing from Debian:$wanted"
    mkdir -p .cache
    # shellcheck disable=SC2086 # a list of packages
    if ! {
        $as_root apt-get update -qq &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted
    } >.cache/apt.log 2>&1; then
        tail -n 3 .cache/apt.log >&2
        echo "could not install what some tests need: run: sudo apt-get install$wanted" >&2
    else
        # Debian starts its own broker and its own Prometheus; the tests start theirs on free ports.
        case "$wanted" in *mosquitto*) $as_root sh -c 'service mosquitto stop || true' >/dev/null 2>&1 || true ;; esac
        case "$wanted" in *prometheus*) $as_root sh -c 'service prometheus stop || true' >/dev/null 2>&1 || true ;; esac
    fi
fi

if [ ! -f .cache/kafka/complete ] && command -v mvn >/dev/null; then
    echo "fetching Apache Kafka into .cache/kafka"
    mkdir -p .cache/kafka
    if mvn -q -B -f tests/support/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$(pwd)/.cache/kafka"; then
        touch .cache/kafka/complete
    else
        echo "could not fetch Apache Kafka from Maven Central: check this machine's network" >&2
    fi
fi
