#!/usr/bin/env bash
# The first steps of a user: a fresh clone under an empty HOME, empty caches, and a PATH with a Rust toolchain and
# the system's own tools alone. Prints the time and the downloads of each step.
# Usage: tests/fresh-machine.sh PHOTO [serve] [demo] [test]     (no step: serve)
set -euo pipefail

photo=$(realpath "${1:?a photo to caption}")
shift
root=$(cd "$(dirname "$0")/.." && pwd)
toolchain=$(rustc --print sysroot)/bin
home=$(mktemp -d)
server=
trap 'stop; rm -rf "$home"' EXIT
stop() { [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true; server=; }

git clone --quiet "$root" "$home/showtell"
cd "$home/showtell"

# Of this environment only the network settings.
mapfile -t network < <(env | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|SSL_CERT_(FILE|DIR)|PIP_(CERT|INDEX_URL))=' || true)
fresh() { env -i "${network[@]}" HOME="$home" PATH="$toolchain:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "$@"; }

# Bytes received over the network since the machine started.
received() { sed 's/:/ /' /proc/net/dev | awk 'NR > 2 && $1 != "lo" { sum += $2 } END { printf "%.0f", sum }'; }

# step NAME COMMAND...: runs a command and prints its time and downloads.
step() {
    local name=$1 start=$SECONDS before
    shift
    before=$(received)
    "$@" || { echo "$name failed:"; tail -n 40 "$home/log"; exit 1; }
    echo "$name: $((SECONDS - start)) s, $((($(received) - before) / 1000000)) MB fetched"
}

# answers MAKE-TARGET: starts a target that ends with a server, and waits for its caption of the photo.
answers() {
    set -m
    fresh make "$@" PORT=5817 >"$home/log" 2>&1 &
    server=$!
    set +m
    until curl --silent --fail --output "$home/caption" --data-binary "@$photo" http://127.0.0.1:5817/api/caption; do
        kill -0 "$server" 2>/dev/null || return 1
        sleep 1
    done
    echo "$(basename "$photo"): $(grep -o '^{"caption":"[^"]*"' "$home/caption")"
    stop
}

tested() { fresh make test >"$home/log" 2>&1; }

for name in "${@:-serve}"; do
    case $name in
        serve | demo) step "make $name, to the first caption" answers "$name" ;;
        test) step "make test" tested ;;
        *) echo "$name: unknown step: use serve, demo, test" >&2; exit 2 ;;
    esac
done
