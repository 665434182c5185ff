"""What an event costs does not grow with the log, nor with time.

Counted, not timed: build/counted/raftsim (make counted) tells how many basic blocks it
went through, 16 bytes copied or compared counting as one, and how much memory it had at
most. One program counts the same at each run, however busy the machine is."""

import json
import re
import shutil
import subprocess

import pytest

from raftlab import build

SECONDS_MAX = 60
# Snapshots now and then, and small files, so that nothing old has to be kept.
COMPACTED = "cluster 3 seed=1 clients=5 log_entries=4096 snapshot_entries=100 segment=20000"


@pytest.fixture(scope="module")
def program() -> str:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not there: it counts the basic blocks")
    build.make("counted", f"OUT={build.relative(build.OUT)}")
    return str(build.OUT / "counted" / "raftsim")


def counted(program: str, *arguments: str, text: str = "") -> tuple[list[dict], int, int]:
    """The answers, the work, and the bytes."""
    done = subprocess.run(
        [program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.fullmatch(r"work (\d+) bytes (\d+)\n", done.stderr)
    assert told, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(answer["ok"] for answer in answers), done.stdout
    return answers, int(told[1]), int(told[2])


def told(program: str, *lines: str) -> tuple[list[dict], int, int]:
    return counted(program, "repl", text="".join(line + "\n" for line in lines))


def test_the_same_run_is_the_same_work(program: str) -> None:
    flags = ("run", "--seed", "3", "--duration", "2s", "--faults", "all")
    assert counted(program, *flags)[1] == counted(program, *flags)[1] > 100_000


def test_an_event_is_the_same_work_in_a_log_of_15000_entries(program: str) -> None:
    """No snapshots, so that the log does grow; five nodes, everything checked."""
    costs, entries = [], []
    for begin_s, end_s in ((1, 11), (50, 60)):
        events, work = [], []
        for duration_s in (begin_s, end_s):
            answers, done, _ = counted(program, "run", "--duration", f"{duration_s}s")
            events.append(answers[0]["events"])
            work.append(done)
        costs.append((work[1] - work[0]) / (events[1] - events[0]))
        entries.append(answers[0]["committed"])
    assert entries[0] < 5_000 and entries[1] > 15_000
    assert costs[1] == pytest.approx(costs[0], rel=0.03)


def test_a_restart_behind_a_snapshot_is_the_same_work_at_any_age(program: str) -> None:
    costs = []
    for age_s in (10, 120):
        work = []
        for crash, restart in (("crash 3", "restart 3"), ("", "")):
            rounds = [crash, "run 50ms", restart, "run 400ms"] * 10
            quiet = ["clients stop", "run 2s", "snapshot 1", "snapshot 2", "snapshot 3"]
            lines = [COMPACTED, f"run {age_s}s", *quiet, "run 1s", *rounds]
            work.append(told(program, *filter(None, lines))[1])
        costs.append(work[0] - work[1])
    assert costs[0] > 100_000
    assert costs[1] < 1.5 * costs[0]


def test_memory_grows_by_what_is_remembered_of_each_entry_alone(program: str) -> None:
    """The history has 72 bytes for each operation and the values, the checker 48 for
    each entry; arrays that grow by doubling are half empty at worst. Logs, disks and
    whatever is under way take no more than at the start."""
    used, entries = [], []
    for age_s in (30, 120):
        answers, _, peak = told(program, COMPACTED, f"run {age_s}s", "status")
        used.append(peak)
        entries.append(max(node["commit_index"] for node in answers[-1]["nodes"]))
    assert entries[1] - entries[0] > 20_000
    assert used[1] - used[0] < 256 * (entries[1] - entries[0])
