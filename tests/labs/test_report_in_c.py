"""The failure report of a claim in C, and what the checks of such a claim say."""

import pathlib
import re
import subprocess
import sys

import pytest
from raftlab import build
from raftlab.lab_failure import LabFailure

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import report  # noqa: E402  (the path above comes first)
from reporting import crash  # noqa: E402


@pytest.fixture(scope="module")
def raftsim() -> pathlib.Path:
    return build.program("raftsim")


def failure(**fields) -> LabFailure:
    claim = "tests/raft/vote_test.c::a_vote_is_not_granted_twice[sanitized]"
    return LabFailure(claim=claim, expected="", seen="", rules="RV-2a", seed=None, **fields)


def test_a_claim_in_c_is_told_in_words_with_its_line(tmp_path, raftsim):
    unit = failure(
        stderr="tests/raft/vote_test.c:41: expected: granted == 0\n",
        command="build/lab1/sanitized/tests/raft/vote_test a_vote_is_not_granted_twice",
    )
    paths = report.write(unit, 1, tmp_path, raftsim)
    text = paths.text.read_text()
    assert paths.page is None and paths.scenario is None
    assert text.startswith("FAILED  lab 1: A vote is not granted twice\n")
    assert "Where     tests/raft/vote_test.c:41" in text
    assert "Expected  granted == 0" in text
    assert "RV-2a     Grant only if the vote" in text
    assert unit.command in text and "The last steps" not in text


def test_a_claim_in_c_tells_the_last_steps_of_its_nodes(tmp_path, raftsim):
    steps = [
        "[     0] n1 tick: -> candidate | save t1 vote n1 | send RequestVote n1>n2 t1 log=0/0",
        "[     3] n1 < RequestVote n2 t1 log=0/0: refuse",
    ]
    said = ["x_test.c:41: granted is 1, expected 0", "the last steps:", *steps, ""]
    unit = failure(stderr="\n".join(said))
    text = report.write(unit, 1, tmp_path, raftsim).text.read_text()
    assert "Seen      granted is 1\n" in text
    assert f"The last steps\n--------------\n{steps[0].rpartition(' | ')[0]}\n" in text
    assert text.rstrip().endswith(steps[1])  # and what the program said is told above


def test_of_a_claim_in_c_six_steps_are_kept(tmp_path):
    """And those of a node are in the words of a trace."""
    source = tmp_path / "steps.c"
    source.write_text(STEPS_PROGRAM)
    program = tmp_path / "steps"
    words = ["gcc", "-w", "-g", "-D_GNU_SOURCE", "-I.", "-o", str(program), str(source)]
    words += ["tests/test.c", "sim/tool/crash.c", str(build.OUT / "libcore.a")]
    subprocess.run(words, cwd=build.ROOT, check=True)
    done = subprocess.run([program, "ten_ticks"], capture_output=True, text=True)
    head, said = done.stderr.split("the last steps:\n")
    assert done.returncode == 1 and head.endswith("node.now_ms is 10, expected 11\n")
    steps = said.rstrip("\n").split("\n")
    assert steps[0] == "-- n1 had t0 vote n0 log=0/0"
    ticks = [re.match(r"\[ *(\d+)\] n1 tick", step) for step in steps[1:]]
    assert [int(tick[1]) for tick in ticks] == [5, 6, 7, 8, 9, 10]
    assert crash.without_steps(done.stderr) == (head, steps)
    assert crash.without_steps(head) == (head, [])
    done = subprocess.run([program, "three_lives"], capture_output=True, text=True)
    steps = crash.without_steps(done.stderr)[1]
    assert [step for step in steps if step.startswith("--")] == [
        "-- n1 had t0 vote n0 log=0/0", "-- n2 starts with t0 vote n0 log=0/0",
        "-- n1 starts with t7 vote n3 log=2/6",
    ]  # fmt: skip
    assert len(steps) == 9 and steps[-2].startswith("-- n1") and steps[-1].endswith("n1 tick")
    done = subprocess.run([program, "a_role"], capture_output=True, text=True)
    assert ": node.view.role is RAFT_FOLLOWER, expected RAFT_LEADER\n" in done.stderr
    done = subprocess.run([program, "another_role"], capture_output=True, text=True)
    assert " is RAFT_FOLLOWER, expected RAFT_PRE_CANDIDATE (role)\n" in done.stderr
    done = subprocess.run([program, "a_message"], capture_output=True, text=True)
    assert ": node 1 sent node 2 no RAFT_APPEND_ENTRIES\n" in done.stderr
    done = subprocess.run([program, "a_reply"], capture_output=True, text=True)
    assert done.stderr.endswith('reply is\n  "+OK\\r\\n"\nexpected\n  "-ERR ..."\n')


STEPS_PROGRAM = """
#include "tests/raft/fixture.h"

TEST(ten_ticks)
{
    struct node node;
    node_start(&node, 1, 3);
    for (int i = 0; i < 10; i++)
        node_tick(&node, 1);
    CHECK_EQ(node.now_ms, 11);
}

TEST(three_lives)
{
    struct node node, other;
    node_start(&node, 1, 3);
    node_start(&other, 2, 3);
    for (int i = 0; i < 5; i++)
        node_tick(&node, 1);
    node_tick(&other, 1);
    node_boot(&node, (struct raft_hard_state){7, 3}, TERMS(5, 6), 2);
    node_tick(&node, 1);
    CHECK(false);
}

TEST(a_role)
{
    struct node node;
    node_start(&node, 1, 3);
    CHECK_EQ(node.view.role, RAFT_LEADER);
}

TEST(another_role)
{
    struct node node;
    int role = RAFT_PRE_CANDIDATE;
    node_start(&node, 1, 3);
    CHECK_EQ(node.view.role, role);
}

TEST(a_message)
{
    struct node node;
    node_start(&node, 1, 3);
    node_must_send(&node, RAFT_APPEND_ENTRIES, 2);
}

TEST(a_reply)
{
    const char *reply = "+OK\\r\\n";
    CHECK_TEXT_BEGINS(reply, "+OK");
    CHECK_TEXT_HAS(reply, "K\\r");
    CHECK_TEXT_BEGINS(reply, "-ERR ");
}

TEST_MAIN
"""


@pytest.mark.parametrize(
    ("said", "expected", "seen"),
    [
        ("expected: a == b", "a == b", "it is not so"),
        ("view.commit_index is 3, expected 2 (last)", "view.commit_index is 2 (last)",
         "view.commit_index is 3"),
        ('text is\n  "x"\nexpected\n  "y"', 'text is "y"', 'text is "x"'),
        ('text is\n  "1\\r\\n"\nexpected\n  "-ERR ..."', 'text is "-ERR ..."', 'text is "1\\r\\n"'),
    ],
)  # fmt: skip
def test_what_a_check_in_c_expected_and_saw_is_taken_apart(said, expected, seen):
    found = crash.of_unit(f"ok\ntests/raft/log_test.c:7: {said}\n")
    assert (found.where, found.expected, found.seen) == (
        "tests/raft/log_test.c:7", expected, seen)  # fmt: skip
