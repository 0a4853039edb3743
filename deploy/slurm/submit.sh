#!/bin/sh
# submit.sh SHARDS [cpu|gpu [flag of sbatch ...]]: extracts into so many shards, a task of an array each, and merges
# them when all are done. SHOWTELL_EXTRACT_IMAGES, SHOWTELL_EXTRACT_ENCODER and SHOWTELL_EXTRACT_STORE say what (see `extract --help`), with
# paths that all nodes see; EXTRACT names the program where it is not on their PATH.
#
# A shard that failed for good is submitted again by its number, and the rest is left alone:
#   sbatch --array=3 --export=ALL,SHARDS=64 extract-cpu.sbatch
set -eu
shards=${1:?"the number of shards, then cpu or gpu, then flags of sbatch"}
kind=${2:-cpu}
[ $# -lt 2 ] || shift
shift
here=$(dirname "$0")
: "${SHOWTELL_EXTRACT_IMAGES:?}" "${SHOWTELL_EXTRACT_ENCODER:?}" "${SHOWTELL_EXTRACT_STORE:?}"
array=$(sbatch --parsable --array="0-$((shards - 1))" --export="ALL,SHARDS=$shards" "$@" \
	"$here/extract-$kind.sbatch")
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "$here/merge.sbatch")
echo "array $array of $shards tasks, then merge $merge"
