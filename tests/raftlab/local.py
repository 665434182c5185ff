"""`make cluster`: three servers on fixed loopback ports that stay up on their own.

    PYTHONPATH=tests python3 -m raftlab.local start|stop [--out build] [--dir DIR]

In the directory, data/cluster, stand their numbers in N.pid, what they write in N.log,
and their logs in N, so that a later start goes on where the last one ended."""

import argparse
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

from raftlab.jsonrpc import JsonRpcClient, RpcError

NODES = (1, 2, 3)
PEER_PORT, CLIENT_PORT = 7100, 7000
SECONDS_MAX = 30.0
DIRECTORY = pathlib.Path("data/cluster")  # `data` is what a bare raftkv takes


def members() -> str:
    return ",".join(
        f"{n}=127.0.0.1:{PEER_PORT + n}/{CLIENT_PORT + n}" for n in NODES
    )


def running(directory: pathlib.Path, node: int) -> int:
    """The process number of that node's server, or 0."""
    try:
        number = int((directory / f"{node}.pid").read_text())
        process = pathlib.Path(f"/proc/{number}")
        command = (process / "cmdline").read_bytes()
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    # While its exec is under way, and when it has ended, there is no command line.
    ours = b"raftkv" in command or not command
    return number if ours and state not in "ZX" else 0


@dataclasses.dataclass
class Started:
    child: subprocess.Popen
    log: pathlib.Path
    begin: int  # in the log, of what this child writes

    def ended(self) -> bool:
        return self.child.poll() is not None

    def serves(self) -> bool:
        with open(self.log, "rb") as log:
            log.seek(self.begin)
            return b" serves clients on " in log.read()


def start_node(out: pathlib.Path, directory: pathlib.Path, node: int) -> Started:
    with open(directory / f"{node}.log", "ab") as log:
        begin = log.tell()
        child = subprocess.Popen(
            [
                *(str(out / "raftkv"), "--id", str(node), "--cluster", members()),
                *("--dir", str(directory / str(node))),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (directory / f"{node}.pid").write_text(f"{child.pid}\n")
    return Started(child, directory / f"{node}.log", begin)


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


def last_line(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "(it wrote nothing)"


def complain(directory: pathlib.Path, ended: list[int]) -> int:
    if not ended:
        print(f"no leader in time: see {directory}/*.log", file=sys.stderr)
    for node in ended:
        log = directory / f"{node}.log"
        print(f"node {node} did not start; {log} ends:", file=sys.stderr)
        print(f"    {last_line(log)}", file=sys.stderr)
    if len(ended) < len(NODES):
        print("`make cluster-stop` ends the others.", file=sys.stderr)
    return 1


def start(out: pathlib.Path, directory: pathlib.Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    absent = [node for node in NODES if not running(directory, node)]
    started = {node: start_node(out, directory, node) for node in absent}
    limit = time.monotonic() + SECONDS_MAX
    while True:
        ended = [node for node, server in started.items() if server.ended()]
        if ended or time.monotonic() > limit:
            return complain(directory, ended)
        # Else a stranger on one of these ports might be asked.
        serving = all(server.serves() for server in started.values())
        if serving and (found := leader()):
            break
        time.sleep(0.05)
    state = "are up" if absent else "are already up"
    print(f"Three servers {state} and node {found} leads. Talk to them:\n")
    print(f"    redis-cli -c -p {CLIENT_PORT + 1} set x 1")
    print(f"    redis-cli -p {CLIENT_PORT + found} info raft     # the leader's port")
    line = '{"jsonrpc":"2.0","id":1,"method":"raft.status"}'
    print(f"    echo '{line}' | nc -N 127.0.0.1 {CLIENT_PORT + 1}\n")
    print("`make cluster-stop` ends them; `make cluster` starts them again, with what they")
    print(f"hold in {directory}. For an empty store: make cluster-stop; rm -r {directory}")
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
    parser.add_argument("--dir", type=pathlib.Path, default=DIRECTORY)
    arguments = parser.parse_args()
    if arguments.action == "start":
        return start(arguments.out, arguments.dir)
    return stop(arguments.dir)


if __name__ == "__main__":
    sys.exit(main())
