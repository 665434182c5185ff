#!/bin/sh
# The step of a workflow that judges: GitHub Classroom's reporter adds its output up.
#
#     run.sh LAB DISTRIBUTION SUBMISSION
#
# DISTRIBUTION is a tree from the class archive that the student cannot change, or the
# student's own repository. The step fails only where the grader does.
set -eu

lab=$1
distribution=$(cd "$2" && pwd)
submission=$(cd "$3" && pwd)
python=${PYTHON:-/usr/bin/python3}
out=${RUNNER_TEMP:-/tmp}/raftlab-lab$lab

cd "$distribution"
sh tests/bootstrap.sh install grade
mkdir -p "$out"
rm -f "$out/classroom.json"
status=0
RAFTLAB_DEBUG=1 "$python" labs/tools/grade.py "$lab" --submission "$submission" --stage "$out/stage" \
    --out "$out" --classroom "$out/classroom.json" --junit "$out/junit.xml" || status=$?
[ "$status" -le 1 ] && [ -s "$out/classroom.json" ]
