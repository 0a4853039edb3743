#!/usr/bin/env bash
# Builds the site of the documentation from the pages of the repository, with the references of the Rust crates and of the Python
# package. It needs no other host.
# Usage: tools/docs.sh [FOLDER]      (no argument: dist/site)
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist/site}")
cd "$(dirname "$0")/.."
native=$(realpath "${SHOWTELL_NATIVE:-.native}")
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

# The pages keep their places, so that their links hold.
mkdir -p "$staged/src"
git ls-files -z -- '*.md' docs deploy examples models/encoders.toml LICENSE-APACHE LICENSE-MIT CITATION.cff ':!docs/theme' |
    xargs -0 cp --parents --target-directory "$staged/src"
cp -r book.toml docs/theme "$staged/"
sed -E 's#\]\(\.\./#](#; t; s#\]\(#](docs/#' docs/SUMMARY.md >"$staged/src/SUMMARY.md"
cat >"$staged/src/references.md" <<'END'
# References

- [Rust](rust/showtell_crates.html): the crates of the workspace
- [Python](python/showtell.html): the package `showtell`
END
echo '- [References](references.md)' >>"$staged/src/SUMMARY.md"
rm -rf "$out"
"$native/docs/bin/mdbook" build --dest-dir "$out" "$staged"

cargo doc --workspace --no-deps --quiet
cp -r "$target/doc" "$out/rust"
crates=$(find "$out/rust" -maxdepth 2 -name index.html ! -path '*/src/*' -printf '%h\n' | xargs -n 1 basename | sort)
{
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    echo '<title>Crates of Showtell</title><h1>Crates of Showtell</h1><ul>'
    for crate in $crates; do echo "<li><a href=\"$crate/index.html\">$crate</a></li>"; done
    echo '</ul></html>'
} >"$out/rust/showtell_crates.html"

cargo build --workspace --lib --quiet
mkdir "$staged/python"
cp -r python/package/showtell "$staged/python/"
cp "$target/debug/lib_showtell.so" "$staged/python/showtell/_showtell.abi3.so"
PYTHONPATH=$staged/python "$native/pdoc/bin/python" -m pdoc --docformat google --output-directory "$out/python" showtell
echo "$out: $(du -s --bytes "$out" | cut -f 1) bytes"
