#!/usr/bin/env python3
"""The same seeds under four builds: is every run the same run?

    tests/determinism.py [--seeds 1..1000] [--duration 15s] [--jobs 2] [--build DIR]...

Builds raftsim with gcc and clang, at -O0 and -O2, sweeps the seeds with every fault (with the
first build twice), and compares each run's whole report. At the first seed that differs
both runs are traced, and the first event whose line differs is shown. `make determinism`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILDS = [("gcc", "-O2"), ("clang", "-O2"), ("gcc", "-O0"), ("clang", "-O0")]
OF_THE_MACHINE = {"wall_ms", "jobs"}


def build(out: pathlib.Path, compiler: str, level: str) -> pathlib.Path:
    folder = out / f"{compiler}{level}"
    subprocess.run(
        ["make", "-s", f"CC={compiler}", f"OPT={level}", f"OUT={folder}", f"{folder}/raftsim"],
        cwd=ROOT, check=True,
    )
    return folder / "raftsim"


def flags(options: argparse.Namespace, nodes: int) -> list[str]:
    return ["--nodes", f"{nodes}", "--duration", options.duration, "--faults", "all"]


def sweep(program: pathlib.Path, options: argparse.Namespace, nodes: int) -> dict[int, dict]:
    """The report of each seed, without what depends on the machine."""
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "runs"
        subprocess.run(
            [program, "sweep", "--seeds", options.seeds, "--jobs", f"{options.jobs}",
             "--out", lines, *flags(options, nodes)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )
        runs = [json.loads(line) for line in lines.read_text().splitlines()]
    return {
        run["seed"]: {name: value for name, value in run.items() if name not in OF_THE_MACHINE}
        for run in runs
        if "seed" in run
    }


def first_difference(one: pathlib.Path, other: pathlib.Path, run: list[str]) -> str:
    """The lines of both traces at the first event that is not the same."""
    with tempfile.TemporaryDirectory() as folder:
        traces = [pathlib.Path(folder) / name for name in ("one", "other")]
        for program, trace in zip((one, other), traces):
            subprocess.run([program, "run", *run, "--trace", trace],
                           cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        with traces[0].open() as left, traces[1].open() as right:
            for number, (a, b) in enumerate(itertools.zip_longest(left, right), 1):
                if a != b:
                    return f"  line {number} of the trace\n  {one}: {a}  {other}: {b}"
    return "  their traces do not differ"


def judge(programs: list[pathlib.Path], options: argparse.Namespace, nodes: int) -> bool:
    """Whether all agree on all seeds; the first program is asked twice."""
    first = sweep(programs[0], options, nodes)
    if not first:
        raise SystemExit("determinism: the sweep has reported no run")
    for program in programs:
        again = sweep(program, options, nodes)
        wrong = sorted(s for s in first | again if first.get(s) != again.get(s))
        print(f"{nodes} nodes, {program}: {len(again)} runs, {len(wrong)} differ", flush=True)
        if wrong:
            run = ["--seed", f"{wrong[0]}", *flags(options, nodes)]
            print(f"seed {wrong[0]} ({' '.join(run)})")
            print(first_difference(programs[0], program, run))
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", default="1..1000")
    parser.add_argument("--duration", default="15s")
    parser.add_argument("--nodes", type=int, nargs="+", default=[5])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", default="build/determinism", help="where the builds go")
    parser.add_argument("--program", action="append", type=pathlib.Path,
                        help="compare these instead of building (the first is asked twice)")
    options = parser.parse_args()
    programs = options.program or [
        build(pathlib.Path(options.out), *variant) for variant in BUILDS
    ]
    return 0 if all([judge(programs, options, nodes) for nodes in options.nodes]) else 1


if __name__ == "__main__":
    sys.exit(main())
