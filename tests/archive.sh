#!/usr/bin/env bash
# The archive for captioning on an empty Debian without network: from the file to the first caption, on the command line and over
# HTTP. With the archive for training it also trains on drawn scenes. Needs root and debootstrap.
# Usage: tests/archive.sh ARCHIVE.tar.gz PHOTO [SUITE [TRAINING.tar.gz]]      (no suite: bookworm)
set -euo pipefail
archive=$(realpath "${1:?an archive of make dist}")
photo=$(realpath "${2:?a photo to caption}")
suite=${3:-bookworm}
training=${4:+$(realpath "$4")}
# shellcheck source=tests/debian.sh
source "$(dirname "$0")/debian.sh"

make_debian "$suite"
cp "$archive" "$home/archive.tar.gz"
cp "$photo" "$home/photo.jpg"
start=$(date +%s%N)
caption=$(offline 'tar xf archive.tar.gz && rm archive.tar.gz && showtell-*/bin/showtell caption photo.jpg')
echo "$suite, from the archive to the first caption: $(milliseconds_since "$start") ms: $caption"
[[ $caption == photo.jpg$'\t'?* ]]

# shellcheck disable=SC2016  # The inner shells expand.
# A server, asked through the shell's own sockets.
answer=$(offline 'showtell-*/bin/showtell serve --port 5000 --log warn >address & server=$!
    until [ -s address ]; do kill -0 $server && sleep 0.1 || exit 1; done
    exec 3<>/dev/tcp/127.0.0.1/5000
    printf "POST /api/caption?n=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" "$(stat --format=%s photo.jpg)" >&3
    cat photo.jpg >&3 && tail --lines 1 <&3
    kill $server && wait $server')
[[ $answer == "{\"caption\""* ]] || { echo "no answer: $answer" >&2; exit 1; }
echo "$suite, over HTTP: $answer"
offline 'showtell-*/bin/showtell --version'
[ -n "$training" ] || exit 0

cp "$training" "$home/training.tar.gz"
start=$SECONDS
# shellcheck disable=SC2016  # The inner shells expand.
offline 'tar xf training.tar.gz && rm training.tar.gz && PATH=$(echo $PWD/showtell-*/bin):$PATH
    encoder=$(echo $PWD/showtell-*/share/showtell/models/efficientnet-lite2.onnx)
    showtell captions scenes --out scenes --train 600 --dev 100 --test 100
    showtell extract --images scenes/Images --encoder $encoder --store scenes.h5 --device cpu
    showtell train fit --captions scenes/captions.txt --store scenes.h5 --run run --epochs 3 --device cpu
    showtell train evaluate --run run --split test --device cpu
    showtell caption --model run --encoder $encoder scenes/Images | head -n 3
    showtell --version' 2>"$home/log" || { tail -n 40 "$home/log"; exit 1; }
echo "$suite, trained on drawn scenes: $((SECONDS - start)) s"
