"""Worlds that ask less of the core: perfect disks, clients that never ask twice; and what
a world has cost."""

import json
import subprocess
from typing import Any

import pytest

from raftlab import build

CLIENTS = "--clients 4 --keys 3 --duration 4s --nodes 3".split()


def tell(*lines: str) -> list[dict[str, Any]]:
    """The answers to these lines at the prompt."""
    done = subprocess.run(
        [str(build.program("raftsim")), "repl"],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines), done.stderr
    return answers


def run(*flags: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(build.program("raftsim")), "run", *flags],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return json.loads(done.stdout.splitlines()[-1])


# ---- perfect disks ---------------------------------------------------------------


def proposed_and_crashed(*settings: str) -> int:
    """Entries that a leader finds in its log when it comes back, of the four that it took
    in the microsecond before it went down."""
    cluster = " ".join(("cluster 3 sync=5ms", *settings))
    proposals = ("propose set x 1",) * 3
    lines = (cluster, "run until leader", *proposals, "crash 1", "crash 2", "crash 3")
    leader = tell(cluster, "run until leader")[1]["leader"]
    return tell(*lines, f"restart {leader}")[-1]["last_index"]


def test_on_a_perfect_disk_a_crash_loses_nothing() -> None:
    assert proposed_and_crashed() == 0
    assert proposed_and_crashed("disk=perfect") == 4


def files_before_and_after_a_crash(disk: str) -> list[dict[str, int]]:
    """Of a follower that is halfway through a snapshot, of which nothing is synced yet."""
    lines = (
        f"cluster 3 disk={disk} snapshot_entries=5 snapshot_tail=1 snapshot_chunk=512 seed=2",
        "run until leader",
        "isolate 3",
        *(f"set {key} {9000 * 'a'}" for key in "xy"),
        *("incr a",) * 6,
        "run 100ms",
        "heal",
        "run 50ms",
    )
    answers = tell(*lines, "disk 3 files", "crash 3 lose all", "disk 3 files")
    return [answers[-3]["files"], answers[-1]["files"]]


def test_on_a_perfect_disk_also_half_a_file_is_kept() -> None:
    before, after = files_before_and_after_a_crash("real")
    assert "snapshot.receiving" in before and "snapshot.receiving" not in after
    before, after = files_before_and_after_a_crash("perfect")
    assert "snapshot.receiving" in before and after == before


def test_a_perfect_disk_is_told_of_its_syncs_before_time_passes() -> None:
    lines = ("cluster 1 disk=perfect sync=1h", "run until leader", "set x 1", "status 1")
    status = tell(*lines)[-1]
    assert status["durable_index"] == status["last_index"] == status["commit_index"] > 0


@pytest.mark.parametrize(
    "line",
    [
        "disk 1 fail sync",
        "disk 1 full",
        "disk 1 damage log-1 0",
        "disk 1 sync=1ms",
        "crash 1 inside 3",
    ],
)
def test_a_perfect_disk_has_no_faults(line: str) -> None:
    answer = tell("cluster 3 disk=perfect", "run until leader", line)[-1]
    assert "perfect" in answer["error"]


def test_faults_by_chance_leave_a_perfect_disk_alone() -> None:
    for seed in range(1, 9):
        report = run("--seed", str(seed), "--disk", "perfect", "--faults", "all", *CLIENTS)
        strikes = report["strikes"]
        assert report["ok"], report["violations"]
        assert strikes.keys().isdisjoint({"disk", "damage", "inside"}) and strikes["crash"] >= 0


def test_a_world_by_hand_may_have_perfect_disks() -> None:
    cluster = "cluster 3 manual pre_vote=off disk=perfect"
    status = tell(cluster, "timeout 1", "deliver 1 2", "crash 2", "restart 2", "status 2")[-1]
    assert (status["term"], status["voted_for"]) == (1, 1)


# ---- clients that never ask twice ------------------------------------------------


def test_without_retries_nothing_is_sent_twice_and_nobody_has_a_session() -> None:
    unknown = 0
    for seed in range(1, 6):
        flags = ("--seed", str(seed), "--faults", "partition,crash,duplicate", *CLIENTS)
        report = run("--retries", "off", *flags)
        assert report["ok"] and report["retries"] == 0
        assert run(*flags)["retries"] > 0
        unknown += report["unknown_outcomes"]
    assert unknown > 0
    log = tell("cluster 3 retries=off clients=3", "run 2s", "set y 1", "log 1 1 900")[-1]["entries"]
    assert len(log) > 50
    assert not [entry for entry in log if "REGISTER" in entry["text"]]


def test_without_retries_a_duplicated_request_is_sent_once() -> None:
    """A session would have caught the second copy; here there has to be none."""
    lines = ("cluster 3 retries=off", "run until leader", "duplicate 100")
    answers = tell(*lines, *("incr x",) * 9, "run 1s", "get x")
    assert answers[-1]["reply"] == "9"


def test_without_retries_the_console_asks_on_only_where_it_was_refused() -> None:
    begin = ("cluster 3 retries=off seed=4", "run until leader")
    leader = tell(*begin)[-1]["leader"]
    # Whoever it asks first, in the end it has asked the leader, and once.
    assert tell(*begin, "incr x", "get x")[-1]["reply"] == "1"
    # A leader that can commit nothing does not refuse, and does not answer either.
    others = [n for n in (1, 2, 3) if n != leader]
    down = [f"crash {n}" for n in others]
    answers = tell(*begin, "set x 1", *down, "incr x", *(f"restart {n}" for n in others))
    assert "not known" in answers[5]["error"]


# ---- counters --------------------------------------------------------------------


def counters(*lines: str) -> dict[str, Any]:
    return tell(*lines, "counters")[-1]


def test_the_messages_of_an_election_by_hand_are_counted_by_kind() -> None:
    lines = ["cluster 3 manual pre_vote=off", "timeout 1", "deliver 1 2", "deliver 2 1"]
    seen = counters(*lines)
    assert (seen["messages_vote"], seen["messages_vote_reply"]) == (2, 1)
    # The leader's first entry goes to both, and is 64 + 24 bytes and no data.
    assert (seen["messages_append"], seen["entries_sent"]) == (2, 2)
    assert seen["message_bytes_append"] == 2 * (64 + 24)
    assert (seen["messages"], seen["message_bytes"]) == (5, 5 * 64 + 2 * 24)
    assert (seen["elections"], seen["elections_won"], seen["term_max"]) == (1, 1, 1)
    assert (seen["entries_appended"], seen["entries_committed"]) == (1, 0)


def test_all_is_the_sum_of_its_kinds() -> None:
    seen = counters("cluster 5 snapshot_entries=20 clients=4", "crash 1", "run 3s",
                    "restart 1", "run 3s")  # fmt: skip
    kinds = [name for name in seen if name.startswith("messages_")]
    assert sum(seen[name] for name in kinds) == seen["messages"]
    sizes = [name for name in seen if name.startswith("message_bytes_")]
    assert sum(seen[name] for name in sizes) == seen["message_bytes"]
    assert seen["messages_snapshot"] > 0 and seen["messages_heartbeat"] > 0
    assert seen["message_bytes_snapshot"] > 64 * seen["messages_snapshot"]


def test_the_data_of_entries_counts() -> None:
    begin = ("cluster 3 retries=off", "run until leader", "run 200ms", "counters reset")
    small = counters(*begin, "set x " + 10 * "a")
    large = counters(*begin, "set x " + 1010 * "a")
    entries = small["entries_sent"]
    assert entries >= 2
    assert large["message_bytes_append"] - small["message_bytes_append"] in (
        1000 * entries,
        1001 * entries,
        1002 * entries,
    )


def test_the_longest_wait_of_a_client_is_told_while_it_waits_and_after_it() -> None:
    begin = ("cluster 3 delay=1ms..1ms sync=1ms..1ms check_quorum=off", "run until leader",
             "clients start 4", "run 1s", "counters reset")  # fmt: skip
    quiet = counters(*begin, "run 1s")["wait_us_max"]
    assert 4000 <= quiet <= 50000  # to the leader, to another, and both ways back
    nobody = ("pause 1", "pause 2", "pause 3", "run 3s")
    assert 2400000 <= counters(*begin, *nobody)["wait_us_max"] <= 3000000
    after = (*nobody, "resume 1", "resume 2", "resume 3", "clients stop", "run until quiet")
    assert 3000000 <= counters(*begin, *after)["wait_us_max"] <= 5000000
    assert counters(*begin, *after, "counters reset", "run 1s")["wait_us_max"] == 0


def test_counters_begin_anew() -> None:
    lines = ("cluster 3 clients=2", "run 2s", "counters reset")
    seen = counters(*lines)
    assert {name for name, count in seen.items() if count} == {"ok", "term_max"}
    seen = counters(*lines, "clients stop", "run 2s")
    assert seen["time_us"] == 2000000 and seen["elections"] == 0
    # Three nodes, a heartbeat each 50 ms to the other two.
    assert 78 <= seen["messages_heartbeat"] <= 82


def test_a_counter_may_be_claimed_about() -> None:
    lines = ("cluster 3", "run until leader", "expect elections == 1", "expect messages <= 3")
    held, broken = tell(*lines)[-2:]
    assert held == {"ok": True}
    assert broken["error"].startswith("messages is ")
    assert "usage" in tell("cluster 3", "expect messages 1 <= 3")[-1]["error"]


def test_elections_that_nobody_wins_are_counted() -> None:
    lines = ("cluster 3 pre_vote=off", "crash 2", "crash 3", "run 3s")
    seen = counters(*lines)
    assert seen["elections"] == seen["term_max"] > 5
    assert seen["elections_won"] == 0
