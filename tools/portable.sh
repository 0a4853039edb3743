# shellcheck shell=bash disable=SC2034
# Builds that run on other machines, with glibc 2.28 or newer: settings and functions of tools/dist.sh and tools/wheel.sh, which
# source this file. Paths of this machine, times and the order of files stay out of the results.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
native=$(realpath "${SHOWTELL_NATIVE:-.native}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
glibc=2.28
target=x86_64-unknown-linux-gnu
epoch=$(git log -1 --format=%ct)
cargo=${CARGO_HOME:-$HOME/.cargo}
# The programs for captioning, and the one that fills feature stores, which the Python package has as well.
captioning=(caption serve captions encoder)

# The paths of this machine stay out of the programs: the source's, the crates', and that of the native parts.
export RUSTFLAGS="--remap-path-prefix=$root=/showtell --remap-path-prefix=$cargo=/cargo"
export SHOWTELL_DIST=1 SOURCE_DATE_EPOCH=$epoch CARGO_ZIGBUILD_ZIG_PATH=$native/zig/ziglang/zig
export PATH=$native/zig/bin:$native/dist/bin:$native/bin:$PATH CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/archive
built=$CARGO_TARGET_DIR/$target/dist

# build_portable: builds the programs, all in one set, so that both packages have the same.
build_portable() {
    local program
    local -a bins=()
    rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target"
    for program in showtell convert extract "${captioning[@]}"; do bins+=(--bin "$program"); done
    cargo zigbuild --profile dist --locked --target "$target.$glibc" "${bins[@]}"
}

# newest_glibc FILE...: the newest symbol version of glibc that the files need.
newest_glibc() {
    local file
    for file in "$@"; do objdump -T "$file"; done | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1
}

# check_portable FOLDER FILE...: refuses paths of this machine in a folder, and files that need a newer glibc.
check_portable() {
    local folder=$1 newest
    shift
    newest=$(newest_glibc "$@")
    [ "$(printf '%s\n' "GLIBC_$glibc" "$newest" | sort -V | tail -n 1)" = "GLIBC_$glibc" ] ||
        { echo "the programs need $newest, not $glibc" >&2; return 1; }
    if grep -rlF -e "$root" -e "$native" -e "$cargo/" "$folder" >&2; then
        echo "these files have paths of this machine" >&2
        return 1
    fi
}
