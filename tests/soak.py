#!/usr/bin/env python3
"""A lab's whole suite, again and again with other seeds: is there a run that fails?

    tests/soak.py [--labs 1,2] [--runs 1000] [--jobs 1] [--file build/soak.jsonl]
    tests/soak.py --show [--file FILE]

What runs are the claims that `make grade` judges by: those in Python with every seed and
behind the grader's fence, those in C (which have no seed) in the plain build, and every
tenth time in the sanitized one. Run K has the seeds from 1000 K + 1 on, so that no two
runs share one. Each run appends a line to the file; what it holds is not run again.
`make soak LAB=2 RUNS=50` builds first; with RAFTLAB_BUILT=1 nothing is built.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import multiprocessing
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "labs" / "tools")]

import grade  # noqa: E402
import sandbox  # noqa: E402
from raftlab import build, repeated  # noqa: E402

LABS = (0, 1, 2, 3, 4, 5, 6, 8)
SANITIZED_EVERY = 10
Run = tuple[int, int]  # lab, number


# ---- a run -----------------------------------------------------------------------


@functools.cache
def tests_of(lab: int) -> tuple[list[str], dict[str, list[str]]]:
    """Those in Python, and programs in C with their claims."""
    python = []
    programs = collections.defaultdict(list)
    for test in repeated.in_lab(lab):
        file, _, claim = test.partition("::")
        if file.endswith(".c"):
            programs[file.removesuffix(".c")].append(claim)
        else:
            python.append(test)
    return python, programs


def failures(lab: int, number: int) -> Iterator[tuple[str, repeated.Failure]]:
    """Each with the name that pytest has for the test."""
    python, programs = tests_of(lab)
    for test in python:
        if failure := repeated.in_python(test, repeated.base(number)):
            yield test, failure
    sanitized = number % SANITIZED_EVERY == 0
    for program, claims in programs.items():
        for failure in repeated.in_c(program, claims, sanitized=sanitized):
            yield f"{failure.test}[{'sanitized' if sanitized else 'plain'}]", failure


def run_once(run: Run) -> dict:
    lab, number = run
    base = repeated.base(number)
    began, used = time.monotonic(), repeated.seconds_used()
    failed = [*failures(lab, number)]
    python, programs = tests_of(lab)
    return {
        "lab": lab,
        "run": number,
        "seed_base": base,
        "claims": len(python) + sum(map(len, programs.values())),
        "failed": [
            {
                "claim": name,
                "again": f"make again SEED={base} {shlex.quote(f'CLAIM={name}')}",
                "text": repeated.short(failure.text),
            }
            for name, failure in failed
        ],
        "seconds": round(time.monotonic() - began, 3),
        "processor_seconds": round(repeated.seconds_used() - used, 3),
        "load": round(os.getloadavg()[0], 2),
        "at": int(time.time()),
    }


def make_ready(chosen: list[int]) -> None:
    """Builds what is run, and the fence."""
    programs = sorted({name for lab in chosen for name in tests_of(lab)[1]})
    if not build.BUILT:
        said = grade.make("LAB=", "build/raftsim", "bugs", *(f"build/{name}" for name in programs))
        said = said or grade.make("LAB=", "sanitized", f"SANITIZED={' '.join(programs)}")
        if said:
            raise SystemExit(said)
    fence = sandbox.confine(ROOT, build.OUT)
    if problem := sandbox.fence_problem(fence):
        raise SystemExit(f"programs cannot be confined on this machine: {problem}")
    os.environ["RAFTLAB_CONFINE"] = str(fence)
    os.environ.pop("RAFTLAB_LAB", None)
    build.BUILT = True


# ---- the file --------------------------------------------------------------------


def load(file: pathlib.Path) -> list[dict]:
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]  # not one cut short


def show(file: pathlib.Path) -> int:
    """Prints what the file holds; how many claims have failed."""
    by_lab = collections.defaultdict(list)
    for line in load(file):
        by_lab[line["lab"]].append(line)
    print("| Lab | Runs | Claims run | Failed | Processor, s a run | Load, least to most |")
    print("|---|---|---|---|---|---|")
    for lab, lines in sorted(by_lab.items()):
        used = sum(line["processor_seconds"] for line in lines) / len(lines)
        loads = [line["load"] for line in lines]
        print(
            f"| {lab} | {len(lines):,} | {sum(line['claims'] for line in lines):,} "
            f"| {sum(len(line['failed']) for line in lines)} | {used:.1f} "
            f"| {min(loads):.1f} to {max(loads):.1f}, {sum(loads) / len(loads):.1f} on average |"
        )
    failed = [one for lines in by_lab.values() for line in lines for one in line["failed"]]
    counts = collections.Counter(one["claim"] for one in failed)
    for claim, count in counts.most_common():
        print(f"\n{claim}: {count} times")
        for one in [one for one in failed if one["claim"] == claim][:3]:
            print(f"  again: {one['again']}")
    return len(failed)


def soak(arguments: argparse.Namespace) -> None:
    held = {(line["lab"], line["run"]) for line in load(arguments.file)}
    # All labs get on together, so that a soak that is stopped tells of each.
    runs = [(lab, run) for run in range(arguments.runs) for lab in arguments.labs]
    runs = [run for run in runs if run not in held]
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.file, "a+", encoding="utf-8") as file:
        with multiprocessing.Pool(arguments.jobs) as pool:
            for line in pool.imap_unordered(run_once, runs):
                file.write(json.dumps(line) + "\n")
                file.flush()
                for one in line["failed"]:
                    print(f"run {line['run']}: {one['claim']} fails: {one['again']}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="run labs' suites with many seeds")
    parser.add_argument("--labs", default=",".join(map(str, LABS)), help="all, unless given")
    parser.add_argument("--runs", type=int, default=1000, help="of each lab (1000)")
    parser.add_argument("--jobs", type=int, default=1, help="workers (1)")
    parser.add_argument("--file", type=pathlib.Path, default=build.OUT / "soak.jsonl")
    parser.add_argument("--show", action="store_true", help="only tell what the file holds")
    arguments = parser.parse_args()
    arguments.file = arguments.file.absolute()
    os.chdir(ROOT)
    if not arguments.show:
        arguments.labs = [int(lab) for lab in arguments.labs.split(",")]
        make_ready(arguments.labs)
        soak(arguments)
    return 1 if show(arguments.file) else 0


if __name__ == "__main__":
    sys.exit(main())
