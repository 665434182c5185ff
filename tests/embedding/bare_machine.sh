#!/bin/sh
# bare_machine.sh DIR: makes a minimal Debian in DIR, installs raftlab there, removes its
# sources, and builds and runs the counter against what is installed.
#
# Needs root, debootstrap and a mirror (MIRROR=...). The commands inside the chroot are
# those of docs/embedding.md.
set -eu

directory=${1:?usage: bare_machine.sh DIR}
mirror=${MIRROR:-http://deb.debian.org/debian}
suite=${SUITE:-bookworm}
root=$(cd "$(dirname "$0")/../.." && pwd)
packages=gcc,libc6-dev,make,pkg-config,libuv1-dev,libcjson-dev,netcat-openbsd

debootstrap --variant=minbase --include="$packages" "$suite" "$directory" "$mirror"
mkdir -p "$directory/src/raftlab" "$directory/src/counter"
tar -C "$root" --exclude=./build --exclude=./.git --exclude=./data -cf - . |
    tar -C "$directory/src/raftlab" -xf -
cp "$root"/docs/examples/counter/* "$directory/src/counter/"

chroot "$directory" sh -eu -c '
    make -C /src/raftlab install PREFIX=/usr/local
    rm -rf /src/raftlab
    ldconfig
    make -C /src/counter
    ldd /src/counter/counter
    /src/counter/counter 1 /src/data 127.0.0.1:7301 &
    counter=$!
    trap "kill $counter" EXIT
    answer=
    attempts=0
    while [ "$attempts" -lt 100 ]; do
        answer=$(echo incr | nc -N 127.0.0.1 7401 || true)
        case $answer in count*) break ;; esac
        attempts=$((attempts + 1))
        sleep 0.1
    done
    echo "$answer"
'
