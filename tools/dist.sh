#!/usr/bin/env bash
# Builds the archive for captioning: programs for glibc 2.28 or newer, ONNX Runtime, the bundled model and its encoder,
# manual pages, completions, licences. Paths of this machine, times and the order of files stay out of it.
# Usage: tools/dist.sh [FOLDER]      (no argument: dist)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
native=$(realpath "${SHOWTELL_NATIVE:-.native}")
out=$(realpath --canonicalize-missing "${1:-dist}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=showtell-$version-x86_64-linux
programs=(caption serve captions encoder)
glibc=2.28
target=x86_64-unknown-linux-gnu
epoch=$(git log -1 --format=%ct)

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

# The paths of this machine stay out of the programs: the source's, the crates', and that of the native parts.
cargo=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="--remap-path-prefix=$root=/showtell --remap-path-prefix=$cargo=/cargo"
export SHOWTELL_DIST=1 SOURCE_DATE_EPOCH=$epoch CARGO_ZIGBUILD_ZIG_PATH=$native/zig/ziglang/zig
export PATH=$native/zig/bin:$native/dist/bin:$PATH CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/archive
rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target"
bins=()
for program in showtell convert "${programs[@]}"; do bins+=(--bin "$program"); done
cargo zigbuild --profile dist --locked --target "$target.$glibc" "${bins[@]}"

built=$CARGO_TARGET_DIR/$target/dist
rm -rf "${out:?}/$name"
tools/install.sh "$built" "$out/$name" "${programs[@]}"
install --mode 644 README.md "$out/$name/"
bills "$out/$name/share/doc/showtell"

newest=$(for file in "$out/$name"/bin/*; do objdump -T "$file"; done | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
[ "$(printf '%s\n' "GLIBC_$glibc" "$newest" | sort -V | tail -n 1)" = "GLIBC_$glibc" ] ||
    { echo "dist: the programs need $newest, not $glibc" >&2; exit 1; }
if grep -rlF -e "$root" -e "$native" -e "$cargo/" "$out/$name" >&2; then
    echo "dist: these files have paths of this machine" >&2
    exit 1
fi
tar --directory "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --mode=u+rwX,go+rX,go-w \
    --create "$name" | gzip --no-name --best >"$out/$name.tar.gz"
rm -rf "${out:?}/$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz: $(stat --format=%s "$out/$name.tar.gz") bytes, $newest"
