"""A student's labs on top of each other (OWN=1), and whose a failure is said to be: a lab 2
of which each claim leans on the small lab 1."""

import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import small_lab  # noqa: E402  (the path above comes first)
from test_grading import WRONG_FOR_EVEN, environment, last_line  # noqa: E402

RIGHT = """#include "raft/joint.h"
#include "raft/quorum.h"

int joint_size(int old_voters, int new_voters)
{
    return quorum_size(old_voters) + quorum_size(new_voters);
}
"""
WRONG = RIGHT.replace("+", "-")
LAB_2 = {
    "raft/quorum.c": small_lab.SOLUTION,
    "raft/joint.h": """#ifndef RAFT_JOINT_H
#define RAFT_JOINT_H
int joint_size(int old_voters, int new_voters);
#endif
""",
    "raft/joint.c": RIGHT,
    "tests/raft/joint_test.c": """#include "raft/joint.h"
#include "tests/test.h"

// LAB 2 step 1, 1 point: CAND-2
TEST(three_and_the_only_one)
{
    CHECK_EQ(joint_size(5, 1), 4);
}

// LAB 2 step 1, 2 points: CAND-2
TEST(three_and_three)
{
    CHECK_EQ(joint_size(5, 5), 6);
}

// LAB 2 step 2, 4 points: CAND-2
TEST(three_and_three_of_four)
{
    CHECK_EQ(joint_size(5, 4), 6);
}
TEST_MAIN
""",
    "labs/2-joint/lab.toml": """title = "Joint"
files = ["raft/joint.c"]
[hints]
1 = "Both halves."
2 = "Both halves, again."
""",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("class") / "raftlab"
    return small_lab.unpack(small_lab.archive(LAB_2), folder)


def grade(
    tree: pathlib.Path, first: str, second: str, *flags: str
) -> subprocess.CompletedProcess:
    """Lab 2, of who has written that in both labs."""
    small_lab.submit(tree / "labs" / "1-counting", first)
    (tree / "labs" / "2-joint" / "joint.c").write_text(second)
    return subprocess.run(
        [sys.executable, "labs/tools/grade.py", "2", "--jobs", "1", *flags],
        cwd=tree, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def blamed(told: str) -> dict[str, str]:
    """claim -> whose it is said to be, of those that failed."""
    found = {}
    for part in re.split(r"^FAIL  ", told, flags=re.MULTILINE)[1:]:
        whose = re.search(r"  whose: +your (lab .*?):", part)
        found[re.search(r"step \d: (.*?) \(", part)[1]] = whose[1] if whose else ""
    return found


def test_a_lab_stands_on_the_references_unless_its_own_are_asked_for(
    tree: pathlib.Path,
) -> None:
    assert last_line(grade(tree, WRONG_FOR_EVEN, RIGHT)) == "lab 2: 7/7 points"
    done = grade(tree, small_lab.SOLUTION, RIGHT, "--own")
    assert last_line(done) == "lab 2: 7/7 points", done.stdout
    assert "On your own files, not the reference's (OWN=1):\n  lab 1: quorum.c" in done.stdout


def test_what_an_earlier_lab_breaks_is_told_as_its_fault(tree: pathlib.Path) -> None:
    done = grade(tree, WRONG_FOR_EVEN, RIGHT, "--own", "--classroom", "c.json")
    assert (last_line(done), done.returncode) == ("lab 2: 3/7 points", 1), done.stdout
    assert blamed(done.stdout) == {"three and three of four": "lab 1 (quorum.c)"}
    assert "Hint: mend lab 1 first" in done.stdout and "Both halves" not in done.stdout
    assert "whose: your lab 1 (quorum.c)" in (tree / "c.json").read_text()


def test_each_lab_is_told_of_its_own_faults(tree: pathlib.Path) -> None:
    done = grade(tree, WRONG_FOR_EVEN, WRONG, "--own")
    assert last_line(done) == "lab 2: 0/7 points", done.stdout
    assert set(blamed(done.stdout).values()) == {""}  # they fail on the reference, too
    assert "Hint for step 1: Both halves." in done.stdout


def test_it_is_left_as_it_was_judged(tree: pathlib.Path) -> None:
    grade(tree, WRONG_FOR_EVEN, RIGHT, "--own")
    program = tree / "build" / "sanitized" / "lab2" / "tests" / "raft" / "joint_test"
    again = subprocess.run([program, "three_and_three_of_four"], capture_output=True)
    assert again.returncode != 0
