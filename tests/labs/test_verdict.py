"""What is told of claims that failed: the reason, and once."""

import sys

from raftlab import build, grading

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import lab as labs  # noqa: E402  (the path above comes first)
import verdict  # noqa: E402


def test_of_a_failed_assertion_no_more_is_told_than_what_it_asserted() -> None:
    said = "raftsim: labs/6-membership/a.c:9: a_go: Assertion `!is_joint(now)' failed."
    claim = grading.Claim(
        id="", file="a.py", line=1, name="test_a", step=8, points=1, rules="LEAD-1",
        text=f"{said}\nseed: 47\nagain: raftsim run --seed 47\n{said}",
    )  # fmt: skip
    told = verdict.Verdict(labs.numbered(6), [claim]).reason(claim)
    assert told == "labs/6-membership/a.c:9: an assertion failed: !is_joint(now)"


def test_why_nothing_was_run_fits_into_80_columns_and_a_compilers_words_stay_as_they_are() -> None:
    reason = "timer.c:36: keeps x, ahead and last in variables outside of all functions: all nodes"
    told = verdict.Verdict(labs.numbered(1), [], problem=f"It was not run:\n\n{reason} share it")
    lines = verdict.text(told).split("\n")
    assert max(map(len, lines)) < 80 and f"{reason} share it" in " ".join(" ".join(lines).split())
    assert "\n\ntimer.c:36: keeps x, " in verdict.text(told)
    told.problem = f"It does not compile:\n\n{reason}\n    |   ^~~"
    assert f"\n{reason}\n    |   ^~~\n" in verdict.text(told)


def of_c(name: str, message: str, steps: int) -> grading.Claim:
    """A claim in C that failed."""
    lines = [f"./tests/raft/x.h:7: {message}", "the last steps:"]
    lines += [f"[     {n}] n2 {name} {n}" for n in range(1, steps + 1)]
    return grading.Claim(
        id=name, file="tests/raft/x_test.c", line=1, name=name, step=1, points=1, rules="IS-7",
        text="\n".join([*lines, "", "exit code 1"]),
    )  # fmt: skip


def still(name: str, node: int) -> grading.Claim:
    """A simulated claim in which time stands still."""
    seen = f"time stands still: 100000 steps at {100 + node} ms, the last of node {node}: tick"
    return grading.Claim(
        id=name, file="a.py", line=1, name=name, step=1, points=1, rules="LEAD-1", text=seen,
        lines=["cluster 3"], facts={"kind": "endless", "seen": seen, "command": ""},
    )  # fmt: skip


def test_claims_in_which_time_stands_still_share_one_reason_and_one_report() -> None:
    claims = [still("first", 1), of_c("other", "another", 2), still("second", 2), still("third", 3)]
    claims[3].facts["seen"] = "messages without an end: 50000 under way at 7 ms, the last of n..."
    told = verdict.Verdict(labs.numbered(1), claims, reports="r")
    text = "\n".join(verdict.failures(told))
    assert text.count("time stands still") == 1 and "101 ms" in text and text.count("FAIL") == 2
    assert told.reported == claims[:2]
    assert told.again(claims[2]) == told.again(claims[0])
    assert told.again(claims[0]).endswith("r/first.scenario")


def test_claims_that_fail_at_one_line_are_told_once_with_the_newest_step() -> None:
    claims = [of_c("first", "core invariant: it is broken", 9)]
    claims += [of_c("second", "core invariant: it is broken", 3), of_c("third", "another", 2)]
    told = "\n".join(verdict.failures(verdict.Verdict(labs.numbered(4), claims)))
    assert told.count("FAIL") == 2 and "step 1: second (IS-7)" in told
    assert told.count("core invariant: it is broken") == 1
    assert "n2 first 1\n" in told and "n2 first 9\n" in told and "n2 first 5" not in told
    assert "...\n  [     6] n2 first 6" in told and "exit code" not in told
