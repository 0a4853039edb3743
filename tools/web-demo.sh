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
encoder=efficientnet-lite2
# Bytes of all files: what a visitor may load.
limit=60000000

fail() { printf 'web-demo: %s\n' "$1" >&2; shift; printf '  %s\n' "$@" >&2; exit 1; }

# Fetches the package of ONNX Runtime Web, compared with its integrity, and keeps the two files that the demo needs.
fetch_runtime() {
    local package integrity found
    read -r package integrity <<<"$requirement"
    [ "$(cat "$runtime/.stamp" 2>/dev/null || true)" != "$requirement" ] || return 0
    command -v npm >/dev/null || fail "npm is missing; it fetches $package" "On Debian: apt-get install npm"
    echo "web-demo: fetching $package with npm into $runtime (33 MB)" >&2
    mkdir -p "$native"
    staging=$(mktemp -d "$native/.onnxruntime-web.XXXXXX")
    trap 'rm -rf "$staging"' EXIT
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
    local file
    rm -rf "$out"
    install -d "$out/onnxruntime" "$out/models/showtell" "$out/samples" "$out/licences"
    for file in "$root"/web/*.{html,css,js,svg}; do install --mode 644 "$file" "$out/"; done
    for file in "$root"/serve/src/page/samples/*; do install --mode 644 "$file" "$out/samples/"; done
    for file in "$root"/models/showtell/*; do install --mode 644 "$file" "$out/models/showtell/"; done
    for file in "$root"/LICENSE*; do install --mode 644 "$file" "$out/licences/"; done
    # Some servers do not know that .mjs is JavaScript.
    install --mode 644 "$runtime/ort.wasm.bundle.min.mjs" "$out/onnxruntime/ort.wasm.bundle.min.js"
    install --mode 644 "$runtime/ort-wasm-simd-threaded.wasm" "$out/onnxruntime/"
    # The package for browsers has no licence file; it is built from the same sources.
    install --mode 644 "$native/onnxruntime/onnxruntime/LICENSE" "$out/licences/LICENSE-onnxruntime"
    install --mode 644 "$native/onnxruntime/onnxruntime/ThirdPartyNotices.txt" "$out/licences/ThirdPartyNotices-onnxruntime.txt"
    "$built/convert" "$encoder" --from "$native/$encoder" --out "$out/models/$encoder.onnx" >&2
    # The demo names no classes.
    rm "$out/models/$encoder.onnx.head"
}

fetch_runtime
lay_out
size=$(find "$out" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
[ "$size" -le "$limit" ] || fail "$out: $size bytes are too many: at most $limit"
echo "$out: $size bytes"
