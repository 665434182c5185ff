#!/usr/bin/env python3
"""Tells of a failure: what is broken, the shortest schedule, and a page with a picture.

    labs/tools/report.py SCENARIO [--out DIR]         of any scenario that fails
    labs/tools/report.py --seed N FLAGS [--out DIR]   of a run (flags of raftsim run)
    labs/tools/report.py ... --raftsim FILE           by that program; --lab N: by that lab's

Writes NAME.txt, NAME.scenario and NAME.html, and prints the text. The grader calls
write() with each claim that failed. docs/reports.md tells how to read them."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import shlex
import subprocess
import sys
import tempfile
from typing import Any, Optional

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS), str(TOOLS.parents[1] / "tests")]

from reporting import facts as gathering  # noqa: E402  (the path above comes first)
from raftlab import lab_failure, lab_shrink  # noqa: E402
from raftlab.lab_failure import stem_of  # noqa: E402
from reporting import page, play, time_left, words  # noqa: E402

SHRINK_SECONDS = 20  # where a whole lab is told of; mostly it comes to its end sooner


@dataclasses.dataclass
class Paths:
    """What was written; those that make no sense for a failure are None."""

    text: pathlib.Path
    scenario: Optional[pathlib.Path] = None
    page: Optional[pathlib.Path] = None


@dataclasses.dataclass
class Failure:
    """As LabFailure has its fields (tests/raftlab/lab_failure.py), without being one."""

    claim: str
    expected: str
    seen: str
    lines: list[str]
    rule: str = ""
    rules: str = ""
    seed: Optional[int] = None
    kind: str = "claim"
    stderr: str = ""
    command: str = ""
    source: str = ""  # file:line of the claim


def of_claim(claim: Any, command: str) -> Failure:
    """The failure of a claim as the grader keeps it (tests/raftlab/grading.py)."""
    facts = claim.facts
    return Failure(
        claim=claim.name,
        expected=facts.get("expected", ""),
        seen=facts.get("seen", ""),
        lines=claim.lines,
        rule=facts.get("rule", ""),
        rules=claim.rules,
        seed=claim.seed,
        kind=facts.get("kind", "claim"),
        stderr=facts.get("stderr", "") if facts else claim.text,
        command=command,
        source=f"{claim.file}:{claim.line}",
    )


def shrunk(failure: Failure, lab: int) -> Failure:
    """The same with a schedule, where a run of seeds under faults has failed."""
    run = gathering.RUN.search(failure.command)
    most = math.ceil(min(SHRINK_SECONDS, time_left.seconds()))
    if failure.lines or not run or failure.kind == lab_failure.STUB or most == 0:
        return failure
    flags = shlex.split(run[1])
    lines = lab_shrink.shrunk(gathering.program_of(lab), flags, most)
    return dataclasses.replace(failure, lines=lines)


def write(
    failure: Any, lab: int, out: pathlib.Path, program: Optional[pathlib.Path] = None
) -> Paths:
    """Writes the report of one failed claim into the folder `out`: of a LabFailure, or
    what looks like one; with the lab's own raftsim unless another one is given."""
    program = program or gathering.program_of(lab)
    out.mkdir(parents=True, exist_ok=True)
    name = stem_of(failure.claim)
    facts = gathering.gather(failure, lab, program)
    paths = Paths(out / f"{name}.txt")
    if facts.lines:
        paths.scenario = out / f"{name}.scenario"
        facts.command = facts.command or again(
            program, lab, paths.scenario, endless=facts.play.loops()
        )
        paths.scenario.write_text(facts.scenario, encoding="utf-8")
    if facts.has_page():
        paths.page = out / f"{name}.html"
        paths.page.write_text(page.render(facts), encoding="utf-8")
    named = {"scenario": paths.scenario, "page": paths.page}
    shown = {key: gathering.relative(path) for key, path in named.items() if path}
    paths.text.write_text(words.render(facts, shown), encoding="utf-8")
    return paths


def again(program: pathlib.Path, lab: int, scenario: pathlib.Path, endless: bool) -> str:
    """The one command that comes to the same failure, and to an end."""
    build = f"make LAB={lab} && " if lab else ""
    limit = f"{lab_failure.LIMIT} " if endless else ""
    return f"{build}{limit}{gathering.relative(program)} script {gathering.relative(scenario)}"


# ---- by hand -------------------------------------------------------------------------


def of_scenario(path: pathlib.Path, program: pathlib.Path) -> Failure:
    """Whatever fails in it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = until_it_fails(program, play.clean(lines))
    last = first.answers[-1] if first.answers else {"ok": True}
    return Failure(
        claim=path.stem,
        expected="every command is done, and every claim holds",
        seen=seen_in(last),
        lines=lines if any(line.startswith(gathering.DONE) for line in lines) else first.lines,
        rule=first.rule(),
        stderr=first.stderr,
        kind="crash" if first.died() else "claim",
    )


def seen_in(answer: dict[str, Any]) -> str:
    if answer.get("violations"):
        return answer["violations"][0]["text"]
    return answer.get("error", gathering.NOTHING_FAILS)


def until_it_fails(program: pathlib.Path, lines: list[str]) -> play.Play:
    first = play.try_out(program, lines)
    for at, answer in enumerate(first.answers):
        if not answer["ok"] and not first.died():
            return dataclasses.replace(
                first, lines=first.lines[: at + 1], answers=first.answers[: at + 1]
            )
    return first


def of_seed(flags: list[str], program: pathlib.Path) -> Failure:
    """A run that fails, shrunk by raftsim itself."""
    done = subprocess.run([program, "run", *flags], capture_output=True, text=True)
    if done.returncode == 2:
        raise SystemExit(done.stderr.strip())
    result = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    broken = result.get("violations") or [{"property": "", "text": done.stderr.strip()}]
    if result.get("ok"):
        raise SystemExit("this run fails in nothing")
    with tempfile.TemporaryDirectory() as folder:
        scenario = pathlib.Path(folder) / "scenario"
        bounds = ["--seconds", str(lab_failure.SHRINK_SECONDS), "--out", str(scenario)]
        shrunk = subprocess.run([program, "shrink", *flags, *bounds], capture_output=True)
        lines = scenario.read_text().splitlines() if scenario.exists() else []
    seed = flags[flags.index("--seed") + 1] if "--seed" in flags else "1"
    return Failure(
        claim=f"seed-{seed}",
        expected="no rule is broken, and all come to rest",
        seen=broken[0]["text"],
        lines=lines,
        rule=broken[0]["property"],
        seed=int(seed),
        stderr="" if result else done.stderr,
        kind="rule" if result else "crash",
        command=shorter(shrunk.stdout) or shlex.join(["raftsim", "run", *flags]),
    )


def shorter(answer: bytes) -> str:
    """The run that raftsim shrink names where it finds no scenario."""
    try:
        return json.loads(answer).get("command", "")
    except json.JSONDecodeError:
        return ""


def take(arguments: list[str], flag: str) -> str:
    """The value of a flag of ours, which is taken out; nothing where it is not there."""
    if flag not in arguments[:-1]:
        return ""
    at = arguments.index(flag)
    value = arguments[at + 1]
    del arguments[at : at + 2]
    return value


def main(arguments: list[str]) -> int:
    lab = int(take(arguments, "--lab") or 0)
    out = pathlib.Path(take(arguments, "--out") or ".")
    given = take(arguments, "--raftsim")
    program = pathlib.Path(given).resolve() if given else gathering.program_of(lab)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    if arguments[0].startswith("--"):
        failure = of_seed(arguments, program)
    else:
        failure = of_scenario(pathlib.Path(arguments[0]), program)
    text = write(failure, lab, out, program).text.read_text(encoding="utf-8")
    print(words.coloured(text) if sys.stdout.isatty() else text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
