# shellcheck shell=bash disable=SC2034
# Builds that run on other machines: settings and functions of tools/dist.sh, tools/dist-training.sh, tools/gpu-bundle.sh and
# tools/wheel.sh, which source this file. Paths of this machine, times and the order of files stay out of the results.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
native=$(realpath "${SHOWTELL_NATIVE:-.native}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
glibc=2.28
target=x86_64-unknown-linux-gnu
epoch=$(git log -1 --format=%ct)
captioning=(caption serve captions encoder)

# Sources of C name themselves in programs, and HDF5 its settings and folders, so all is built at the same paths on every machine,
# from crates that are fetched there.
area=/var/tmp/showtell
(umask 077 && mkdir -p "$area")
[ -O "$area" ] || { echo "$area: belongs to another user: remove it" >&2; exit 1; }
cargo=${CARGO_HOME:-$HOME/.cargo}
export CARGO_HOME=$area/cargo CARGO_TARGET_DIR=$area/target CARGO_ZIGBUILD_CACHE_DIR=$area/zigbuild
export RUSTFLAGS="--remap-path-prefix=$root=/showtell"
export SHOWTELL_DIST=1 SOURCE_DATE_EPOCH=$epoch CARGO_ZIGBUILD_ZIG_PATH=$native/zig/ziglang/zig
export PATH=$native/zig/bin:$native/dist/bin:$native/bin:$PATH
built=$CARGO_TARGET_DIR/$target/dist

# build_portable: builds all programs but train, in one set, so that all archives have the same.
build_portable() {
    local program
    local -a bins=()
    rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target"
    for program in showtell convert extract "${captioning[@]}"; do bins+=(--bin "$program"); done
    cargo zigbuild --profile dist --locked --target "$target.$glibc" "${bins[@]}"
}

# build_train FOLDER LIBTORCH [NAME=VALUE]...: builds train into FOLDER of the target folder, with the libtorch in the folder
# LIBTORCH of the native parts and further variables. It is compiled by g++ in a Debian 11, for glibc 2.31: libtorch's C++
# library and zig's do not mix. Needs root and debootstrap.
build_train() (
    target_folder=$CARGO_TARGET_DIR/$1
    libtorch=$2
    shift 2
    if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
        echo "train: needs root and debootstrap, for a Debian 11 to compile in" >&2
        exit 1
    fi
    # The system to compile in sees the sources, the compiler, the crates and the native parts at paths of its own.
    system=$(mktemp -d)
    mounts=("$system/rust" "$system/cargo" "$system/native" "$system/target")
    # shellcheck disable=SC2317,SC2329  # The trap runs it.
    release() {
        local mount
        for mount in "${mounts[@]}"; do umount --lazy "$mount" 2>/dev/null || true; done
        rm -rf --one-file-system "$system"
    }
    trap release EXIT
    debootstrap --variant=minbase --include=g++,git,make bullseye "$system" >"$system.log" 2>&1 ||
        { tail "$system.log" >&2; exit 1; }
    rm -f "$system.log"
    git clone --quiet "$root" "$system/showtell"
    cargo fetch --locked
    mkdir -p "${mounts[@]}" "$target_folder"
    mount --bind --options ro "$(rustc --print sysroot)" "$system/rust"
    mount --bind --options ro "$CARGO_HOME" "$system/cargo"
    mount --bind --options ro "$native" "$system/native"
    mount --bind "$target_folder" "$system/target"
    cmake=$(readlink "$native/bin/cmake")
    # shellcheck disable=SC2016  # The inner shell expands.
    env -i PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SHOWTELL_DIST=1 SOURCE_DATE_EPOCH="$epoch" \
        CARGO_HOME=/cargo CARGO_TARGET_DIR=/target SHOWTELL_NATIVE=/native LIBTORCH="/native/$libtorch" \
        CMAKE="${cmake/#"$native"//native}" "$@" \
        unshare --net --mount --pid --fork bash -c 'mount -t proc proc "$1/proc" && exec chroot "$1" bash -c "$2"' in "$system" \
        'cd /showtell && cargo build --profile dist --locked --offline --bin train'
)

# write_bills FOLDER CRATE...: writes the bill of materials of each crate there (CycloneDX). The tool writes beside each
# Cargo.toml, so it works on a copy.
write_bills() {
    local folder=$1 copy crate
    shift
    copy=$(mktemp -d)
    git archive HEAD | tar --extract --directory "$copy"
    (cd "$copy" && cargo cyclonedx --quiet --format json --target "$target" --override-filename bill)
    for crate in "$@"; do
        # References are paths in the copy.
        sed "s#$copy#/showtell#g" "$copy/$crate/bill.json" >"$folder/$(basename "$crate").cdx.json"
    done
    rm -rf "$copy"
}

# check_portable FOLDER GLIBC: refuses paths of this machine in an installation, but for the libraries of others in lib/, and
# programs that need a newer glibc.
check_portable() {
    local folder=$1 oldest=$2 newest program
    newest=$(for program in "$folder"/bin/*; do objdump -T "$program"; done | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
    echo "$folder: its programs need $newest" >&2
    [ "$(printf '%s\n' "GLIBC_$oldest" "$newest" | sort -V | tail -n 1)" = "GLIBC_$oldest" ] ||
        { echo "that is newer than $oldest" >&2; return 1; }
    if grep -rlF --exclude-dir=lib -e "$root" -e "$native" -e "$cargo/" -e "$HOME/" "$folder" >&2; then
        echo "these files have paths of this machine" >&2
        return 1
    fi
}

# pack FOLDER NAME ARCHIVE: packs FOLDER/NAME with gzip, or with xz for an ARCHIVE.xz, and writes the SHA-256 of the archive
# beside it.
pack() {
    local folder=$1 name=$2 archive=$3
    local -a compress=(gzip --no-name --best)
    [[ $archive != *.xz ]] || compress=(xz -9 --threads=1)
    mkdir -p "$(dirname "$archive")"
    tar --directory "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --mode=u+rwX,go+rX,go-w \
        --create "$name" | "${compress[@]}" >"$archive"
    (cd "$(dirname "$archive")" && sha256sum "$(basename "$archive")" >"$(basename "$archive").sha256")
    echo "$archive: $(stat --format=%s "$archive") bytes"
}
