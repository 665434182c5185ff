"""What the labs' tests are written with: lab, World, campaign, LabFailure.

    from raftlab.labs import World, lab

    @lab(1, step=4, points=3, rules="CAND-2 LEAD-1", seeds=30)
    def test_three_nodes_elect_one_leader_and_keep_it(world: World) -> None:
        world.cluster(3)
        leader = world.check_one_leader(within="2s")
        world.run("2s")
        world.expect("role", leader, "leader")

The function runs once for each seed, with a world of its own. A claim in C says the same
in a comment right above it: `// LAB 1 step 2, 2 points: RV-2a RV-2b`."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Optional

try:
    import pytest
except ModuleNotFoundError as problem:
    raise ImportError(
        f"{sys.executable} has no pytest; Debian's /usr/bin/python3 has it after"
        " `sh tests/bootstrap.sh install grade`"
    ) from problem

from raftlab import build, confine, lab_failure, lab_shrink
from raftlab.lab_failure import LabFailure
from raftlab.lab_process import Died
from raftlab.lab_world import World, lab_settings

__all__ = ["FEW_CLIENTS", "Claim", "LabFailure", "World", "campaign", "lab", "parse_claim"]

NUMBERS = range(9)
# Without retries each answer that is lost is a question that stays open.
FEW_CLIENTS = "--clients 3 --keys 8 --duration 5s"
SEED_SECONDS = 20  # of the processor, for one run of a campaign
RUN_SECONDS = 3 * SEED_SECONDS  # the same for a whole process
WAIT_SECONDS_MAX = 1200  # only for what waits
SHRINK = os.environ.get("RAFTLAB_SHRINK") != "0"  # who asks only whether it fails
LABEL = re.compile(r"[A-Z]+-\w+|[a-z][\w-]*")
LINE = re.compile(r"// LAB (\d+) step (\d+), (\d+) points?: (\S+(?: \S+)*)")
current: Optional["Claim"] = None  # the one that runs, for campaign()


@dataclass(frozen=True)
class Claim:
    """What a lab's test is worth."""

    lab: int
    step: int
    points: int
    rules: str  # labels of docs/figure2.md, with blanks between

    def __post_init__(self) -> None:
        if self.lab not in NUMBERS or self.step < 1 or self.points < 1:
            raise ValueError(f"no lab, step or points: {self}")
        if not self.rules or not all(map(LABEL.fullmatch, self.rules.split())):
            raise ValueError(f"rules are labels with blanks between, not {self.rules!r}")

    def mark(self) -> pytest.MarkDecorator:
        return getattr(pytest.mark, f"lab{self.lab}").with_args(
            step=self.step, points=self.points, rules=self.rules
        )


def parse_claim(line: str) -> Claim:
    """The claim of a comment such as `// LAB 1 step 2, 2 points: RV-2a RV-2b`."""
    found = LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError("expected: // LAB N step S, P points: LABEL LABEL...")
    lab_number, step, points = map(int, found.groups()[:3])
    return Claim(lab_number, step, points, found[4])


def first_seed() -> int:
    return int(os.environ.get("RAFTLAB_SEED_BASE", "1"))


def lab(
    number: int, *, step: int, points: int, rules: str, seeds: int = 1
) -> Callable[[Callable[[World], None]], Callable[[], None]]:
    """Makes a function of a world a claim of that lab, run once for each seed."""
    claim = Claim(number, step, points, rules)

    def decorate(function: Callable[[World], None]) -> Callable[[], None]:
        def run() -> None:
            for seed in range(first_seed(), first_seed() + seeds):
                run_once(function, claim, seed)

        run.__name__ = function.__name__
        run.__qualname__ = function.__qualname__
        run.__module__ = function.__module__
        run.__doc__ = function.__doc__
        run.lab_claim = claim
        run.lab_function = function
        return claim.mark()(run)

    return decorate


def run_once(function: Callable[[World], None], claim: Claim, seed: int) -> None:
    global current
    world = World(seed=seed, lab=claim.lab, claim=function.__name__, rules=claim.rules)
    current = claim
    try:
        function(world)
    except LabFailure as failure:
        failure.claim = failure.claim or function.__name__
        raise
    finally:
        current = None
        world.close()


# ---- campaigns -------------------------------------------------------------------


def raftsim(
    *arguments: str,
    seconds: float = WAIT_SECONDS_MAX,
    scratch: Optional[pathlib.Path] = None,
    program: str = "raftsim",
    mode: str = confine.CREW,
) -> subprocess.CompletedProcess:
    words = confine.command(build.program(program), *arguments, mode=mode, scratch=scratch)
    limit = RUN_SECONDS if mode == confine.CREW else confine.CPU_SECONDS_MAX[mode]
    return subprocess.run(
        [*([] if confine.wanted() else ["prlimit", f"--cpu={limit}:{limit + 1}"]), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
    )


def campaign(number: int, flags: str, seeds: int, *, expected: str = "") -> dict:
    """Runs of `raftsim sweep` with these flags of `raftsim run` and the lab's own
    (--disk perfect, --retries off); the first seed that fails is the failure, shrunk to a
    scenario. Returns the sweep's summary."""
    given = shlex.split(flags)
    for name, value in lab_settings(number).items():
        if f"--{name}" not in given:
            given += [f"--{name}", value]
    first = first_seed()
    span = f"{first}..{first + seeds - 1}"
    bounds = ("--jobs", "1", "--stop-after", "1", "--seed-seconds", str(SEED_SECONDS))
    done = raftsim("sweep", "--seeds", span, *bounds, *given)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"raftsim sweep {flags}: {done.stderr}")
    report = json.loads(done.stdout.splitlines()[-1])
    if not report["ok"]:
        fail_campaign(report["last"], defaults(given), expected)
    return report


def defaults(flags: list[str]) -> list[str]:
    """With those that a sweep has and a run has not."""
    more = [] if "--faults" in flags else ["--faults", "all"]
    return [*flags, *more, *([] if "--duration" in flags else ["--duration", "20s"])]


def fail_campaign(seed: int, flags: list[str], expected: str) -> NoReturn:
    """The failure of this seed."""
    words = ["run", "--seed", str(seed), *flags]
    kind, rule, seen, said = diagnose(words)
    raise LabFailure(
        rule=rule,
        rules=current.rules if current else "",
        expected=expected or "under these faults no rule is broken, and all come to rest",
        seen=seen,
        seed=seed,
        lines=[] if kind == lab_failure.STUB or not SHRINK else shrunk(seed, flags),
        kind=kind,
        stderr=said,
        command=f"raftsim {shlex.join(words)}",
    )


def diagnose(words: list[str]) -> tuple[str, str, str, str]:
    """Kind, rule, what was seen and stderr of a run that fails."""
    try:
        done = raftsim(*words)
    except subprocess.TimeoutExpired:
        return lab_failure.ENDLESS, "", f"it does not come back within {WAIT_SECONDS_MAX} s", ""
    if done.returncode in (0, 1) and done.stdout.strip():
        report = json.loads(done.stdout.splitlines()[-1])
        if report.get("violations"):
            first = report["violations"][0]
            return lab_failure.RULE, first["property"], first["text"], done.stderr
        return lab_failure.CLAIM, "", f"linearizable: {report.get('linearizable')}", done.stderr
    death = Died(done.returncode, done.stderr)
    return death.kind(), "", death.words(), done.stderr


def shrunk(seed: int, flags: list[str]) -> list[str]:
    program = build.program("raftsim")
    given = ["--seed", str(seed), *flags]
    return lab_shrink.shrunk(program, given, lab_failure.SHRINK_SECONDS)
