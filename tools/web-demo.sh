#!/usr/bin/env bash
# Lays out the demo that runs in a browser: the page, ONNX Runtime Web, the bundled model and its encoder, licences.
# Usage: tools/web-demo.sh FOLDER-OF-BUILT-PROGRAMS [FOLDER]      (FOLDER: dist/web-demo)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
native=${SHOWTELL_NATIVE:-$root/.native}
built=${1:?the folder of the built programs}
out=$(realpath --canonicalize-missing "${2:-$root/dist/web-demo}")
requirement=$(grep -v '^#' "$root/tools/requirements/onnxruntime-web.txt")
runtime=$native/onnxruntime-web
# Some servers do not know that .mjs is JavaScript.
bundle=onnxruntime/ort.wasm.bundle.min.js
encoder=efficientnet-lite2
# Bytes of all files: what a visitor may load.
limit=60000000
staging=
trap 'rm -rf "$staging"' EXIT

fail() { printf 'web-demo: %s\n' "$1" >&2; shift; printf '  %s\n' "$@" >&2; exit 1; }

# An earlier demo is replaced, and an empty folder; other files are not.
check() {
    [ -x "$built/convert" ] || fail "$built/convert: not a program" "Build it: cargo build --release --bin convert"
    [ ! -e "$out" ] || [ -e "$out/$bundle" ] || [ -n "$(find "$out" -maxdepth 0 -type d -empty)" ] ||
        fail "$out: neither an earlier demo nor an empty folder" "Name a folder that does not exist, or empty this one"
}

# Fetches the package of ONNX Runtime Web, compared with its integrity, and keeps the two files that the demo needs.
fetch_runtime() {
    local package integrity found
    read -r package integrity <<<"$requirement"
    [ "$(cat "$runtime/.stamp" 2>/dev/null || true)" != "$requirement" ] || return 0
    command -v npm >/dev/null || fail "npm is missing; it fetches $package" "On Debian: apt-get install npm"
    echo "web-demo: fetching $package with npm into $runtime (33 MB)" >&2
    mkdir -p "$native"
    staging=$(mktemp -d "$native/.onnxruntime-web.XXXXXX")
    (cd "$staging" && npm pack --silent "$package" >/dev/null) || fail "$package: npm could not fetch it"
    found=sha512-$(sha512sum "$staging"/*.tgz | cut -d ' ' -f 1 | node -p 'Buffer.from(require("fs").readFileSync(0, "utf8").trim(), "hex").toString("base64")')
    [ "$found" = "$integrity" ] || fail "$package: checksum mismatch: $found" "tools/requirements/onnxruntime-web.txt has $integrity"
    tar --extract --file "$staging"/*.tgz --directory "$staging" --strip-components 2 \
        package/dist/ort.wasm.bundle.min.mjs package/dist/ort-wasm-simd-threaded.wasm
    rm "$staging"/*.tgz
    printf '%s\n' "$requirement" >"$staging/.stamp"
    chmod 755 "$staging"
    rm -rf "$runtime"
    mv "$staging" "$runtime"
}

lay_out() {
    local file size
    mkdir -p "$(dirname "$out")"
    staging=$(mktemp -d "$(dirname "$out")/.web-demo.XXXXXX")
    install -d "$staging"/{onnxruntime,models/showtell,samples,licences}
    install --mode 644 "$root"/web/*.{html,css,js,svg} "$staging/"
    install --mode 644 "$root"/serve/src/page/samples/* "$staging/samples/"
    install --mode 644 "$root"/models/showtell/* "$staging/models/showtell/"
    install --mode 644 "$runtime/ort.wasm.bundle.min.mjs" "$staging/$bundle"
    install --mode 644 "$runtime/ort-wasm-simd-threaded.wasm" "$staging/onnxruntime/"
    # Browsers show .txt, and download files of an unknown type.
    for file in "$root"/LICENSE*; do install --mode 644 "$file" "$staging/licences/${file##*/}.txt"; done
    # The package for browsers has no licence file; it is built from the same sources.
    install --mode 644 "$native/onnxruntime/onnxruntime/LICENSE" "$staging/licences/LICENSE-onnxruntime.txt"
    install --mode 644 "$native/onnxruntime/onnxruntime/ThirdPartyNotices.txt" "$staging/licences/ThirdPartyNotices-onnxruntime.txt"
    "$built/convert" "$encoder" --from "$native/$encoder" --out "$staging/models/$encoder.onnx" >/dev/null
    # The demo names no classes.
    rm "$staging/models/$encoder.onnx.head"
    size=$(find "$staging" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    [ "$size" -le "$limit" ] || fail "$out: $size bytes are too many: at most $limit"
    chmod 755 "$staging"
    rm -rf "$out"
    mv "$staging" "$out"
    echo "$out: $size bytes"
}

check
fetch_runtime
lay_out
