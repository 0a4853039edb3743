#!/usr/bin/env bash
# Lays out an installation: programs, ONNX Runtime, the bundled model with its encoder, manual pages, completions, licences.
# Usage: tools/install.sh [--no-runtime] FOLDER-OF-BUILT-PROGRAMS PREFIX PROGRAM...
# With --no-runtime ONNX Runtime is left out, as a Python environment has its own.
set -euo pipefail
runtime=yes
[ "$1" != --no-runtime ] || { runtime=; shift; }
root=$(cd "$(dirname "$0")/.." && pwd)
native=${SHOWTELL_NATIVE:-$root/.native}
built=${1:?the folder of the built programs}
prefix=${2:?the folder of the installation}
shift 2
encoder=efficientnet-lite2
share=$prefix/share/showtell
licences=$prefix/share/doc/showtell

install -d "$prefix/bin" "$share/models/showtell" "$licences" \
    "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
    "$prefix/share/fish/vendor_completions.d" "$prefix/share/zsh/site-functions"
install "$built/showtell" "$prefix/bin/"
for program in "$@"; do install "$built/$program" "$prefix/bin/showtell-$program"; done
for file in "$root"/models/showtell/*; do install --mode 644 "$file" "$share/models/showtell/"; done
install --mode 644 "$root"/LICENSE* "$licences/"
if [ -n "$runtime" ]; then
    install -d "$prefix/lib"
    for library in "$native"/onnxruntime/onnxruntime/capi/libonnxruntime.so.*; do
        install --mode 644 "$library" "$prefix/lib/"
    done
    install --mode 644 "$native/onnxruntime/onnxruntime/LICENSE" "$licences/LICENSE-onnxruntime"
    install --mode 644 "$native/onnxruntime/onnxruntime/ThirdPartyNotices.txt" "$licences/ThirdPartyNotices-onnxruntime.txt"
fi
"$built/convert" "$encoder" --from "$native/$encoder" --out "$share/models/$encoder.onnx" >&2

"$prefix/bin/showtell" man "$prefix/share/man/man1"
"$prefix/bin/showtell" completions bash >"$prefix/share/bash-completion/completions/showtell"
"$prefix/bin/showtell" completions fish >"$prefix/share/fish/vendor_completions.d/showtell.fish"
{ echo '#compdef showtell'; "$prefix/bin/showtell" completions zsh; } >"$prefix/share/zsh/site-functions/_showtell"
