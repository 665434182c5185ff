"""How fast the simulator is: five nodes, everything checked, over many seeds.

    python3 tests/bench/sim_bench.py [--seeds 20] [--program build/raftsim]
    python3 tests/bench/sim_bench.py --against OTHER     # another build, in turns with it

Each seed is a run of its own; one that finds a violation, or whose history is not
linearizable, is an error and no figure. All rates are for a second of the process' own
user time, since other programs on the machine change that least. What is compared is run
in turns, so that a machine that is slow for a while is slow for both:

- each seed with and without checkers;
- each seed with this program and with --against;
- two seconds of a cluster with a log of few entries, two of one with --entries of them."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NODES = 5
FAULTS = ("all", "none")
YOUNG_ENTRIES = 100
SLICE = "2s"
SLICES, ROUNDS = 15, 4


def command(program: pathlib.Path, seed: int, *flags: str) -> list[str]:
    return [str(program), "run", "--seed", str(seed), "--nodes", str(NODES), *flags]


def run(program: pathlib.Path, seed: int, *flags: str) -> dict[str, Any]:
    """What the run printed, with its user time."""
    child = subprocess.Popen(
        command(program, seed, *flags), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    found = json.loads(said.splitlines()[-1]) if said else {}
    unchecked = found.get("checkers") == "off"
    if not found or found["violations"] or not (found["ok"] or unchecked):
        raise SystemExit(f"seed {seed} {' '.join(flags)}: {said.decode()}")
    found["user_s"] = used.ru_utime
    return found


def peak_mb(program: pathlib.Path, seed: int, *flags: str) -> float:
    """The most memory that the run had at a time, asked for again and again."""
    peak_kb = 0
    child = subprocess.Popen(
        command(program, seed, *flags), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while child.poll() is None:
        peak_kb = max(peak_kb, high_water_kb(child.pid))
        time.sleep(0.001)
    return peak_kb / 1024


def high_water_kb(pid: int) -> int:
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def rate(found: dict[str, Any]) -> float:
    return found["events"] / found["user_s"]


def summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    virtual_s = sum(found["virtual_ms"] for found in runs) / 1000
    user_s = sum(found["user_s"] for found in runs)
    events = sum(found["events"] for found in runs)
    return {
        "what": name,
        "seeds": len(runs),
        "events": events,
        "committed": sum(found["committed"] for found in runs),
        "events_per_user_second": statistics.median(map(rate, runs)),
        "events_per_user_second_all": events / user_s,
        "times_real_time": statistics.median(
            found["virtual_ms"] / 1000 / found["user_s"] for found in runs
        ),
        "times_real_time_all": virtual_s / user_s,
        "events_per_virtual_second": events / virtual_s,
    }


def ratio(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> float:
    """How many times as fast the first are: the median over seeds."""
    return statistics.median(rate(a) / rate(b) for a, b in zip(first, second))


def measure(arguments: argparse.Namespace, faults: str) -> dict[str, list[dict[str, Any]]]:
    """Each seed in every way, one behind the other."""
    flags = ("--duration", f"{arguments.virtual}s", "--faults", faults)
    runs: dict[str, list[dict[str, Any]]] = {"checked": [], "unchecked": [], "against": []}
    for seed in range(1, arguments.seeds + 1):
        runs["checked"].append(run(arguments.program, seed, *flags))
        runs["unchecked"].append(run(arguments.program, seed, *flags, "--checkers", "off"))
        if arguments.against:
            runs["against"].append(run(arguments.against, seed, *flags))
    return runs


# ---- a long log ----------------------------------------------------------------------


class Cluster:
    """A cluster at the prompt, without faults and snapshots."""

    def __init__(self, program: pathlib.Path) -> None:
        self.events = 0
        self.child = subprocess.Popen(
            [str(program), "repl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.tell(f"cluster {NODES} seed=1 clients=5 log_entries=4194304")

    def tell(self, line: str) -> dict[str, Any]:
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        assert answer["ok"], answer
        return answer

    def entries(self) -> int:
        return max(node["commit_index"] for node in self.tell("status")["nodes"])

    def grow(self, entries: int) -> None:
        while self.entries() < entries:
            self.events = self.tell(f"run {SLICE if entries > 1000 else '200ms'}")["events"]

    def cpu_ns(self) -> int:
        return int(pathlib.Path(f"/proc/{self.child.pid}/schedstat").read_text().split()[0])

    def slice(self) -> tuple[int, int]:
        """Events, and nanoseconds of the process."""
        begun_ns, before = self.cpu_ns(), self.events
        self.events = self.tell(f"run {SLICE}")["events"]
        return self.events - before, self.cpu_ns() - begun_ns

    def stop(self) -> None:
        self.child.stdin.close()
        self.child.wait()


def measure_log(program: pathlib.Path, entries: int) -> dict[str, Any]:
    """The rate with a short log and with a long one, in turns."""
    old = Cluster(program)
    old.grow(entries)
    grown_to, grown_kb = old.entries(), high_water_kb(old.child.pid)
    spent = {"young": [0, 0], "old": [0, 0]}
    for _ in range(ROUNDS):
        young = Cluster(program)
        young.grow(YOUNG_ENTRIES)
        for _ in range(SLICES):
            for name, cluster in (("young", young), ("old", old)):
                events, ns = cluster.slice()
                spent[name][0] += events
                spent[name][1] += ns
        young.stop()
    old.stop()
    rates = {name: events / ns * 1e9 for name, (events, ns) in spent.items()}
    return {
        "what": "log",
        "young_entries": YOUNG_ENTRIES,
        "old_entries": grown_to,
        "events_per_second_young": rates["young"],
        "events_per_second_old": rates["old"],
        "old_against_young": rates["old"] / rates["young"],
        "old_mb": grown_kb / 1024,
    }


# ---- telling -------------------------------------------------------------------------


def tell_faults(faults: str, runs: dict[str, list[dict[str, Any]]], mb: float) -> dict:
    found = summary(f"faults {faults}", runs["checked"])
    found["checked_against_unchecked"] = ratio(runs["checked"], runs["unchecked"])
    found["peak_mb"] = mb
    print(
        f"faults {faults:5} {found['events_per_user_second'] / 1e6:7.2f} M events/s "
        f"(all seeds: {found['events_per_user_second_all'] / 1e6:.2f}), "
        f"{found['times_real_time']:.0f} times real time "
        f"(all: {found['times_real_time_all']:.0f}), at most {mb:.1f} MB"
    )
    print(
        f"{'':12} {found['events_per_virtual_second']:7.0f} events a virtual second; "
        f"checked against unchecked: {found['checked_against_unchecked']:.2f}"
    )
    if runs["against"]:
        found["against"] = ratio(runs["checked"], runs["against"])
        print(f"{'':12} {found['against']:7.2f} times the other program")
    return found


def tell_log(found: dict[str, Any]) -> dict[str, Any]:
    print(
        f"log of {found['old_entries']} entries against one of {found['young_entries']}: "
        f"{found['old_against_young']:.2f} "
        f"({found['events_per_second_old'] / 1e6:.2f} and "
        f"{found['events_per_second_young'] / 1e6:.2f} M events/s), {found['old_mb']:.0f} MB"
    )
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="1 to this one (20)")
    parser.add_argument("--virtual", type=int, default=60, help="seconds of a run (60)")
    parser.add_argument("--entries", type=int, default=100_000, help="0: no long log")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/raftsim")
    parser.add_argument("--against", type=pathlib.Path, help="another build of raftsim")
    return parser.parse_args()


def missing(arguments: argparse.Namespace) -> Optional[pathlib.Path]:
    programs = [arguments.program, *filter(None, [arguments.against])]
    return next((program for program in programs if not program.exists()), None)


def main() -> int:
    arguments = parse()
    if program := missing(arguments):
        print(f"sim_bench: {program} is not built", file=sys.stderr)
        return 1
    print(f"the simulator, {NODES} nodes, {arguments.seeds} seeds; the median, user time")
    results = []
    for faults in FAULTS:
        runs = measure(arguments, faults)
        flags = ("--duration", f"{arguments.virtual}s", "--faults", faults)
        mb = max(peak_mb(arguments.program, seed, *flags) for seed in range(1, 11))
        results.append(tell_faults(faults, runs, mb))
    if arguments.entries:
        results.append(tell_log(measure_log(arguments.program, arguments.entries)))
    print(json.dumps({"bench": "sim", "nodes": NODES, "results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
