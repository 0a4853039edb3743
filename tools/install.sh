#!/usr/bin/env bash
# Lays out an installation: programs, ONNX Runtime, the bundled model with its encoder, manual pages, completions, licences.
# Usage: tools/install.sh FOLDER-OF-BUILT-PROGRAMS PREFIX PROGRAM...
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
native=${SHOWTELL_NATIVE:-$root/.native}
built=${1:?the folder of the built programs}
prefix=${2:?the folder of the installation}
shift 2
encoder=efficientnet-lite2
share=$prefix/share/showtell
licences=$prefix/share/doc/showtell

install -d "$prefix/bin" "$prefix/lib" "$share/models/showtell" "$licences" \
    "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
    "$prefix/share/fish/vendor_completions.d" "$prefix/share/zsh/site-functions"
install "$built/showtell" "$prefix/bin/"
for program in "$@"; do install "$built/$program" "$prefix/bin/showtell-$program"; done
for library in "$native"/onnxruntime/onnxruntime/capi/libonnxruntime.so.*; do install --mode 644 "$library" "$prefix/lib/"; done
for file in "$root"/models/showtell/*; do install --mode 644 "$file" "$share/models/showtell/"; done
install --mode 644 "$root"/LICENSE* "$licences/"
install --mode 644 "$native/onnxruntime/onnxruntime/LICENSE" "$licences/LICENSE-onnxruntime"
install --mode 644 "$native/onnxruntime/onnxruntime/ThirdPartyNotices.txt" "$licences/ThirdPartyNotices-onnxruntime.txt"
"$built/convert" "$encoder" --from "$native/$encoder" --out "$share/models/$encoder.onnx" >&2

"$prefix/bin/showtell" man "$prefix/share/man/man1"
"$prefix/bin/showtell" completions bash >"$prefix/share/bash-completion/completions/showtell"
"$prefix/bin/showtell" completions fish >"$prefix/share/fish/vendor_completions.d/showtell.fish"
{ echo '#compdef showtell'; "$prefix/bin/showtell" completions zsh; } >"$prefix/share/zsh/site-functions/_showtell"
