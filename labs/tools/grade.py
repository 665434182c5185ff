#!/usr/bin/env python3
"""Judges a lab: builds it with the student's files, asks whether they may run, runs the
lab's claims behind the fence, and tells what they are worth.

    labs/tools/grade.py N [--own] [--step S] [--seed-base B] [--junit F]
                          [--gradescope F] [--classroom F] [--submission DIR] [--stage DIR]

The exit code is 0 only at full points, 1 at fewer, 2 where the grader itself cannot work.
Where a file of the distribution was changed (labs/dist knows), another copy of it is made
and judged, with nothing of the student's but the files of the lab."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback
from types import TracebackType
from typing import Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "labs" / "tools")]



def broken(
    kind: type[BaseException], problem: BaseException, trace: Optional[TracebackType]
) -> None:
    """In the place of Python's own end, whose exit code 1 would say that points are missing."""
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, problem, trace)
        return
    if os.environ.get("RAFTLAB_DEBUG"):
        traceback.print_exception(kind, problem, trace)
    told = " ".join(f"{kind.__name__}: {problem}".split())
    more = "" if os.environ.get("RAFTLAB_DEBUG") else " (RAFTLAB_DEBUG=1 tells where)"
    print(f"The grader itself has failed: {told}{more}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


if __name__ == "__main__":
    sys.excepthook = broken  # of the imports below, too

import formats  # noqa: E402
import lab as labs  # noqa: E402
import report  # noqa: E402
import sandbox  # noqa: E402
import staging  # noqa: E402
import unbuilt  # noqa: E402
from raftlab import grading  # noqa: E402
from reporting import time_left  # noqa: E402
from verdict import Verdict, text  # noqa: E402

BUILD_SECONDS_MAX = 1800
BUILD_LIMITS = {  # of each of the compilers
    "fsize": 1 << 30,
    "as": 8 << 30,
    "cpu": 120,
}
TESTS_SECONDS_MAX = 1200
REPORTS_SECONDS = (40, 60)  # of the processor, for each of the workers; of the clock
SLOW_SECONDS = 5
OUTER = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PYTHONPATH", "PYTEST_ADDOPTS")


class Unable(Exception):
    """The grader cannot do its work; it is not the student's fault."""


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in OUTER}


# ---- what there is to judge ------------------------------------------------------


def serves(path: pathlib.Path, number: int) -> bool:
    mark = rf"^// LAB {number} " if path.suffix == ".c" else rf"^@lab\({number},"
    return re.search(mark, path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_files(number: int) -> list[str]:
    """The files of tests/ that hold a claim of this lab."""
    tests = ROOT / "tests"
    found = [*tests.rglob("*_test.c"), *(tests / "labs").rglob("test_*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in found if serves(path, number)]
    if not names:
        raise Unable(f"no test of tests/ serves lab {number}")
    return sorted(names)


def own_labs(arguments: argparse.Namespace) -> list[labs.Lab]:
    """Those before this one whose files are the student's, too."""
    earlier = [lab for lab in labs.every() if lab.number < arguments.lab]
    return [lab for lab in earlier if arguments.own and lab.files and lab.written()]


# ---- building --------------------------------------------------------------------


def make(*words: str) -> str:
    """Nothing, or what the compiler said, in English."""
    limits = [f"--{name}={value}" for name, value in BUILD_LIMITS.items()]
    done = subprocess.run(
        ["prlimit", *limits, "make", "--no-print-directory", *words],
        cwd=ROOT, env=environment() | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_SECONDS_MAX,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout


def build(number: int, files: list[str], own: list[labs.Lab]) -> str:
    """Nothing, or what the compiler said: the lab, on top of the student's own ones."""
    numbers = f"OWN_LABS={' '.join(str(lab.number) for lab in own)}"
    programs = [name.removesuffix(".c") for name in files if name.endswith(".c")]
    bugs = sorted((labs.numbered(number).folder / "bugs").glob("*.toml"))
    wanted = ["raftsim", *(f"bugs/{path.stem}/raftsim" for path in bugs)]
    said = make(f"LAB={number}", numbers, *(f"build/lab{number}/{name}" for name in wanted))
    if not said and programs:
        said = make(f"LAB={number}", numbers, f"SANITIZED={' '.join(programs)}", "sanitized")
    return said


# ---- running ---------------------------------------------------------------------


def pytest(
    arguments: argparse.Namespace, files: list[str], *more: str, name: str = "grade", **extra: str
) -> list[grading.Claim]:
    """The claims of these files, judged; `name` is that of the file that tells of them."""
    out = arguments.out / f"{name}.json"
    out.unlink(missing_ok=True)
    words = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "raftlab.grading", "-p", "no:cacheprovider"),
        *("--rootdir", str(ROOT), "-c", "tests/pytest.ini"),
        *("--lab", str(arguments.lab), "--lab-out", str(out)),
        *(["--lab-step", str(arguments.step)] if arguments.step else []),
        *(*more, *files),
    ]
    settings = {
        "PYTHONPATH": str(ROOT / "tests"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RAFTLAB_BUILT": "1",
        "RAFTLAB_OUT": "build",
        "RAFTLAB_LAB": str(arguments.lab),
        "RAFTLAB_SEED_BASE": str(arguments.seed_base),
        "RAFTLAB_CONFINE": str(sandbox.confine(ROOT, ROOT / "build")),
        "RAFTLAB_SHRINK": "0",  # the reports do that, when the verdict is told
    }
    progress = os.dup(sys.stderr.fileno())
    settings["RAFTLAB_PROGRESS"] = str(progress)
    try:
        done = subprocess.run(
            words, cwd=ROOT, env=environment() | settings | extra, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
            timeout=TESTS_SECONDS_MAX, pass_fds=(progress,),
        )  # fmt: skip
        said, late = done.stdout, False
    except subprocess.TimeoutExpired as ended:
        said, late = (ended.stdout or b"").decode(errors="replace"), True
    finally:
        os.close(progress)
    (arguments.out / f"{name}.pytest.txt").write_text(said, encoding="utf-8")
    claims = grading.load(out) if out.exists() else []
    if not claims or not late and done.returncode not in (0, 1):
        raise Unable(f"the tests cannot be run:\n{said}")
    for claim in claims if late else ():
        if claim.text == grading.NOT_RUN:
            claim.text += f": the tests before it took {TESTS_SECONDS_MAX} s"
    return claims


def problem_of(arguments: argparse.Namespace, files: list[str]) -> str:
    """Why nothing of it is run, if there is a reason."""
    own = own_labs(arguments)
    chosen = [*own, labs.numbered(arguments.lab)]
    try:
        for lab in chosen:
            sandbox.before_the_build(lab, ROOT)
        if sys.stderr.isatty() and not (ROOT / f"build/lab{arguments.lab}/raftsim").exists():
            print("Building: the first time takes minutes.", file=sys.stderr, flush=True)
        if said := build(arguments.lab, files, own):
            if told := unbuilt.problem(said, chosen, ROOT):
                return told
            raise Unable(f"the lab cannot be built:\n{said}")
        for lab in chosen:
            sandbox.before_it_runs(lab, ROOT, ROOT / "build")
    except sandbox.Refused as refusal:
        return grading.printable(f"It was not run:\n\n{refusal}")
    return ""


def judged(arguments: argparse.Namespace) -> Verdict:
    verdict = Verdict(
        labs.numbered(arguments.lab), [], step=arguments.step or 0, seed_base=arguments.seed_base
    )
    verdict.own = own_labs(arguments)
    files = test_files(arguments.lab)
    if problem := sandbox.fence_problem(sandbox.confine(ROOT, ROOT / "build")):
        raise Unable(f"programs cannot be confined on this machine: {problem}")
    verdict.problem = problem_of(arguments, files)
    if verdict.problem:
        verdict.claims = pytest(arguments, files, "--collect-only", "-p", "no:xdist")
        return verdict
    verdict.claims = pytest(arguments, files, *workers(arguments))
    reports = arguments.out / "report"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    verdict.reports = str(reports.relative_to(ROOT) if reports.is_relative_to(ROOT) else reports)
    if verdict.own and verdict.failed:
        find_whose(arguments, verdict, files)
    return verdict


def workers(arguments: argparse.Namespace) -> tuple[str, str]:
    return ("-n", str(arguments.jobs)) if arguments.jobs > 1 else ("-p", "no:xdist")


def find_whose(arguments: argparse.Namespace, verdict: Verdict, files: list[str]) -> None:
    """Which lab's files each claim fails by: it is run again on the reference's earlier
    labs, and where it holds there, on those of the student's one at a time."""
    left = verdict.failed
    for own in [[], *([lab] for lab in verdict.own)]:
        places = sorted({claim.file for claim in left})
        if not left or build(arguments.lab, places, own):
            continue  # some files may need each other to be built
        ids = [claim.id for claim in left]
        again = pytest(arguments, ids, *workers(arguments), name="whose", RAFTLAB_PROGRESS="")
        for claim in (claim for claim in again if not claim.held):
            verdict.whose.setdefault(claim.id, []).extend(own or [verdict.lab])
        if not own:
            left = [claim for claim in left if claim.id not in verdict.whose]
    build(arguments.lab, files, verdict.own)  # as it was judged, for who runs it again


def write_reports(verdict: Verdict, folder: pathlib.Path, jobs: int) -> None:
    """Of the claims that failed; the student's code runs for them, too. The verdict has been
    told by then, and stands whatever becomes of them."""
    if verdict.problem or not verdict.failed:
        return
    os.environ["RAFTLAB_CONFINE"] = str(sandbox.confine(ROOT, ROOT / "build"))
    began = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(
        jobs, initializer=time_left.limit, initargs=REPORTS_SECONDS
    ) as pool:
        written = [pool.submit(write_report, verdict, claim, folder) for claim in verdict.reported]
        done, _ = concurrent.futures.wait(written, SLOW_SECONDS)
        if len(done) < len(written):
            told = f"({len(done)} of {len(written)} reports are written, the others follow)"
            print(told, file=sys.stderr, flush=True)
    lost = [one.exception() for one in written if one.exception() is not None]
    if lost:
        told = f"{len(lost)} of {len(written)} reports could not be written: {lost[0]!r}"
        print(told, file=sys.stderr)
    elif len(done) < len(written):
        print(f"(all are, after {time.monotonic() - began:.0f} s)", file=sys.stderr)


def write_report(verdict: Verdict, claim: grading.Claim, folder: pathlib.Path) -> None:
    again = verdict.again(claim)
    try:
        failure = report.shrunk(report.of_claim(claim, again), verdict.lab.number)
        report.write(failure, verdict.lab.number, folder)
    except Exception as problem:  # what answers there may be anybody's code
        told = f"{claim.text}\n\nAgain: {again}\n\n(no more is known: {problem!r})\n"
        (folder / f"{claim.stem}.txt").write_text(told, encoding="utf-8")
        scenario = "\n".join([*claim.lines, ""])
        (folder / f"{claim.stem}.scenario").write_text(scenario, encoding="utf-8")


# ---- telling ---------------------------------------------------------------------


def publish(verdict: Verdict, arguments: argparse.Namespace) -> None:
    if arguments.junit:
        arguments.junit.write_text(formats.junit(verdict), encoding="utf-8")
    if arguments.gradescope:
        told = json.dumps(formats.gradescope(verdict), indent=1)
        arguments.gradescope.write_text(told + "\n", encoding="utf-8")
    if arguments.classroom:
        result = formats.classroom(verdict)
        arguments.classroom.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        line = formats.packed(result)
        arguments.classroom.with_suffix(".b64").write_text(line + "\n", encoding="utf-8")
        if output := os.environ.get("GITHUB_OUTPUT"):
            with open(output, "a", encoding="utf-8") as file:
                file.write(f"result={line}\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="judge a lab")
    parser.add_argument("lab", type=int, metavar="N")
    parser.add_argument("--own", action="store_true", help="on top of your earlier labs")
    parser.add_argument("--step", type=int, help="only this step")
    parser.add_argument("--seed-base", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--jobs", type=int, default=2, help="workers (2)")
    parser.add_argument("--out", type=pathlib.Path, help="reports (build/labN)")
    for name in ("junit", "gradescope", "classroom"):
        parser.add_argument(f"--{name}", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--stage", type=pathlib.Path, help="judge a fresh copy made there")
    parser.add_argument("--submission", type=pathlib.Path, help="where the student's files are")
    parser.add_argument("--restored", help=argparse.SUPPRESS)  # names, from one copy to another
    arguments = parser.parse_args()
    for name in ("out", "junit", "gradescope", "classroom", "stage", "submission"):
        if path := getattr(arguments, name):
            setattr(arguments, name, path.absolute())
    return arguments


def main() -> int:
    arguments = parsed()
    try:
        changed = staging.changed(ROOT) if arguments.restored is None else []
        if changed and not arguments.stage:
            told = "\n  ".join(changed)
            print(
                f"Not yours, and changed or new since it was handed out:\n  {told}\n"
                "So a fresh copy is built and judged beside this tree, which takes minutes.\n"
                f"Put files of your own into labs/{arguments.lab}-*/ or build/ to save them.",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        if arguments.stage or arguments.submission or changed:
            return staging.judged_elsewhere(arguments, changed)
        lab = labs.numbered(arguments.lab)
        arguments.out = arguments.out or ROOT / "build" / f"lab{lab.number}"
        arguments.out.mkdir(parents=True, exist_ok=True)
        verdict = judged(arguments)
        verdict.restored = (arguments.restored or "").splitlines()
        verdict.unchecked = staging.is_unchecked(ROOT)
    except (Unable, labs.Unknown, staging.Unable) as problem:
        print(problem, file=sys.stderr)
        return 2
    publish(verdict, arguments)
    print(text(verdict), flush=True)
    write_reports(verdict, arguments.out / "report", arguments.jobs)
    return 0 if verdict.full else 1


if __name__ == "__main__":
    sys.exit(main())
