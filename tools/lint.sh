#!/usr/bin/env bash
# The lints outside cargo: shell scripts, spelling, and the minimum Rust version. `make setup PART=lint` installs their
# tools; in continuous integration none may be missing.
set -euo pipefail
cd "$(dirname "$0")/.."

native=${SHOWTELL_NATIVE:-$PWD/.native}
PATH=$PATH:$native/typos/bin
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

missing() {
    echo "lint: $1 is missing: $2 not checked: make setup PART=lint installs it" >&2
    [ "${CI:-}" != true ]
}

if command -v shellcheck >/dev/null; then
    shellcheck --external-sources .ci/run tools/*.sh tests/*.sh benches/*.sh deploy/slurm/*
else
    missing shellcheck "the shell"
fi
if command -v typos >/dev/null; then
    typos
else
    missing typos "spelling"
fi
# Crates with native builds are checked by clippy only, which knows the minimum version of each standard function.
if rustup run "$oldest" rustc --version >/dev/null 2>&1; then
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/oldest cargo "+$oldest" check --quiet --locked --workspace --lib --bins \
        --exclude extract --exclude features --exclude showtell-python --exclude train
else
    missing "Rust $oldest" "the minimum version"
fi
