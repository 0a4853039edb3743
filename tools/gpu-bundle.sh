#!/usr/bin/env bash
# Builds the bundle that checks Showtell on a machine with a GPU: all programs, the check (tools/gpu-check), the encoder and the
# bundled model. train is built for libtorch 2.11, which the machine's PyTorch has. Needs root and debootstrap.
# Usage: tools/gpu-bundle.sh [--lean] [FOLDER]      (no argument: dist)
# With --lean the bundled model is left out, for a machine that has this checkout: unpack the bundle there.
set -euo pipefail
lean=
[ "${1:-}" != --lean ] || { lean=-lean; shift; }
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
name=showtell-gpu-check-$version$lean
encoder=efficientnet-lite2
max_bytes=60000000
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

# check_libraries PROGRAM: refuses a program that prefers a folder of its own to LD_LIBRARY_PATH (RPATH), or cannot start where
# CUDA is absent.
check_libraries() {
    local found
    found=$(readelf --dynamic --wide "$1")
    if grep -q '(RPATH)' <<<"$found"; then
        echo "$1: has an RPATH, which LD_LIBRARY_PATH cannot override" >&2
        return 1
    fi
    if grep '(NEEDED).*\(libtorch_cuda\|libcuda\|libc10_cuda\)' <<<"$found" >&2; then
        echo "$1: is linked to these libraries, which train loads by itself" >&2
        return 1
    fi
}

# The bindings of tch are those of libtorch 2.13; the header has what they name and 2.11 lacks.
build_train libtorch-2.11 libtorch-2.11/torch LIBTORCH_BYPASS_VERSION_CHECK=1 \
    CXXFLAGS='-include /showtell/tools/gpu-check/libtorch-2.11.h' RUSTFLAGS='-C link-arg=-Wl,--enable-new-dtags'
train=$CARGO_TARGET_DIR/libtorch-2.11/dist/train
check_libraries "$train"
build_portable

prefix=$staged/$name
install -d "$prefix"/{bin,gpu-check,models,photos}
install "$train" "$built/extract" "$prefix/bin/"
for program in "${captioning[@]}"; do install "$built/$program" "$prefix/bin/"; done
strip --strip-all "$prefix"/bin/*
install --mode 644 tools/gpu-check/*.py benches/peers/captioner.py "$prefix/gpu-check/"
install --mode 644 tools/gpu-check/README.md LICENSE-* "$prefix/"
install --mode 644 serve/src/page/samples/* "$prefix/photos/"
"$built/convert" "$encoder" --from "$native/$encoder" --out "$prefix/models/$encoder.onnx" >&2
if [ -z "$lean" ]; then
    install -d "$prefix/models/showtell"
    install --mode 644 models/showtell/* "$prefix/models/showtell/"
fi
check_portable "$prefix" 2.31
archive=$out/$name.tar.xz
pack "$staged" "$name" "$archive"
[ "$(stat --format=%s "$archive")" -le "$max_bytes" ] || { echo "$archive: more than $max_bytes bytes" >&2; exit 1; }
