#!/usr/bin/env bash
# Builds the image of deploy/Containerfile with buildah, starts it with a read-only root as an ordinary user, and asks it for a
# caption, as an ordinary user. The base is made by debootstrap, so that no registry is needed. Needs root, debootstrap, buildah and podman.
# Usage: tests/container.sh PHOTO      (after make dist)
set -euo pipefail
cd "$(dirname "$0")/.."

photo=$(realpath "${1:?a photo to caption}")
work=$(mktemp -d)
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
engine=(podman --root "$work/storage" --runroot "$work/run" --cgroup-manager cgroupfs)
! command -v runc >/dev/null || engine+=(--runtime runc)
trap '"${engine[@]}" rm --force --all >/dev/null 2>&1 || true; rm -rf --one-file-system "$work"' EXIT

debootstrap --variant=minbase bookworm "$work/base" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
tar --directory "$work/base" --create . | "${engine[@]}" import --quiet - localhost/debian >/dev/null
start=$SECONDS
"${engine[@]}" build --quiet --format docker --network host --build-arg BASE=localhost/debian --file deploy/Containerfile --tag showtell . >/dev/null
echo "image: $((SECONDS - start)) s, $("${engine[@]}" image inspect --format '{{.Size}}' showtell) bytes"

start=$(date +%s%N)
# Machines without systemd have no timers for health checks, and may forbid higher limits.
"${engine[@]}" run --detach --name showtell --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
    --read-only --cap-drop ALL --network host showtell serve --host 127.0.0.1 --port 5818 >/dev/null
until answer=$(curl --silent --fail --data-binary "@$photo" 'http://127.0.0.1:5818/api/caption?n=1'); do
    [ "$("${engine[@]}" inspect --format '{{.State.Running}}' showtell)" = true ] || { "${engine[@]}" logs showtell; exit 1; }
    sleep 0.1
done
end=$(date +%s%N)
echo "from start to caption: $(((end - start) / 1000000)) ms: $answer"
check=$("${engine[@]}" image inspect --format '{{index .HealthCheck.Test 3}}' showtell)
"${engine[@]}" exec showtell /bin/bash -c "${check/5000/5818}" && echo healthy
[ "$("${engine[@]}" exec showtell id -u)" = 65534 ]
! "${engine[@]}" exec showtell touch /opt/showtell/x 2>/dev/null && echo "read-only, as user 65534"
