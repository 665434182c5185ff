"""`make cluster`: three servers on fixed loopback ports that stay up on their own.

    PYTHONPATH=tests python3 -m raftlab.local start|stop [--out build] [--dir data]

Their numbers stand in data/N.pid, what they write in data/N.log, and their logs in
data/N, so that a later start goes on where the last one ended."""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time

from raftlab.jsonrpc import JsonRpcClient, RpcError

NODES = (1, 2, 3)
PEER_PORT, CLIENT_PORT = 7100, 7000
MEMBERS = ",".join(f"{n}=127.0.0.1:{PEER_PORT + n}/{CLIENT_PORT + n}" for n in NODES)
SECONDS_MAX = 30.0


def running(directory: pathlib.Path, node: int) -> int:
    """The process number of that node's server, or 0."""
    try:
        number = int((directory / f"{node}.pid").read_text())
        command = pathlib.Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return number if b"raftkv" in command else 0


def start_node(out: pathlib.Path, directory: pathlib.Path, node: int) -> None:
    with open(directory / f"{node}.log", "ab") as log:
        child = subprocess.Popen(
            [
                *(str(out / "raftkv"), "--id", str(node), "--cluster", MEMBERS),
                *("--dir", str(directory / str(node))),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (directory / f"{node}.pid").write_text(f"{child.pid}\n")


def leader() -> int:
    """Who leads, by what the nodes say; 0 while none does."""
    for node in NODES:
        try:
            with JsonRpcClient(CLIENT_PORT + node, seconds=1) as client:
                status = client.call("raft.status")
        except (OSError, RpcError):
            continue
        if status["role"] == "leader":
            return node
    return 0


def start(out: pathlib.Path, directory: pathlib.Path) -> int:
    directory.mkdir(exist_ok=True)
    for node in NODES:
        if not running(directory, node):
            start_node(out, directory, node)
    limit = time.monotonic() + SECONDS_MAX
    while (found := leader()) == 0:
        if time.monotonic() > limit or not all(running(directory, n) for n in NODES):
            print(f"no leader: see {directory}/*.log", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print(f"Three servers are up and node {found} leads. Talk to them:\n")
    print(f"    redis-cli -c -p {CLIENT_PORT + 1} set x 1")
    print(f"    redis-cli -p {CLIENT_PORT + found} info raft")
    line = '{"jsonrpc":"2.0","id":1,"method":"raft.status"}'
    print(f"    echo '{line}' | nc -N 127.0.0.1 {CLIENT_PORT + 1}\n")
    print("`make cluster-stop` ends them; `make cluster` starts them again.")
    return 0


def stop(directory: pathlib.Path) -> int:
    numbers = [number for node in NODES if (number := running(directory, node))]
    for number in numbers:
        os.kill(number, signal.SIGTERM)
    limit = time.monotonic() + SECONDS_MAX
    while any(running(directory, node) for node in NODES):
        if time.monotonic() > limit:
            print("some servers did not end in time", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print(f"{len(numbers)} servers ended")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("data"))
    arguments = parser.parse_args()
    if arguments.action == "start":
        return start(arguments.out, arguments.dir)
    return stop(arguments.dir)


if __name__ == "__main__":
    sys.exit(main())
