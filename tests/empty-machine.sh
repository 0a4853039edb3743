#!/usr/bin/env bash
# The archive for captioning on an empty Debian without network: from the file to the first caption, on the command line and over
# HTTP. Needs root and debootstrap.
# Usage: tests/empty-machine.sh ARCHIVE.tar.gz PHOTO [SUITE]      (no suite: bookworm)
set -euo pipefail

archive=$(realpath "${1:?an archive of make dist}")
photo=$(realpath "${2:?a photo to caption}")
suite=${3:-bookworm}
machine=$(mktemp -d)
trap 'rm -rf --one-file-system "$machine"' EXIT

debootstrap --variant=minbase "$suite" "$machine" >"$machine.log" 2>&1 || { tail "$machine.log"; exit 1; }
rm -f "$machine.log"
cp "$archive" "$machine/root/archive.tar.gz"
cp "$photo" "$machine/root/photo.jpg"

# shellcheck disable=SC2016  # The inner shells expand.
# Nothing of this machine but the kernel: no network but the loopback, no environment.
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root unshare --net --mount --pid --fork bash -c '
        ip link set lo up && mount -t proc proc "$1/proc" && exec chroot "$1" bash -c "$2"' inside "$machine" "$1"
}

start=$(date +%s%N)
caption=$(inside 'cd /root && tar xf archive.tar.gz && rm archive.tar.gz && showtell-*/bin/showtell caption photo.jpg')
end=$(date +%s%N)
[[ $caption == photo.jpg$'\t'?* ]] || { echo "no caption: $caption" >&2; exit 1; }
echo "$suite, from the archive to the first caption: $(((end - start) / 1000000)) ms: $caption"

# shellcheck disable=SC2016
# A server, asked through the shell's own sockets.
answer=$(inside 'cd /root
    showtell-*/bin/showtell serve --port 5000 --log warn >address & server=$!
    until [ -s address ]; do kill -0 $server && sleep 0.1 || exit 1; done
    exec 3<>/dev/tcp/127.0.0.1/5000
    printf "POST /api/caption?n=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" "$(stat --format=%s photo.jpg)" >&3
    cat photo.jpg >&3 && tail --lines 1 <&3
    kill $server && wait $server')
[[ $answer == "{\"caption\""* ]] || { echo "no answer: $answer" >&2; exit 1; }
echo "$suite, over HTTP: $answer"
inside 'cd /root && showtell-*/bin/showtell --version'
