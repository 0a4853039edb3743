#!/usr/bin/env bash
# The wheel on an empty Debian that has python3 and venv: from the file to the first caption, in Python and by the command, then
# the package's own tests. Or with a Python of this machine. Needs root and debootstrap for a Debian.
# Usage: tests/wheel.sh WHEEL PHOTO [SUITE | PYTHON]      (no suite: bookworm; PYTHON such as python3.12)
set -euo pipefail

wheel=$(realpath "${1:?a wheel of make wheel}")
photo=$(realpath "${2:?a photo to caption}")
where=${3:-bookworm}
root=$(cd "$(dirname "$0")/.." && pwd)
shared=${SHOWTELL_SHARED:-$root/../shared}
machine=$(mktemp -d)
trap 'umount -l "$machine/root/shared" 2>/dev/null || true; rm -rf --one-file-system "$machine"' EXIT
home=$machine/root

# Of this environment only the network settings.
mapfile -t network < <(env | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|PIP_INDEX_URL)=' || true)
certificates=/etc/ssl/certs/ca-certificates.crt
network+=("PIP_CERT=$certificates" PIP_DISABLE_PIP_VERSION_CHECK=1)

# on COMMAND, off COMMAND: run a command in /root of the new machine, with the network and without.
case $where in
    */python* | python*)
        python=$(realpath "$(command -v "$where")")
        mkdir "$home"
        on() { (cd "$home" && env -i "${network[@]}" PATH=/usr/bin:/bin HOME="$home" bash -ec "$1"); }
        off() { (cd "$home" && env -i PATH=/usr/bin:/bin HOME="$home" unshare --net bash -ec "ip link set lo up; $1"); }
        ;;
    *)
        python=python3
        debootstrap --variant=minbase --include=python3-venv "$where" "$machine" >"$machine.log" 2>&1 ||
            { tail "$machine.log"; exit 1; }
        rm -f "$machine.log"
        install -D --mode 644 "$certificates" "$machine$certificates"
        cp /etc/resolv.conf "$machine/etc/"
        # shellcheck disable=SC2016  # The inner shells expand.
        within='mount -t proc proc "$1/proc" && exec chroot "$1" bash -ec "cd /root; $2"'
        on() { env -i "${network[@]}" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root unshare --mount --pid --fork bash -c "$within" in "$machine" "$1"; }
        off() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root unshare --net --mount --pid --fork bash -c "ip link set lo up; $within" in "$machine" "$1"; }
        ;;
esac

cp "$wheel" "$photo" "$home/"
file=$(basename "$photo")
start=$(date +%s%N)
on "$python -m venv first && first/bin/pip --quiet download --dest wheels $(basename "$wheel")"
echo "$where, $(on "$python --version"): download: $((($(date +%s%N) - start) / 1000000)) ms, $(du -cb "$home"/wheels/* | awk 'END { print $1 }') bytes:" "$(cd "$home/wheels" && echo ./*)"

start=$(date +%s%N)
caption=$(off "$python -m venv v && v/bin/pip --quiet install --no-index --find-links wheels showtell && v/bin/showtell caption $file")
echo "$where, from the wheels to the first caption: $((($(date +%s%N) - start) / 1000000)) ms: $caption"
[[ $caption == "$file"$'\t'?* ]]
start=$(date +%s%N)
text=$(off "v/bin/python -c 'from showtell import Captioner; print(Captioner().caption(\"$file\").text)'")
echo "$where, three lines of Python: $((($(date +%s%N) - start) / 1000000)) ms: $text"
[ "$caption" = "$file"$'\t'"$text" ]
off "v/bin/showtell --version; v/bin/pip list"

# The package's own tests, with packages that they alone need.
mkdir -p "$home/showtell" "$home/shared"
(cd "$root" && cp -r --parents python/tests python/README.md docs/python.md examples serve/src/page/samples "$home/showtell/")
if [ -d "$shared" ]; then mount --bind -o ro "$shared" "$home/shared"; else rmdir "$home/shared"; fi
on "v/bin/pip --quiet install pytest pillow h5py"
off "PATH=\$PWD/v/bin:\$PATH v/bin/python -m pytest -q -p no:cacheprovider showtell/python/tests"
