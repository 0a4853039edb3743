#!/usr/bin/env bash
# Runs every command of README.md, in order, in a clone with a small data set of drawn scenes in place of a user's photos; the
# example in Python as well. It takes long, as the archive and the wheel are built. CARGO_TARGET_DIR and SHOWTELL_NATIVE keep
# builds and native parts.
# Usage: tests/readme.sh [DOCUMENT]      (no argument: README.md)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
document=${1:-README.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet "$root" "$work/showtell"
cd "$work/showtell"

# blocks DOCUMENT: its code blocks as one script; Python runs in dist, where the package was installed.
blocks() {
    awk '
        /^```sh$/ { on = 1; next }
        /^```python$/ { on = 1; python = 1; print "(cd dist && python/bin/python - <<\"END\""; next }
        /^```$/ { if (python) print "END\n)"; on = python = 0; next }
        on { print }
    ' "$1"
}

# A user of "Your own model" has photos and captions.
cargo run --quiet --release --bin captions -- scenes --out mine --train 160 --dev 60 --test 20
start=$SECONDS
{ echo 'set -euxo pipefail'; blocks "$document"; } >"$work/script"
bash "$work/script"
echo "$document: all commands, $((SECONDS - start)) s"
