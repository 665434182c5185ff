"""Events a second of the simulator: five nodes, with all faults and with none.

    python3 tests/bench/sim_bench.py [--seconds 3] [--program build/raftsim]

Each seed is a run of its own, checked in full; a run that finds a violation, or whose
history is not linearizable, is an error and no figure. The rate for each second of CPU
time is told too, since a busy machine does not change it so much."""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NODES = 5
FAULTS = ("none", "all")


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(program: pathlib.Path, seed: int, faults: str, virtual_s: int) -> dict[str, Any]:
    """What the run printed, with its CPU time."""
    before = cpu_seconds()
    done = subprocess.run(
        [
            *(str(program), "run", "--seed", str(seed), "--nodes", str(NODES)),
            *("--duration", f"{virtual_s}s", "--faults", faults),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"seed {seed}, faults {faults}: {done.stdout}{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["violations"] == [] and found["linearizable"] == "yes", found
    found["cpu_s"] = cpu_seconds() - before
    return found


def measure(program: pathlib.Path, faults: str, arguments: argparse.Namespace) -> dict:
    """Seeds 1, 2, 3... for so many seconds."""
    runs: list[dict[str, Any]] = []
    begun = time.monotonic()
    while not runs or time.monotonic() - begun < arguments.seconds:
        runs.append(run(program, len(runs) + 1, faults, arguments.virtual))
    return {
        "faults": faults,
        "seeds": len(runs),
        "events": sum(found["events"] for found in runs),
        "committed": sum(found["committed"] for found in runs),
        "events_per_second": statistics.median(
            found["events"] / found["wall_ms"] * 1000 for found in runs
        ),
        "events_per_cpu_second": statistics.median(
            found["events"] / found["cpu_s"] for found in runs
        ),
        "faster_than_time": statistics.median(
            found["virtual_ms"] / found["wall_ms"] for found in runs
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="for each (3)")
    parser.add_argument("--virtual", type=int, default=60, help="seconds of a run (60)")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/raftsim")
    arguments = parser.parse_args()
    if not arguments.program.exists():
        print(f"sim_bench: {arguments.program} is not built", file=sys.stderr)
        return 1
    results = [measure(arguments.program, faults, arguments) for faults in FAULTS]
    print(f"simulated events/s, {NODES} nodes, the median over seeds")
    print(f"{'faults':>7} {'cpu':>10} {'wall':>10} {'seeds':>6} {'times faster':>13}")
    for result in results:
        print(
            f"{result['faults']:>7} {result['events_per_cpu_second']:10.0f} "
            f"{result['events_per_second']:10.0f} {result['seeds']:6} "
            f"{result['faster_than_time']:12.0f}x"
        )
    print(json.dumps({"bench": "sim", "nodes": NODES, "results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
