#!/usr/bin/env bash
# Builds the archive for training: extract, train, and libtorch for the CPU. It is unpacked where the archive for captioning is.
# train is compiled by g++ in a Debian 11, for glibc 2.31: libtorch's C++ library and zig's do not mix. Needs root and debootstrap.
# Usage: tools/dist-training.sh [FOLDER]      (no argument: dist)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
name=showtell-$version-x86_64-linux
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "dist-training: needs root and debootstrap, for a Debian 11 to compile in" >&2
    exit 1
fi

# The system to compile in sees the sources, the compiler, the crates and the native parts at paths of its own.
system=$(mktemp -d)
mounts=("$system/rust" "$system/cargo" "$system/native" "$system/target")
release() {
    local mount
    for mount in "${mounts[@]}"; do umount --lazy "$mount" 2>/dev/null || true; done
    rm -rf --one-file-system "$system"
}
trap release EXIT
debootstrap --variant=minbase --include=g++,git,make bullseye "$system" >"$system.log" 2>&1 ||
    { tail "$system.log" >&2; exit 1; }
rm -f "$system.log"
git clone --quiet "$root" "$system/showtell"
cargo fetch --locked
mkdir -p "${mounts[@]}" "$CARGO_TARGET_DIR/debian11"
mount --bind --options ro "$(rustc --print sysroot)" "$system/rust"
mount --bind --options ro "$CARGO_HOME" "$system/cargo"
mount --bind --options ro "$native" "$system/native"
mount --bind "$CARGO_TARGET_DIR/debian11" "$system/target"
cmake=$(readlink "$native/bin/cmake")
# shellcheck disable=SC2016  # The inner shell expands.
env -i PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SHOWTELL_DIST=1 SOURCE_DATE_EPOCH="$epoch" CARGO_HOME=/cargo \
    CARGO_TARGET_DIR=/target SHOWTELL_NATIVE=/native LIBTORCH=/native/libtorch/torch CMAKE="${cmake/#"$native"//native}" \
    unshare --net --mount --pid --fork bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" bash -c "$2"' in "$system" \
    'cd /showtell && cargo build --profile dist --locked --offline --bin train'

build_portable
staged=$(mktemp -d)
trap 'release; rm -rf "$staged"' EXIT
prefix=$staged/$name
libraries=$prefix/lib/torch
install -d "$prefix/bin" "$libraries" "$prefix/share/doc/showtell"
install "$built/extract" "$prefix/bin/showtell-extract"
install "$CARGO_TARGET_DIR/debian11/dist/train" "$prefix/bin/showtell-train"
for library in torch/lib/lib{torch_cpu.so,c10.so,gomp.so.1} nvidia/cu13/lib/lib{cudart,cupti}.so.13; do
    install --mode 644 "$native/libtorch/$library" "$libraries/"
done
licences=$prefix/share/doc/showtell
install --mode 644 "$native"/libtorch/torch-*.dist-info/licenses/LICENSE "$licences/LICENSE-libtorch"
install --mode 644 "$native"/libtorch/nvidia_cuda_runtime-*.dist-info/licenses/License.txt "$licences/LICENSE-nvidia-cuda"
write_bills "$licences" extract train
check_portable "$prefix" 2.31
pack "$staged" "$name" "$out/showtell-training-$version-x86_64-linux.tar.gz"
