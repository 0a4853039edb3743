#!/bin/sh
# slurm.sh PHOTOS ENCODER.onnx: extracts PHOTOS with a real Slurm on this machine alone, an array of four tasks, one
# of which is killed and requeued, merges, and compares with a run without Slurm. As root, with Debian's packages
# slurm-wlm and munge, on a machine without a Slurm of its own; all else is in a temporary folder. KEEP_STORE=FILE names
# another place for the store and keeps it; SINGLE=no leaves out the run without Slurm.
set -eu
photos=$(realpath "${1:?a folder of photos}")
encoder=$(realpath "${2:?an encoder}")
project=$(cd "$(dirname "$0")/.." && pwd)
export SHOWTELL_NATIVE="${SHOWTELL_NATIVE:-$project/.native}"
EXTRACT=$(realpath "${CARGO_TARGET_DIR:-$project/target}/release/extract")
for library in "$SHOWTELL_NATIVE"/onnxruntime/onnxruntime/capi/libonnxruntime.so.*; do break; done
export EXTRACT ORT_DYLIB_PATH="${ORT_DYLIB_PATH:-$library}"
place=$(mktemp -d)
cleanup() {
	for daemon in slurmd slurmctld munged; do
		[ -f "$place/$daemon.pid" ] || continue
		pid=$(cat "$place/$daemon.pid")
		while kill "$pid" 2>/dev/null; do sleep 0.2; done
	done
	[ -n "${KEEP:-}" ] || rm -rf "$place"
}
trap cleanup EXIT

chmod 755 "$place"
mkdir -m 755 "$place/munge" "$place/state" "$place/spool"
dd if=/dev/urandom of="$place/munge/key" bs=1024 count=1 2>/dev/null
chmod 400 "$place/munge/key"
munged --force --key-file="$place/munge/key" --socket="$place/munge/socket" --pid-file="$place/munged.pid" \
	--log-file="$place/munge/log" --seed-file="$place/munge/seed" >/dev/null 2>&1
host=$(hostname -s)
cores=$(nproc)
cat > "$place/slurm.conf" <<-CONF
	ClusterName=one
	SlurmctldHost=$host(127.0.0.1)
	SlurmUser=root
	AuthType=auth/munge
	AuthInfo=socket=$place/munge/socket
	StateSaveLocation=$place/state
	SlurmdSpoolDir=$place/spool
	SlurmctldPidFile=$place/slurmctld.pid
	SlurmdPidFile=$place/slurmd.pid
	SlurmctldLogFile=$place/slurmctld.log
	SlurmdLogFile=$place/slurmd.log
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core
	ReturnToService=2
	MpiDefault=none
	NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=4096 State=UNKNOWN
	PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$place/slurm.conf"
slurmctld
slurmd
for _ in $(seq 60); do
	[ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && break
	sleep 1
done
sinfo --long

cd "$place"
export SHOWTELL_EXTRACT_IMAGES="$photos" SHOWTELL_EXTRACT_ENCODER="$encoder" SHOWTELL_EXTRACT_STORE="${KEEP_STORE:-$place/photos.h5}"
start=$(date +%s)
"$project/deploy/slurm/submit.sh" 4 cpu --cpus-per-task=1 --mem=1G | tee submitted
array=$(awk '{print $2}' submitted)
# The second task is killed after it has written some rows.
until grep -q '"event":"progress"' "showtell-extract-${array}_1.log" 2>/dev/null; do sleep 1; done
scontrol requeue "${array}_1"
echo "task 1 was killed and requeued after $(($(date +%s) - start)) s"
while squeue --noheader | grep -q showtell; do sleep 2; done
echo "array and merge: $(($(date +%s) - start)) s"
grep ' shard ' showtell-extract-*.log
cat showtell-merge-*.log

grep -q 'shard 1/4 .* start 1' "showtell-extract-${array}_1.log"
[ "${SINGLE:-yes}" = yes ] || exit 0

start=$(date +%s)
"$EXTRACT" run --store "$place/single.h5" --device cpu 2>/dev/null
echo "one process: $(($(date +%s) - start)) s"
digest() { "$EXTRACT" inspect --json "$1" | sed -n 's/.*"content_digest": "\(.*\)".*/\1/p'; }
"$EXTRACT" verify "$SHOWTELL_EXTRACT_STORE"
one=$(digest "$place/single.h5")
many=$(digest "$SHOWTELL_EXTRACT_STORE")
echo "content of one process $one"
echo "content of the array   $many"
[ -n "$one" ] && [ "$one" = "$many" ]
echo "equal, after a task was killed and requeued"
