#!/usr/bin/env bash
# Builds the archive for training: extract, train, and libtorch for the CPU. It is unpacked where the archive for captioning is.
# Needs root and debootstrap.
# Usage: tools/dist-training.sh [FOLDER]      (no argument: dist)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
name=showtell-$version-x86_64-linux
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

build_train debian11 libtorch/torch
build_portable
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
