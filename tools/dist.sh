#!/usr/bin/env bash
# Builds the archive for captioning: programs for glibc 2.28 or newer, ONNX Runtime, the bundled model and its encoder,
# manual pages, completions, licences.
# Usage: tools/dist.sh [FOLDER]      (no argument: dist)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
name=showtell-$version-x86_64-linux
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

build_portable
tools/install.sh "$built" "$staged/$name" "${captioning[@]}"
install --mode 644 tools/archive.md "$staged/$name/README.md"
write_bills "$staged/$name/share/doc/showtell" showtell caption serve data/captions models/encoder
check_portable "$staged/$name" "$glibc"
pack "$staged" "$name" "$out/$name.tar.gz"
