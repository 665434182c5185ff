"""What clients notice of a node that joins and needs a snapshot of a large store.

    python3 tests/bench/join_bench.py [--keys 1000000] [--clients 64] [--seconds 20]

Three nodes are filled and take a snapshot, so that their logs no longer begin at 1. Then
redis-benchmark writes for the same number of requests twice: without a join, and while a
fourth node joins. Both writers and all nodes share this machine, so what the join costs
here is more than on machines of their own."""

import argparse
import csv
import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from raftlab.real import RealCluster  # noqa: E402
from raftlab.resp import RespError, encode  # noqa: E402

VALUE_BYTES = 100
BATCH = 2000  # writes in a pipeline, while the store is filled
PILOT_REQUESTS = 20_000
SECONDS_MAX = 900.0


@dataclasses.dataclass
class Window:
    """One run of redis-benchmark."""

    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class Writers:
    """redis-benchmark as 64 clients of one node, over random keys of the store."""

    def __init__(self, port: int, arguments: argparse.Namespace, requests: int) -> None:
        self.child = subprocess.Popen(
            [
                *("redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "--csv"),
                *("-t", "set", "-d", str(VALUE_BYTES), "-r", str(arguments.keys)),
                *("-c", str(arguments.clients), "-n", str(requests)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def running(self) -> bool:
        return self.child.poll() is None

    def end(self) -> Window:
        printed, _ = self.child.communicate(timeout=SECONDS_MAX)
        rows = [row for row in csv.DictReader(io.StringIO(printed)) if row.get("rps")]
        assert self.child.returncode == 0 and len(rows) == 1, printed
        return Window(
            per_second=float(rows[0]["rps"]),
            p50_ms=float(rows[0]["p50_latency_ms"]),
            p99_ms=float(rows[0]["p99_latency_ms"]),
            max_ms=float(rows[0]["max_latency_ms"]),
        )


def fill(cluster: RealCluster, keys: int) -> None:
    """Under the names that redis-benchmark uses."""
    value = "v" * VALUE_BYTES
    with cluster.client(cluster.leader(), seconds=120) as client:
        for first in range(0, keys, BATCH):
            last = min(first + BATCH, keys)
            numbers = range(first, last)
            client.send(b"".join(encode("SET", f"key:{n:012d}", value) for n in numbers))
            for _ in numbers:
                reply = client.read_reply()
                assert not isinstance(reply, RespError), reply


def measure(cluster: RealCluster, arguments: argparse.Namespace) -> dict[str, Any]:
    leader = cluster.leader()
    port = cluster.client_ports[leader]
    pilot = Writers(port, arguments, PILOT_REQUESTS).end()
    requests = int(pilot.per_second * arguments.seconds)
    without = Writers(port, arguments, requests).end()
    writers = Writers(port, arguments, requests)
    begun = time.monotonic()
    node = cluster.join()
    cluster.wait_voters(*cluster.nodes)
    joined_seconds = time.monotonic() - begun
    covered = writers.running()
    during = writers.end()
    assert cluster.leader() == leader, "leadership moved: the writers were refused"
    status = cluster.raw_status(node)
    assert status["snapshots_received"] == 1, "the new node needed no snapshot"
    return {
        "keys": arguments.keys,
        "clients": arguments.clients,
        "fsync": not arguments.no_fsync,
        "without_a_join": dataclasses.asdict(without),
        "with_a_join": dataclasses.asdict(during),
        "join_seconds": round(joined_seconds, 2),
        "snapshot_bytes": status["snapshot_bytes_last"],
        "writers_outlasted_the_join": covered,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="build")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--no-fsync", action="store_true")
    arguments = parser.parse_args()
    os.environ["RAFTLAB_OUT"] = arguments.out
    flags = ("--fsync", "no") if arguments.no_fsync else ()
    with RealCluster(
        3, cables=False, flags=flags, fsync=not arguments.no_fsync
    ) as cluster:
        cluster.seconds_max = SECONDS_MAX
        cluster.leader()
        fill(cluster, arguments.keys)
        cluster.snapshot(cluster.leader())
        result = measure(cluster, arguments)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
