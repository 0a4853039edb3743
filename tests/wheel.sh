#!/usr/bin/env bash
# The wheel on an empty Debian that has python3 and venv: from the file to the first caption, in Python and by the command, then
# the package's own tests. Or with a Python of this machine. Needs root and debootstrap for a Debian.
# Usage: tests/wheel.sh WHEEL PHOTO [SUITE | PYTHON]      (no suite: bookworm; PYTHON such as python3.12)
set -euo pipefail

wheel=$(realpath "${1:?a wheel of make wheel}")
photo=$(realpath "${2:?a photo to caption}")
where=${3:-bookworm}
root=$(cd "$(dirname "$0")/.." && pwd)
shared=${SHOWTELL_SHARED:-$root/../shared}
# shellcheck source=tests/debian.sh
source "$(dirname "$0")/debian.sh"

case $where in
    */python* | python*)
        # The same commands in a folder of this machine.
        python=$(realpath "$(command -v "$where")")
        mkdir "$home"
        online() { (cd "$home" && env -i "${network[@]}" PATH=/usr/bin:/bin HOME="$home" bash -ec "$1"); }
        offline() { (cd "$home" && env -i PATH=/usr/bin:/bin HOME="$home" unshare --net bash -ec "ip link set lo up; $1"); }
        ;;
    *)
        python=python3
        make_debian "$where" python3-venv
        ;;
esac

cp "$wheel" "$photo" "$home/"
file=$(basename "$photo")
start=$(date +%s%N)
online "$python -m venv first && first/bin/pip --quiet download --dest wheels $(basename "$wheel")"
echo "$where, $(online "$python --version"): download: $(milliseconds_since "$start") ms, $(du -cb "$home"/wheels/* | awk 'END { print $1 }') bytes:" "$(cd "$home/wheels" && echo ./*)"

start=$(date +%s%N)
caption=$(offline "$python -m venv v && v/bin/pip --quiet install --no-index --find-links wheels showtell && v/bin/showtell caption $file")
echo "$where, from the wheels to the first caption: $(milliseconds_since "$start") ms: $caption"
[[ $caption == "$file"$'\t'?* ]]
start=$(date +%s%N)
text=$(offline "v/bin/python -c 'from showtell import Captioner; print(Captioner().caption(\"$file\").text)'")
echo "$where, three lines of Python: $(milliseconds_since "$start") ms: $text"
[ "$caption" = "$file"$'\t'"$text" ]
offline "v/bin/showtell --version; v/bin/pip list"

# The package's own tests, with packages that they alone need.
mkdir -p "$home/showtell" "$home/shared"
(cd "$root" && cp -r --parents python/tests python/README.md docs/python.md examples serve/src/page/samples "$home/showtell/")
if [ -d "$shared" ]; then mount --bind -o ro "$shared" "$home/shared"; else rmdir "$home/shared"; fi
online "v/bin/pip --quiet install pytest pillow h5py"
offline "PATH=\$PWD/v/bin:\$PATH v/bin/python -m pytest -q -p no:cacheprovider showtell/python/tests"
