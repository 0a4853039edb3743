#!/usr/bin/env bash
# Runs all tests, with cargo-nextest where it is installed. Arguments go to the runner.
# Tests without their data count as passed there; this script prints the number of skipped tests and the reasons.
set -euo pipefail

SHOWTELL_SKIPPED=$(mktemp)
export SHOWTELL_SKIPPED
trap 'rm -f "$SHOWTELL_SKIPPED"' EXIT

# Tests run programs of other packages, and load the Python module.
cargo build --workspace --lib --bins --tests
status=0
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace "$@" || status=$?
    cargo test --workspace --doc --quiet || status=$?
else
    cargo test --workspace "$@" || status=$?
fi
skipped=$(cut -d : -f 1 "$SHOWTELL_SKIPPED" | sort -u | wc -l)
[ "$skipped" = 0 ] || sort -u "$SHOWTELL_SKIPPED" | sed 's/^/skipped: /'
echo "$skipped tests were skipped because their data or programs are missing."
exit "$status"
