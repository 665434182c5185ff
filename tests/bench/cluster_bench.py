"""Measures a three-node raftkv beside a three-node etcd and a single redis-server, all
with their writes synced to the same disk, in one run and by turns.

    python3 tests/bench/cluster_bench.py [--quick] [--peers etcd,redis,raftkv]

Each workload is measured for one peer after the other, several rounds of that, and the
median round counts: a machine that is slow for a while is slow for all. What matters are
the ratios. A peer whose programs are not there is reported as absent."""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import sys
import time
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from load import VALUE_BYTES, LoadFailed, Sample, Workload  # noqa: E402
from peers import Etcd, Peer, RaftKv, Redis  # noqa: E402

COMMANDS = ("SET", "GET")
CLIENTS = (1, 16, 50, 256)
PIPELINES = (1, 16)
NAMES = ("raftkv", "etcd", "redis")
PILOT_REQUESTS = 50  # of each client, before it is known how fast a peer is
REQUESTS_MAX = 1_000_000


@dataclasses.dataclass
class Result:
    """One workload on one peer: the median over the rounds."""

    work: Workload
    peer: str
    samples: list[Sample] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)

    def median(self, what: str) -> Optional[float]:
        if not self.samples:
            return None
        return statistics.median(getattr(sample, what) for sample in self.samples)

    def as_json(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.work),
            "peer": self.peer,
            "per_second": self.median("per_second"),
            "p50_ms": self.median("p50_ms"),
            "p99_ms": self.median("p99_ms"),
            "rounds": [dataclasses.asdict(sample) for sample in self.samples],
            "failures": self.failures,
        }


class Bench:
    def __init__(self, peers: list[Peer], seconds: float, rounds: int) -> None:
        self.peers = peers
        self.seconds = seconds
        self.rounds = rounds
        self.results: dict[tuple[Workload, str], Result] = {}

    def run(self, workloads: list[Workload]) -> None:
        for number, work in enumerate(workloads, 1):
            takers = [p for p in self.peers if p.pipelines or work.pipeline == 1]
            for peer in takers:
                self.results[work, peer.name] = Result(work, peer.name)
            requests = {peer.name: self.pilot(peer, work) for peer in takers}
            for _ in range(self.rounds):
                for peer in takers:  # by turns
                    self.measure(peer, work, requests[peer.name])
            print(f"  {number}/{len(workloads)} {describe(work)}", file=sys.stderr)

    def pilot(self, peer: Peer, work: Workload) -> int:
        """A short load to warm up; so many requests then take about `seconds`."""
        fewest = PILOT_REQUESTS * work.outstanding
        sample = self.attempt(peer, work, min(fewest, 20_000))
        if sample is None:
            return fewest
        wanted = int(sample.per_second * self.seconds)
        return min(max(wanted, 10 * work.outstanding), REQUESTS_MAX)

    def measure(self, peer: Peer, work: Workload, requests: int) -> None:
        if sample := self.attempt(peer, work, requests):
            self.results[work, peer.name].samples.append(sample)

    def attempt(self, peer: Peer, work: Workload, requests: int) -> Optional[Sample]:
        """A failure is kept and told; the peer then starts anew."""
        try:
            peer.make_room()
            return peer.measure(work, requests)
        except (LoadFailed, OSError) as error:
            self.results[work, peer.name].failures.append(str(error))
            print(f"{peer.name}, {describe(work)}: {error}", file=sys.stderr)
            peer.stop()
            peer.start()
            return None

    def failures(self) -> list[str]:
        return [text for result in self.results.values() for text in result.failures]

    def ratio(self, work: Workload, other: str) -> Optional[float]:
        ours = self.results.get((work, "raftkv"))
        theirs = self.results.get((work, other))
        if ours is None or theirs is None or not (ours.samples and theirs.samples):
            return None
        return ours.median("per_second") / theirs.median("per_second")


# ---- what is printed -----------------------------------------------------------------


def describe(work: Workload) -> str:
    return f"{work.command} clients={work.clients} pipeline={work.pipeline}"


def cell(result: Optional[Result]) -> str:
    if result is None or not result.samples:
        return f"{'-':>24}"
    return (
        f"{result.median('per_second'):9.0f} "
        f"{result.median('p50_ms'):6.2f} {result.median('p99_ms'):7.2f}"
    )


def table(bench: Bench, workloads: list[Workload], absent: dict[str, str]) -> str:
    lines = [
        f"{'':23}" + "".join(f" |{name:>10}/s {'p50':>5} {'p99':>7}" for name in NAMES)
        + " | raftkv/etcd raftkv/redis"
    ]
    for work in workloads:
        cells = [cell(bench.results.get((work, name))) for name in NAMES]
        ratios = [bench.ratio(work, other) for other in ("etcd", "redis")]
        shown = [f"{ratio:10.2f}x" if ratio else f"{'-':>11}" for ratio in ratios]
        label = f"{work.command} c={work.clients:<4} P={work.pipeline:<3}"
        lines.append(f"{label:23} | " + " | ".join(cells) + " | " + "  ".join(shown))
    lines += [f"{name} is absent: {why}" for name, why in absent.items()]
    return "\n".join(lines)


def report(bench: Bench, absent: dict[str, str], begun: float) -> dict[str, Any]:
    return {
        "bench": "cluster",
        "cpus": os.cpu_count(),
        "value_bytes": VALUE_BYTES,
        "seconds": bench.seconds,
        "rounds": bench.rounds,
        "duration_s": round(time.monotonic() - begun, 1),
        "absent": absent,
        "results": [result.as_json() for result in bench.results.values()],
        "ratios": [
            {**dataclasses.asdict(work), "to": other, "ratio": ratio}
            for work in dict.fromkeys(work for work, _ in bench.results)
            for other in ("etcd", "redis")
            if (ratio := bench.ratio(work, other)) is not None
        ],
    }


# ---- the command line ----------------------------------------------------------------


def parse() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--seconds", type=float, help="of each measurement (2)")
    parser.add_argument("--rounds", type=int, help="of which the median counts (3)")
    parser.add_argument("--peers", default=",".join(NAMES), help="which to measure")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--clients", type=numbers, default=list(CLIENTS))
    parser.add_argument("--pipelines", type=numbers, default=list(PIPELINES))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--dir", type=pathlib.Path, help="for data; on a real disk")
    parser.add_argument("--program", type=pathlib.Path, help="instead of OUT/raftkv")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (0.4 if arguments.quick else 2)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.dir = arguments.dir or arguments.out / "bench"
    arguments.program = arguments.program or arguments.out / "raftkv"
    unknown = set(arguments.peers.split(",")) - set(NAMES)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    return arguments


def find_peers(arguments: argparse.Namespace) -> tuple[list[Peer], dict[str, str]]:
    directory = arguments.dir.resolve()
    known: list[Peer] = [
        RaftKv(directory, arguments.program.resolve()),
        Etcd(directory),
        Redis(directory),
    ]
    asked = [peer for peer in known if peer.name in arguments.peers.split(",")]
    absent = {peer.name: why for peer in asked if (why := peer.absence())}
    return [peer for peer in asked if peer.name not in absent], absent


def main() -> int:
    arguments = parse()
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    peers, absent = find_peers(arguments)
    workloads = [
        Workload(command, clients, pipeline)
        for command in arguments.commands.split(",")
        for pipeline in arguments.pipelines
        for clients in arguments.clients
    ]
    bench = Bench([], arguments.seconds, arguments.rounds)
    try:
        for peer in peers:
            try:
                peer.start()
                bench.peers.append(peer)
            except (LoadFailed, OSError) as error:
                absent[peer.name] = str(error)
        bench.run(workloads)
    finally:
        for peer in peers:
            peer.stop()
    print(table(bench, workloads, absent))
    path = arguments.dir / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = report(bench, absent, begun)
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{len(bench.failures())} measurements failed; all figures are in {path}")
    return 1 if bench.failures() or "raftkv" in absent else 0


if __name__ == "__main__":
    sys.exit(main())
