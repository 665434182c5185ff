"""The schedule of a claim that failed is one that right code passes: mistakes are put into a
copy, claims fail by them, and what their reports leave is run by the code as it should be.

RAFTLAB_SCHEDULES=all takes all mutants of labs 1 to 6, with every claim in Python of their
lab that is no campaign (some twenty minutes)."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from raftlab import build, lab_schedule
from raftlab.lab_failure import LabFailure

sys.path[:0] = [str(build.ROOT / "labs" / name) for name in ("tools", "mutants")]

import alternatives  # noqa: E402  (the path above comes first)
import report  # noqa: E402
import run as mutants  # noqa: E402
from reporting import play, shorten  # noqa: E402

AGREEMENT = "tests/labs/lab2/test_agreement.py"
COSTS = "tests/labs/lab2/test_costs.py"
FAULTS = "tests/labs/lab2/test_faults.py"
SECONDS_MAX = 60


@dataclass
class Mistake:
    name: str
    lab: int
    file: str
    find: str
    replace: str
    claims: list[str] = field(default_factory=list)  # that fail by it: path::claim


SHORT = [
    # A wait in vain, with the same write again and again; it failed at another node first.
    Mistake(
        "heartbeats are not checked", 2, "raft/append_entries.c",
        "    if (!holds(raft, request->prev_log_index, request->prev_log_term)) { // AE-2\n",
        "    if (request->count > 0 &&\n"
        "        !holds(raft, request->prev_log_index, request->prev_log_term)) {\n",
        [f"{COSTS}::test_a_leader_without_followers_takes_only_so_much",
         f"{COSTS}::test_a_dead_follower_costs_no_more_than_heartbeats",
         f"{AGREEMENT}::test_a_follower_that_was_away_gets_what_it_missed",
         f"{FAULTS}::test_agreement_goes_on_where_links_work_one_way_only"],
    ),
    # A rule that breaks while a claim waits for what will never come without the mistake.
    Mistake(
        "only entries make a follower", 2, "raft/append_entries.c",
        "    role_follow(raft, message->from, output);                            // CAND-3\n",
        "    if (request->count > 0)\n        role_follow(raft, message->from, output);\n",
        [f"{AGREEMENT}::test_what_a_leader_took_while_cut_off_gives_way",
         f"{AGREEMENT}::test_leaders_of_many_terms_leave_one_log_behind"],
    ),
]  # fmt: skip


def claims_of(lab: int) -> Iterator[str]:
    """All in Python that play worlds of their own."""
    for path in sorted((build.ROOT / "tests" / "labs" / f"lab{lab}").glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for name, body in re.findall(r"@lab\([^@]*?\)\ndef (test_\w+)((?:.*\n(?!@))*)", text):
            if "campaign(" not in body:
                yield f"{path.relative_to(build.ROOT)}::{name}"


def all_mistakes() -> Iterator[Mistake]:
    for name in mutants.names():
        one = mutants.load(mutants.HERE / f"{name}.toml")
        lab = mutants.lab_of(one)
        if 1 <= lab <= 6:
            yield Mistake(name, lab, one.file, one.find, one.replace, [*claims_of(lab)])


# Right code sends other messages by hand than the mistake does, or comes to another index.
KNOWN = {
    ("an-idle-leader-is-silent", f"{COSTS}::test_a_command_is_committed_after_one_round_trip"),
    *(
        (name, f"tests/labs/lab2/test_figure_8.py::test_figure_8_{claim}")
        for name in ("an-idle-leader-is-silent", "one-full-peer-ends-the-round")
        for claim in ("an_older_entry_on_a_majority_is_not_committed",
                      "an_entry_of_the_own_term_commits_what_is_before_it")
    ),
}  # fmt: skip
LONG = os.environ.get("RAFTLAB_SCHEDULES") == "all"
MISTAKES = [*SHORT, *all_mistakes()] if LONG else SHORT


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("copy")
    alternatives.copy_tree(path)
    alternatives.share_objects(path)
    return path


def built_with(tree: pathlib.Path, mistake: Mistake) -> pathlib.Path:
    """The raftsim that has it."""
    path = tree / mistake.file
    right = path.read_text(encoding="utf-8")
    assert right.count(mistake.find) == 1, f"that stands not once in {mistake.file}"
    path.write_text(right.replace(mistake.find, mistake.replace), encoding="utf-8")
    try:
        subprocess.run(
            ["make", "-s", "-j2", "build/raftsim"], cwd=tree, check=True, capture_output=True,
            env=build.environment(),
        )  # fmt: skip
    finally:
        path.write_text(right, encoding="utf-8")
    return tree / "build" / "raftsim"


def failure_of(claim: str) -> LabFailure | None:
    path, _, name = claim.partition("::")
    spec = importlib.util.spec_from_file_location("claims_of_a_lab", build.ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        getattr(module, name)()
    except LabFailure as failure:
        return failure
    return None


def exit_code(program: pathlib.Path, scenario: pathlib.Path) -> int:
    limit = ["prlimit", "--cpu=10"]
    return subprocess.run(
        [*limit, program, "script", scenario], capture_output=True, timeout=SECONDS_MAX
    ).returncode


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name.replace(" ", "-"))
def test_a_schedule_fails_with_its_mistake_and_passes_without_it(
    mistake: Mistake, tree: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = build.program("raftsim")
    wrong = built_with(tree, mistake)
    monkeypatch.setattr(build, "program", lambda name, sanitized=False: wrong)
    failed = []
    for claim in mistake.claims:
        if (mistake.name, claim) in KNOWN:
            continue
        failure = failure_of(claim)
        assert failure or LONG, f"{claim} holds"
        if failure is None:
            continue
        scenario = report.write(failure, mistake.lab, tmp_path, wrong).scenario
        if scenario is None:
            continue
        if exit_code(wrong, scenario) == 0:
            failed.append(f"{claim} does not fail with the mistake")
        if exit_code(right, scenario) != 0:
            failed.append(f"{claim} fails without it:\n{scenario.read_text()}")
    assert not failed, "\n".join(failed)


# ---- how it is told, and what may go -------------------------------------------------


def test_what_was_done_is_told_and_only_the_last_line_claims() -> None:
    lines = [
        "cluster 3", "run until leader within 1000ms", "propose at 1 set x 1",
        "refused run until applied 3 by 3 within 500ms", "refused remove 1 at 2",
        "expect one leader", "crash 1 lose all", "restart 1",
    ]  # fmt: skip
    assert lab_schedule.told(lines) == [
        "cluster 3", "run 1000ms until leader", "try propose at 1 set x 1", "run 500ms",
        "try remove 1 at 2", "crash 1 lose all", "restart 1",
    ]  # fmt: skip


def test_a_node_that_dies_by_itself_may_be_up_when_it_is_started() -> None:
    lines = ["crash 1 at write lose all", "restart 1"]
    assert lab_schedule.told(lines) == [f"try {line}" for line in lines]


def kept(lines: list[str]) -> list[str]:
    first = play.try_out(build.program("raftsim"), lines)
    assert first.failure()
    return shorten.shorten(build.program("raftsim"), first)[0]


def test_of_what_is_not_to_happen_nothing_goes_but_claims_that_held() -> None:
    lines = ["cluster 3 seed=1", "run 400ms", "isolate 1", "run 100ms", "heal", "loss 10",
             "expect same", "run 100ms", "expect commit_index 2 <= 0"]  # fmt: skip
    assert kept(lines) == [line for line in lines if line != "expect same"]


def test_what_heals_stays_while_there_is_something_to_heal() -> None:
    lines = ["cluster 3 seed=1", "run 400ms", "cut 1 > 2", "cut 2 > 3", "run 100ms", "heal",
             "run 100ms", "expect committed x 1"]  # fmt: skip
    assert kept(lines) == [*lines[:2], "run 100ms", "run 100ms", lines[-1]]
    assert {5} not in [*shorten.troubles(lines)]


def test_a_write_that_was_taken_still_is() -> None:
    lines = ["cluster 3 seed=1", "run 400ms", "crash 1 lose all", "run 2s",
             "try propose at 2 set x 1", "restart 1", "run 1s",
             "expect committed x 2"]  # fmt: skip
    answers = play.try_out(build.program("raftsim"), lines).answers
    assert answers[4]["done"]
    assert kept(lines) == lines
