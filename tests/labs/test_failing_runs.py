"""Each handout reads a failing run line by line: such lines come of the bug that it names."""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import alternatives  # noqa: E402  (the path above comes first)
import handout  # noqa: E402
import lab as labs  # noqa: E402
import staging  # noqa: E402


@dataclass
class Bug:
    lab: int
    file: str
    find: str
    replace: str
    claims: list[str]  # as pytest takes them
    units: tuple[str, ...] = ()  # a program and a claim in C, each
    in_archive: bool = False  # as where later labs have not been taken


BUGS = [
    Bug(
        1, "raft/request_vote.c", "if (voted_for != 0 && voted_for != message->from) { // RV-2a",
        "if (voted_for != 0 && voted_for == message->term + 99) {",
        ["tests/labs/lab1/test_election.py::"
         "test_a_leader_that_is_cut_off_is_replaced_and_follows_when_it_returns"],
        in_archive=True,
    ),
    Bug(
        2, "raft/append_entries.c", "    answer_yes(raft, message, last_new, output);",
        "    answer_yes(raft, message, raft->log.last_index, output);",
        ["tests/labs/lab2/test_faults.py::test_networks_may_fall_apart_in_every_way"],
    ),
    Bug(
        3, "raft/durability.c", "        if (pending->last_index >= index)\n",
        "        if (index == 0)\n",
        ["tests/labs/lab3/test_disks.py::test_networks_and_disks_may_fail_together"],
        ("tests/labs/lab3/order_test what_was_replaced_is_not_durable_any_more",),
    ),
    Bug(
        4, "raft/install_snapshot.c", "!log_matches(&raft->log, index, term))",
        "index > raft->log.last_index)",
        ["tests/labs/lab4/test_catching_up.py::test_snapshots_survive_networks_of_every_kind"],
        ("tests/raft/install_snapshot_test "
         "a_log_that_has_the_snapshots_last_entry_stays_as_it_is",
         "tests/raft/install_snapshot_test "
         "an_entry_that_conflicts_with_the_snapshots_last_goes_with_all_behind_it",),
    ),
    Bug(
        5, "raft/read_index.c", "(read->round <= raft->round_confirmed && read->index <= reached);",
        "read->index <= reached;",
        ["tests/labs/lab5/test_reads.py::"
         "test_a_minority_answers_nobody_and_all_are_answered_once_it_is_healed"],
    ),
    Bug(
        6, "raft/membership.c", "    if (raft->commit_index < raft->term_start_index)\n"
        "        *status = RAFT_NOT_READY; // the own-term guard\n    else if", "    if",
        ["tests/labs/lab6/test_members.py::"
         "test_the_bug_of_2015_two_leaders_cannot_both_change_the_cluster"],
    ),
    Bug(
        8, "sim/own/own.c", "known->term != 0 && known->by < now->current_term && term",
        "known->term != 0 && term",
        ["tests/labs/lab8/test_invariants.py::"
         "test_who_wins_an_older_term_late_lacks_what_was_committed_since"],
    ),
]  # fmt: skip
SECONDS_MAX = 600
TELL = """
import pathlib, sys
sys.path[:0] = ["labs/tools", "tests"]
import lab as labs, grade, verdict
from raftlab import grading
number = int(sys.argv[1])
told = verdict.Verdict(labs.numbered(number), grading.load(pathlib.Path("claims.json")))
told.reports = f"build/lab{number}/report"
folder = pathlib.Path(told.reports)
for claim in told.failed:
    grade.report.write(grade.report.of_claim(claim, told.again(claim)), number, folder)
    print((folder / f"{claim.stem}.txt").read_text())
print("\\n".join(verdict.failures(told)))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy, in which nothing has to be compiled that is the reference's."""
    path = tmp_path_factory.mktemp("copy")
    alternatives.copy_tree(path)
    alternatives.share_objects(path)
    return path


def run(tree: pathlib.Path, *words: str, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        words, cwd=tree, env=build.environment() | more, text=True, timeout=SECONDS_MAX,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def put(path: pathlib.Path, text: str) -> None:
    """What is there already is not compiled again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def hand_out(tree: pathlib.Path, number: int) -> None:
    """The labs behind that one have not been taken, as in the archive of its class."""
    for lab in labs.every():
        for path in staging.handed_in(lab, tree / lab.folder.relative_to(labs.ROOT)):
            path.unlink()
        for file in lab.files:
            later = lab.number > number
            text = handout.as_handed_out(file, number) if later else reference(file)
            put(tree / file, text)


def reference(file: str) -> str:
    return (build.ROOT / file).read_text(encoding="utf-8")


def judge(tree: pathlib.Path, bug: Bug) -> None:
    """Builds a student's lab with that bug, and leaves what its claims come to."""
    hand_out(tree, bug.lab if bug.in_archive else max(labs.every()[-1].number, bug.lab))
    folder = labs.numbered(bug.lab).folder.relative_to(labs.ROOT)
    assert reference(bug.file).count(bug.find) == 1, bug.find
    changed = reference(bug.file).replace(bug.find, bug.replace)
    put(tree / folder / pathlib.PurePath(bug.file).name, alternatives.without_marks(changed))
    out = f"build/lab{bug.lab}"
    programs = [f"{out}/{name}" for name in ("raftsim", *(unit.split()[0] for unit in bug.units))]
    made = run(tree, "make", "-s", f"LAB={bug.lab}", *programs)
    assert made.returncode == 0, made.stdout
    run(
        tree, sys.executable, "-m", "pytest", "-q", "-p", "raftlab.grading", "-p", "no:xdist",
        "--lab", str(bug.lab), "--lab-out", "claims.json", *bug.claims, RAFTLAB_BUILT="1",
        RAFTLAB_LAB=str(bug.lab), RAFTLAB_OUT="build", PYTHONPATH="tests",
    )  # fmt: skip


def told(tree: pathlib.Path, bug: Bug) -> str:
    """What a student with that bug is told of these claims."""
    judge(tree, bug)
    said = run(tree, sys.executable, "-c", TELL, str(bug.lab)).stdout
    return "\n".join([said, *(of_unit(tree, bug, *unit.split()) for unit in bug.units)])


def of_unit(tree: pathlib.Path, bug: Bug, program: str, claim: str) -> str:
    """As the grader tells it, which runs the sanitized build of the same."""
    head = re.search(rf"// LAB . step (\d+), .*: (.*)\nTEST\({claim}\)", reference(f"{program}.c"))
    step, rules = head.groups()
    said = run(tree, f"build/lab{bug.lab}/{program}", claim).stdout
    return f"FAIL  step {step}: {claim.replace('_', ' ')} ({rules})\n{said}"


def shown(bug: Bug) -> list[str]:
    """What the handout says is printed, without the words at its right, column by column;
    its own drawings begin with "node 1, "."""
    page = reference(f"{labs.numbered(bug.lab).folder.relative_to(labs.ROOT)}/README.md")
    section = re.search(r"^## A run that fails\n(.*?)^## ", page, re.M | re.S)[1]
    blocks = re.findall(r"(?:^    .+\n)+", section, re.M)
    lines = [line for one in blocks if "node 1, " not in one for line in one.splitlines()]
    bare = [re.sub(r"\s+\(\d\)$|\s{2,}write \d.*$", "", line) for line in lines]
    parts = (re.split(r"\s{4,}", line.strip()) for line in bare if line.strip() != "...")
    return [" ".join(part.split()) for line in parts for part in line]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"lab{bug.lab}")
def test_a_handouts_failing_run_is_what_its_bug_comes_to(tree: pathlib.Path, bug: Bug) -> None:
    text = told(tree, bug)
    real = " ".join(text.split())
    lines = shown(bug)
    missing = [line for line in lines if line not in real]
    assert len(lines) > 10 and not missing, "\n".join([*missing, "", text])


def test_the_function_that_a_handout_names_first_is_unwritten_at_that_line() -> None:
    named = 0
    for lab in labs.every():
        page = reference(f"{lab.folder.relative_to(labs.ROOT)}/README.md")
        place = r"^ *labs/\S+/(\w+\.c):(\d+): (\w+)\(\) is still to be written"
        for name, line, function in re.findall(place, page, re.M):
            file = next(file for file in lab.files if file.endswith(f"/{name}"))
            lines = handout.skeleton.skeleton(reference(file), file).splitlines()
            assert "LAB_TODO" in lines[int(line) - 1], (lab.number, name, line)
            assert any(function in text for text in lines[int(line) - 12 : int(line)])
            named += 1
    assert named > 0


# With either a node has always something to do at once, or almost: lab 1's table of common
# bugs names both.
RESTLESS = {
    "the deadline is a duration": (
        "raft/timer.c", "return raft->now_ms + shortest_ms + ", "return shortest_ms + ",
    ),
    "a campaign has no timeout of its own": (
        "raft/role.c", "    timer_reset_election(raft); // CAND-1c\n", "",
    ),
}  # fmt: skip
RESTLESS_TELL = """
import pathlib, resource, sys
sys.path[:0] = ["labs/tools", "tests"]
import grade, lab as labs, verdict
from raftlab import grading
told = verdict.Verdict(labs.numbered(1), grading.load(pathlib.Path("claims.json")))
told.reports = "restless"
pathlib.Path("restless").mkdir(exist_ok=True)
for claim in told.reported:
    grade.write_report(told, claim, pathlib.Path("restless"))
print(sum(map(verdict.stands_still, told.failed)), sum(map(verdict.stands_still, told.reported)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", RESTLESS)
def test_a_node_that_never_comes_to_rest_costs_the_grader_little(
    tree: pathlib.Path, bug: str
) -> None:
    file, find, replace = RESTLESS[bug]
    claims = ["tests/labs/lab1/test_election.py"]
    judge(tree, Bug(1, file, find, replace, claims, in_archive=True))
    (counts, own, others) = run(tree, sys.executable, "-c", RESTLESS_TELL).stdout.splitlines()[-3:]
    still, reported = map(int, counts.split())
    assert still > 5 and reported == 1
    assert int(own) < 200 and int(others) < 300  # MB
    # And a run is over once so many steps were too many, whatever each of them sent.
    lines = "trace - json\ncluster 3 disk=perfect pre_vote=off check_quorum=off\nrun 2s\n"
    pipe = f"printf '{lines}' | build/lab1/raftsim repl | head -n 2000000 | wc -l"
    begun = run(tree, "sh", "-c", pipe).stdout
    assert 100_000 < int(begun.split()[-1]) < 1_000_000
