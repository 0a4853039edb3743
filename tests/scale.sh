#!/usr/bin/env bash
# Rehearses a large data set on this machine: draws COUNT thumbnails with five captions each into tar archives, plans, extracts
# them with four tasks of a real Slurm, one of which is killed and requeued, verifies, merges, and trains until the first step
# is done. It prints the time of each stage, and the memory of training. As root, with Debian's slurm-wlm and munge (see
# tests/slurm.sh). A million thumbnails take 3 GB below FOLDER.
# Usage: tests/scale.sh FOLDER [COUNT]      (no count: 1000000)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath --canonicalize-missing "${1:?a folder for the drawings and the store}")
count=${2:-1000000}
mkdir -p "$folder"
cd "$root"
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
cargo build --quiet --release --package tests --features small-model --example thumbnails
cargo build --quiet --release --bin extract --bin train
if [ ! -e "$folder/captions.txt" ]; then
    "$target/release/examples/thumbnails" "$folder" "$count"
fi

start=$(date +%s.%N)
took() {
    printf '%-44s %8.1f s\n' "$1" "$(echo "$(date +%s.%N) - $start" | bc)"
    start=$(date +%s.%N)
}
"$target/release/extract" plan --images "$folder/photos" --encoder "$folder/tiny.onnx" --store "$folder/photos.h5" --device cpu
took "plan"
KEEP_STORE=$folder/photos.h5 SINGLE=no tests/slurm.sh "$folder/photos" "$folder/tiny.onnx"
took "extract with four tasks, and merge"
"$target/release/extract" verify "$folder/photos.h5"
took "verify"

# A signal after the start ends training after its first step.
rm -rf "$folder/run"
"$target/release/train" fit --captions "$folder/captions.txt" --store "$folder/photos.h5" --run "$folder/run" --device cpu \
    2>"$folder/train.log" &
train=$!
most=0
while kill -0 "$train" 2>/dev/null; do
    anonymous=$(awk '/RssAnon/ { print $2 }' "/proc/$train/status" 2>/dev/null || echo 0)
    [ "${anonymous:-0}" -le "$most" ] || most=$anonymous
    # A second signal would end it at once.
    if [ -z "${signalled:-}" ] && grep -q 'ready after' "$folder/train.log"; then
        kill -TERM "$train"
        signalled=yes
    fi
    sleep 0.1
done
wait "$train"
took "train, first step and its checkpoint"
cat "$folder/train.log"
echo "anonymous memory of training: $((most / 1024)) MiB at most"
