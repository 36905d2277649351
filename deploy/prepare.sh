#!/bin/sh
# Makes what must not stand in the repository: .env with passwords, the broker's certificate, and who may enter at its doors.
# Safe to run again: whatever is there is kept, only what is missing is made.
#
#   deploy/prepare.sh [NAME…]             once, with the names or addresses under which devices reach the broker
#   deploy/prepare.sh renew [NAME…]       a new certificate for the broker, from the same authority
#   deploy/prepare.sh certificates        open the door of gateways with certificates, or take a new list of revoked ones
set -eu
umask 077
cd "$(dirname "$0")/.."
secrets=deploy/secrets
broker=$secrets/mosquitto
env_file=.env
# Our own processes have a door of their own, with a file; whom the gateways' door knows stands in citynerve's database, and
# the broker begins with the one who tells it.
inner=$broker/passwords-inner
administration=$broker/dynamic-security.json
# The authority that gives gateways their certificates, made by `citynerve ca init`: another one than the broker's own.
authority=$secrets/authority

fail() {
    echo "prepare: $1" >&2
    exit 2
}

password() { openssl rand -hex 24; }

# The value of a variable in .env; empty where it has none.
value_of() { sed -n "s/^$1=//p" "$env_file" | tail -n 1; }

# Salt and hash of a password as Mosquitto has them: PBKDF2 with SHA-512. The password goes through a pipe, as all of them do
# here: what a program is called with, everybody on this machine can read.
hash_of() {
    made=$(printf '%s' "$1" | python3 -c '
import base64, hashlib, os, sys
salt = os.urandom(12)
hashed = hashlib.pbkdf2_hmac("sha512", sys.stdin.buffer.read(), salt, 101)
print(base64.b64encode(salt).decode(), base64.b64encode(hashed).decode())
')
    salt=${made% *}
    hash=${made#* }
}

# add_user FILE NAME PASSWORD; nothing where the name has one.
add_user() {
    if grep -q "^$2:" "$1" 2>/dev/null; then return 0; fi
    hash_of "$3"
    # Appended, not replaced: the broker reads it again on SIGHUP.
    echo "$2:\$7\$101\$$salt\$$hash" >>"$1"
}

# acl KIND: the administration's word of one kind.
acl() { printf '{"acltype":"%s","topic":"$CONTROL/dynamic-security/#","priority":0,"allow":true}' "$1"; }

# What dynamic security begins with: one who may administrate it and nothing else.
make_administration() {
    hash_of "$(value_of MQTT_ADMIN_PASSWORD)"
    cat >"$administration" <<EOF
{
  "defaultACLAccess": {"publishClientSend": false, "publishClientReceive": false, "subscribe": false, "unsubscribe": true},
  "clients": [{"username": "citynerve-admin", "password": "$hash", "salt": "$salt", "iterations": 101, "roles": [{"rolename": "admin"}]}],
  "groups": [],
  "roles": [{"rolename": "admin", "acls": [$(acl publishClientSend), $(acl publishClientReceive), $(acl subscribePattern)]}]
}
EOF
}

make_certificate() {
    names="DNS:mosquitto,DNS:localhost,IP:127.0.0.1"
    for name in "$@"; do
        case $name in
        *[!0-9A-Za-z.:-]*) fail "'$name' is no host name or address" ;;
        *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$name" ;;
        *) names="$names,DNS:$name" ;;
        esac
    done
    draft=$(mktemp -d)
    trap 'rm -rf "$draft"' EXIT
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=citynerve broker" \
        -keyout "$draft/server.key" -out "$draft/server.csr" 2>"$draft/log" || fail "$(cat "$draft/log")"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$names" >"$draft/extensions"
    openssl x509 -req -in "$draft/server.csr" -CA "$secrets/ca.crt" -CAkey "$secrets/ca.key" -days 825 \
        -extfile "$draft/extensions" -out "$draft/server.crt" 2>"$draft/log" || fail "$(cat "$draft/log")"
    # In place: these files are mounted.
    cat "$draft/server.key" >"$broker/server.key"
    cat "$draft/server.crt" >"$broker/server.crt"
    echo "broker's certificate made for $names, for 825 days"
}

# Containers run as users of their own. Nobody else gets through the folder above, so the files themselves may be open; run
# as root, they are given to the broker's user instead.
open_to_the_broker() {
    mkdir -p "$broker/doors" "$broker/gateways"
    if [ "$(id -u)" = 0 ]; then
        chown -R 1883:1883 "$broker"
        chmod 0400 "$broker/server.key"
        chmod 0600 "$administration" "$inner"
    else
        find "$broker" -type f -exec chmod 0644 {} +
    fi
    chmod 0755 "$broker" "$broker/doors" "$broker/gateways"
    chmod 0644 "$secrets/ca.crt" "$secrets/trust/ca.crt"
    chmod 0755 "$secrets/trust"
}

prepare() {
    mkdir -p "$broker" "$secrets/trust"
    chmod 0700 "$secrets"
    if [ ! -e "$env_file" ]; then
        cp .env.example "$env_file"
        echo "$env_file made: passwords are in it, keep it to yourself and in your backup"
    fi
    # A newer release may ask for more than an older .env has.
    grep -o '^[A-Z_]*=.*' .env.example | while IFS= read -r line; do
        grep -q "^${line%%=*}=" "$env_file" || { echo "$line" >>"$env_file" && echo "${line%%=*} added to $env_file"; }
    done
    # Kafka takes a name that begins with a hyphen for an option.
    fill KAFKA_CLUSTER_ID "A$(openssl rand -base64 16 | tr '+/' '-_' | cut -c 2-22)"
    for name in DATABASE_PASSWORD GRAFANA_DATABASE_PASSWORD GRAFANA_ADMIN_PASSWORD MQTT_INGEST_PASSWORD MQTT_SIM_PASSWORD \
        MQTT_ADMIN_PASSWORD OPERATOR_KEY; do
        fill "$name" "$(password)"
    done
    if [ ! -e "$secrets/ca.key" ]; then
        if [ -e "$secrets/ca.crt" ]; then
            fail "$secrets/ca.key is gone: bring it back from your backup, or remove $secrets/ca.crt and give all gateways a new one"
        fi
        openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 7300 \
            -subj "/CN=citynerve broker authority" -addext "keyUsage=critical,keyCertSign,cRLSign" \
            -keyout "$secrets/ca.key" -out "$secrets/ca.crt" 2>"$secrets/log" || fail "$(cat "$secrets/log")"
        rm -f "$secrets/log"
        echo "authority made: give $secrets/ca.crt to your gateways, show $secrets/ca.key to nobody"
    fi
    cp "$secrets/ca.crt" "$secrets/trust/ca.crt"
    if [ -e "$broker/server.crt" ]; then
        [ $# = 0 ] || echo "the broker's certificate is kept as it is: for other names run deploy/prepare.sh renew NAME…"
    else
        make_certificate "$@"
    fi
    add_user "$inner" citynerve-ingest "$(value_of MQTT_INGEST_PASSWORD)"
    add_user "$inner" citynerve-sim "$(value_of MQTT_SIM_PASSWORD)"
    [ -s "$administration" ] || make_administration
    if [ -s "$broker/passwords" ]; then
        echo "gateways have their logins from citynerve now: give each one (docs/credentials.md), then remove $broker/passwords"
    fi
    open_to_the_broker
}

# Write a value where the variable is empty.
fill() {
    [ -z "$(value_of "$1")" ] || return 0
    draft_env=$(while IFS= read -r line || [ -n "$line" ]; do
        if [ "$line" = "$1=" ]; then printf '%s=%s\n' "$1" "$2"; else printf '%s\n' "$line"; fi
    done <"$env_file")
    printf '%s\n' "$draft_env" >"$env_file"
}

command -v openssl >/dev/null || fail "openssl is not installed: install it (3.0 or newer) and run this again"
command -v python3 >/dev/null || fail "python3 is not installed: install it and run this again"
case "$(openssl version)" in
"OpenSSL 0"* | "OpenSSL 1"* | LibreSSL*) fail "needs OpenSSL 3.0 or newer, here is $(openssl version)" ;;
esac

case "${1:-}" in
gateway) fail "gateways have their logins from citynerve: docker compose exec ingest citynerve credentials create ID" ;;
renew)
    shift
    [ -e "$secrets/ca.key" ] || fail "there is no authority: run deploy/prepare.sh first"
    make_certificate "$@"
    open_to_the_broker
    echo "let the broker take it: docker compose restart mosquitto"
    ;;
certificates)
    [ -e "$inner" ] || fail "run deploy/prepare.sh first"
    [ -e "$authority/ca.crt" ] && [ -e "$authority/revoked.pem" ] ||
        fail "there is no authority in $authority: make one with citynerve ca init (docs/deploy.md)"
    mkdir -p "$broker/doors" "$broker/gateways"
    # A door that is open already takes its lists while it runs.
    how="kill -s HUP"
    cmp -s deploy/mosquitto/certificates.conf "$broker/doors/certificates.conf" || how=restart
    cat "$authority/ca.crt" >"$broker/gateways/ca.crt"
    cat "$authority/revoked.pem" >"$broker/gateways/revoked.pem"
    { cat deploy/mosquitto/acl-certificates && if [ -e "$authority/refused" ]; then cat "$authority/refused"; fi; } \
        >"$broker/gateways/acl"
    cat deploy/mosquitto/certificates.conf >"$broker/doors/certificates.conf"
    open_to_the_broker
    echo "let the broker take it: docker compose $how mosquitto"
    ;;
-* | help) sed -n '2,8s/^# \{0,1\}//p' "$0" ;;
*)
    prepare "$@"
    echo "ready: docker compose up -d"
    ;;
esac
