"""Tests by their names, as often as one likes: what tests/soak.py runs the labs' suites
with, and labs/mutants/run.py the tests that a known bug has to fail.

    python3 -m raftlab.repeated [--runs 20] path::claim...

A test in C is a claim of a program, which is built already; one in Python a claim of a
lab (labs.lab), which is called here, as pytest would, with the seeds that begin at a base.
Run K has base 1000 K + 1, so that no two runs share a seed. The command prints a line of
JSON for each test and run."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Optional

from raftlab import build, labs

TESTS = build.ROOT / "tests"
STRIDE = 1000  # more than any claim has seeds
C_SECONDS_MAX = 5  # of the processor, for one claim; those of the reference take less than two
WAIT_SECONDS_MAX = 600
TEXT_MAX = 2000  # of a failure, in a file
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1",
}
NO_SUCH_TEST = 2  # test.c's exit code


class Unknown(Exception):
    """No test has that name."""


@dataclass(frozen=True)
class Failure:
    test: str
    text: str
    seed: Optional[int] = None  # the first one that failed


def seconds_used() -> float:
    """Of the processor, by this process and all that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def short(text: str) -> str:
    """Its beginning and its end."""
    half = TEXT_MAX // 2
    return text if len(text) <= TEXT_MAX else f"{text[:half]}\n...\n{text[-half:]}"


def base(run: int) -> int:
    return STRIDE * run + 1


# ---- which there are -------------------------------------------------------------


@functools.cache
def module(file: str) -> dict[str, Callable[[], None]]:
    """The claims of a Python file, as functions that take nothing."""
    name = file.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, build.ROOT / file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return {name: value for name, value in vars(loaded).items() if hasattr(value, "lab_claim")}


def files(pattern: str) -> Iterator[str]:
    for path in sorted(TESTS.rglob(pattern)):
        yield path.relative_to(build.ROOT).as_posix()


def in_lab(lab: int) -> list[str]:
    """The tests that carry points in that lab, as path::claim."""
    from conftest import c_claims

    found = []
    for file in files("labs/lab*/test_*.py"):
        found += [f"{file}::{n}" for n, run in module(file).items() if run.lab_claim.lab == lab]
    for file in files("*_test.c"):
        claims = c_claims(build.ROOT / file)
        found += [f"{file}::{name}" for name, claim in claims if claim and claim.lab == lab]
    return found


# ---- running ---------------------------------------------------------------------


def in_python(test: str, first_seed: int) -> Optional[Failure]:
    """None where it holds."""
    file, _, name = test.partition("::")
    run = module(file).get(name)
    if run is None:
        raise Unknown(test)
    os.environ["RAFTLAB_SEED_BASE"] = str(first_seed)
    shrunk, labs.shrunk = labs.shrunk, lambda seed, flags: []  # that is for who reads it
    try:
        run()
    except Exception as failure:  # whatever it is, the claim does not hold
        return Failure(test, str(failure) or repr(failure), getattr(failure, "seed", None))
    finally:
        labs.shrunk = shrunk
    return None


def in_c(program: str, claims: list[str], *, sanitized: bool = False) -> list[Failure]:
    """Those of the program's claims that fail; where there are several, each runs in a
    child."""
    words = ["prlimit", f"--cpu={C_SECONDS_MAX}", str(build.program(program, sanitized=sanitized))]
    try:
        done = subprocess.run(
            [*words, *claims], cwd=build.ROOT, env=build.environment() | SANITIZERS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=WAIT_SECONDS_MAX,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [Failure(f"{program}.c::{claim}", "it does not come back") for claim in claims]
    text = done.stdout.decode(errors="replace")
    if done.returncode == NO_SUCH_TEST:
        raise Unknown(text)
    if done.returncode == 0:
        return []
    failed = [claim for claim in claims if len(claims) == 1 or f"ok   {claim}\n" not in text]
    return [Failure(f"{program}.c::{claim}", text) for claim in failed]


def once(test: str, run: int) -> Optional[Failure]:
    file, _, claim = test.partition("::")
    if file.endswith(".py"):
        return in_python(test, base(run))
    return next(iter(in_c(file.removesuffix(".c"), [claim])), None)


def main() -> int:
    parser = argparse.ArgumentParser(description="run tests by name, with many seeds")
    parser.add_argument("tests", nargs="+", metavar="path::claim")
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    for test in arguments.tests:
        for run in range(arguments.runs):
            before = seconds_used()
            try:
                failure = once(test, run)
            except Unknown as problem:
                print(f"no test is named {test}: {problem}", file=sys.stderr)
                return 2
            told = {"test": test, "run": run, "ms": round(1000 * (seconds_used() - before))}
            told |= {"failed": failure is not None, "seed_base": base(run)}
            told |= asdict(failure) if failure else {}
            told["text"] = short(told.get("text", ""))
            print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
