#!/bin/sh
# Gradescope runs this once, when it makes the image of an assignment: it unpacks the class
# archive, installs what that needs, and compiles all that no student changes.
set -eu

# Elsewhere than in Gradescope's own images (in this project's tests).
root=${AUTOGRADER_ROOT:-/autograder}
source=$root/source
python=${PYTHON:-/usr/bin/python3}
lab=$(cat "$source/lab")

if ! "$python" -c 'import tomllib' 2>/dev/null; then
    [ -n "${AUTOGRADER_ROOT:-}" ] || { apt-get update && apt-get install -y python3; }
    "$python" -c 'import tomllib' || {
        echo "setup.sh: Python 3.11 or newer is needed (Ubuntu 24.04, Debian 12)" >&2
        exit 1
    }
fi
mkdir -p "$root/raftlab"
tar -xzf "$source/raftlab-lab$lab.tar.gz" -C "$root/raftlab" --strip-components=1
cd "$root/raftlab"
[ -n "${AUTOGRADER_ROOT:-}" ] || apt-get update
sh tests/bootstrap.sh install grade

# One run with the skeleton: it gets no points, and leaves everything built.
make --no-print-directory "lab$lab" >/dev/null
status=0
RAFTLAB_DEBUG=1 "$python" labs/tools/grade.py "$lab" --gradescope "$root/setup.json" \
    >"$root/setup.txt" 2>&1 || status=$?
cat "$root/setup.txt"
rm -f labs/"$lab"-*/*.[ch]
[ "$status" -le 1 ] && [ -s "$root/setup.json" ]
