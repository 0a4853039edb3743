#!/usr/bin/env bash
# The first steps of a user from source, on an empty Debian with the packages that README names: a clone, empty caches, and the
# Rust toolchain of this machine, which is newer than Debian's. Prints the time and the downloads of each step. Needs root and
# debootstrap.
# Usage: tests/fresh-machine.sh PHOTO [caption] [serve] [demo] [test]     (no step: serve)
set -euo pipefail
photo=$(realpath "${1:?a photo to caption}")
shift
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/debian.sh
source "$(dirname "$0")/debian.sh"
inner_path=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin
port=5817

make_debian bookworm gcc,g++,git,make,python3-venv,python3-pip
mkdir "$machine/rust"
mount --bind --options ro "$(rustc --print sysroot)" "$machine/rust"
git clone --quiet "$root" "$home/showtell"
cp "$photo" "$home/photo.jpg"

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

# from_source COMMAND: runs a command in the clone.
from_source() { online "cd showtell && $1" >"$home/log" 2>&1; }

captioned() {
    from_source 'make caption PHOTOS=../photo.jpg'
    grep "^\.\./photo.jpg" "$home/log"
}

# answered MAKE-TARGET: starts a target that ends with a server, and waits for its caption of the photo.
answered() {
    set -m
    from_source "make $1 PORT=$port" &
    local server=$!
    set +m
    until curl --silent --fail --output "$home/caption" --data-binary "@$photo" "http://127.0.0.1:$port/api/caption"; do
        kill -0 "$server" 2>/dev/null || return 1
        sleep 1
    done
    echo "$(basename "$photo"): $(grep -o '^{"caption":"[^"]*"' "$home/caption")"
    kill -- "-$server"
}

for name in "${@:-serve}"; do
    case $name in
        caption)
            step "native parts" from_source 'make setup PART="onnxruntime encoder"'
            step "make caption" captioned
            ;;
        serve | demo) step "make $name, to the first caption" answered "$name" ;;
        test) step "make test" from_source 'make test' ;;
        *) echo "$name: unknown step: use caption, serve, demo, test" >&2; exit 2 ;;
    esac
done
