#!/usr/bin/env bash
# Builds the wheel of the Python package: the module, the programs for captioning and extraction, the bundled model and its
# encoder. ONNX Runtime is the one of its environment.
# Usage: tools/wheel.sh [FOLDER]      (no argument: dist)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
installed=python/package/showtell/installed

build_portable
rm -rf "$installed"
trap 'rm -rf "$installed"' EXIT
tools/install.sh --no-runtime "$built" "$installed" "${captioning[@]}" extract
check_portable "$installed" "$glibc"
# The licences of the package itself are named in its metadata.
cp LICENSE-APACHE LICENSE-MIT python/
trap 'rm -rf "$installed" python/LICENSE-*' EXIT
rm -f "$out"/showtell-*.whl*
# maturin gives cargo other settings than cargo-zigbuild does: in one folder each would build anew what the other built.
CARGO_TARGET_DIR=$area/python maturin build --manifest-path python/Cargo.toml --profile dist --locked --zig --target "$target" \
    --compatibility "manylinux_${glibc/./_}" --out "$out"
wheel=$(echo "$out/showtell-$version"-*.whl)
(cd "$out" && sha256sum "$(basename "$wheel")" >"$wheel.sha256")
echo "$wheel: $(stat --format=%s "$wheel") bytes"
