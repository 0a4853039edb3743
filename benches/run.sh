#!/usr/bin/env bash
# Runs all benches, or those with a name, prints their figures in a table, and writes them to dist/bench.
# Usage: benches/run.sh NAME [FLAG…]      NAME is empty for all; flags go to cargo bench
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
packages=(data models features extract train serve caption)
revision=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
date=$(date --utc '+%Y-%m-%d %H:%M UTC')
SHOWTELL_BENCH_RESULTS=$(mktemp)
export SHOWTELL_BENCH_RESULTS
trap 'rm -f "$SHOWTELL_BENCH_RESULTS"' EXIT

chosen=(--benches)
[ -z "$name" ] || chosen=(--bench "$name")
status=0
cargo bench --no-fail-fast "${packages[@]/#/--package=}" "${chosen[@]}" "$@" || status=$?
if [ "$status" != 0 ]; then
    failed="cargo bench ended with status $status: its last messages name the benches"
    printf '{ "failed": "%s" }\n' "$failed" >>"$SHOWTELL_BENCH_RESULTS"
fi
cargo run --quiet --release --package tests --example bench-summary -- \
    write "$SHOWTELL_BENCH_RESULTS" "dist/bench/$revision${name:+-$name}.json" "$revision" "$date"
exit "$status"
