#!/usr/bin/env bash
# Builds the archive for captioning: programs for glibc 2.28 or newer, ONNX Runtime, the bundled model and its encoder,
# manual pages, completions, licences.
# Usage: tools/dist.sh [FOLDER]      (no argument: dist)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
# shellcheck source=tools/portable.sh
source "$(dirname "$0")/portable.sh"
name=showtell-$version-x86_64-linux

# bills FOLDER: writes the bill of materials of each program there (CycloneDX). The tool writes beside each Cargo.toml, so it
# works on a copy.
bills() {
    local copy program
    copy=$(mktemp -d)
    git archive HEAD | tar --extract --directory "$copy"
    (cd "$copy" && cargo cyclonedx --quiet --format json --target "$target" --override-filename bill)
    for program in showtell caption serve data/captions models/encoder; do
        # References are paths in the copy.
        sed "s#$copy#/showtell#g" "$copy/$program/bill.json" >"$1/$(basename "$program").cdx.json"
    done
    rm -rf "$copy"
}

build_portable
rm -rf "${out:?}/$name"
tools/install.sh "$built" "$out/$name" "${captioning[@]}"
install --mode 644 README.md "$out/$name/"
bills "$out/$name/share/doc/showtell"
check_portable "$out/$name" "$out/$name"/bin/*
tar --directory "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --mode=u+rwX,go+rX,go-w \
    --create "$name" | gzip --no-name --best >"$out/$name.tar.gz"
newest=$(newest_glibc "$out/$name"/bin/*)
rm -rf "${out:?}/$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz: $(stat --format=%s "$out/$name.tar.gz") bytes, $newest"
