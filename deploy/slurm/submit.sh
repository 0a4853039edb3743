#!/bin/sh
# submit.sh SHARDS [cpu|gpu [flag of sbatch ...]]: extracts into SHARDS shards, one task of an array per shard, and merges
# them after all tasks. SHOWTELL_EXTRACT_IMAGES, SHOWTELL_EXTRACT_ENCODER and SHOWTELL_EXTRACT_STORE are required (see
# `extract --help`), with paths that exist on all nodes; EXTRACT names the program if it is not on their PATH.
#
# Submit a failed shard again by its number, without the others:
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
