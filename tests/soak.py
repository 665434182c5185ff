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
import importlib.util
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "labs" / "tools")]

import grade  # noqa: E402
import sandbox  # noqa: E402
from raftlab import build, labs  # noqa: E402

LABS = (0, 1, 2, 3, 4, 5, 6, 8)
STRIDE = 1000  # more than any claim has seeds
SANITIZED_EVERY = 10
C_SECONDS_MAX = 600  # a program with all its claims
TEXT_MAX = 2000
Run = tuple[int, int]  # lab, number


# ---- the claims ------------------------------------------------------------------


@functools.cache
def python_claims(lab: int) -> list[tuple[str, Callable[[], None]]]:
    """path::claim, and the function that runs it with all its seeds."""
    found = []
    for file in grade.test_files(lab):
        if not file.endswith(".py"):
            continue
        spec = importlib.util.spec_from_file_location(f"lab{lab}_{pathlib.Path(file).stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, value in vars(module).items():
            if name.startswith("test_") and value.lab_claim.lab == lab:
                found.append((f"{file}::{name}", value))
    return found


@functools.cache
def c_claims(lab: int) -> dict[str, list[str]]:
    """program -> its claims in that lab."""
    from conftest import c_claims as claims_of

    found = {}
    for file in grade.test_files(lab):
        if file.endswith(".c"):
            claims = [name for name, claim in claims_of(ROOT / file) if claim and claim.lab == lab]
            found[file.removesuffix(".c")] = claims
    return found


def failures_in_python(lab: int) -> Iterator[tuple[str, str]]:
    for name, run in python_claims(lab):
        try:
            run()
        except Exception as failure:  # whatever it is, it is the claim's
            yield name, str(failure) or repr(failure)


def failures_in_c(lab: int, sanitized: bool) -> Iterator[tuple[str, str]]:
    for name, claims in c_claims(lab).items():
        words = [str(build.program(name, sanitized=sanitized)), *claims]
        done = subprocess.run(
            words, cwd=ROOT, env=grade.environment() | OPTIONS, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=C_SECONDS_MAX,
        )  # fmt: skip
        text = done.stdout.decode(errors="replace")
        for claim in claims if done.returncode != 0 else ():
            if f"ok   {claim}\n" not in text:
                yield f"{name}.c::{claim}[{'sanitized' if sanitized else 'plain'}]", text


OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1",
}


# ---- a run -----------------------------------------------------------------------


def seconds_used() -> float:
    """Of the processor, by this worker and all that it has started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def again(claim: str, base: int) -> str:
    return f"RAFTLAB_SEED_BASE={base} python3 -m pytest '{claim}'"


def run_once(run: Run) -> dict:
    lab, number = run
    base = STRIDE * number + 1
    os.environ["RAFTLAB_SEED_BASE"] = str(base)
    began, used = time.monotonic(), seconds_used()
    failed = [*failures_in_python(lab), *failures_in_c(lab, number % SANITIZED_EVERY == 0)]
    return {
        "lab": lab,
        "run": number,
        "seed_base": base,
        "claims": len(python_claims(lab)) + sum(map(len, c_claims(lab).values())),
        "failed": [
            {"claim": claim, "again": again(claim, base), "text": text[-TEXT_MAX:]}
            for claim, text in failed
        ],
        "seconds": round(time.monotonic() - began, 3),
        "processor_seconds": round(seconds_used() - used, 3),
        "load": round(os.getloadavg()[0], 2),
        "at": int(time.time()),
    }


def make_ready(chosen: list[int]) -> None:
    """Builds what is run, and the fence."""
    programs = sorted({name for lab in chosen for name in c_claims(lab)})
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
