#!/bin/sh
# Writes a scenario: node 3 is away while so many commands are committed, and comes back.
#
#   sh labs/4-snapshots/away.sh COMMANDS CHUNK
set -eu
value=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
echo "cluster 3 seed=1 retries=off snapshot_entries=20 snapshot_tail=5" \
    "snapshot_chunk=$2 delay=10ms..10ms"
echo "timeout 1
run until leader 1
run 300ms
isolate 3"
key=0
while [ "$key" -lt "$1" ]; do
    echo "propose set k$key $value"
    echo "run 30ms"
    key=$((key + 1))
done
echo "run 200ms
counters reset
heal
run until quiet
run 500ms
counters
disk 1 files"
