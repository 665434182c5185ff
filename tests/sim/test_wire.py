"""--wire json: messages pass as bytes, through the codec of real nodes."""

import json
import subprocess
from typing import Any

import pytest

from raftlab import build

SECONDS_MAX = 120
ALL_BUT_CORRUPT = (
    "partition,oneway,partial,flap,swizzle,loss,duplicate,delay,reorder,link,crash,inside,"
    "pause,slow,disk,damage,clock,members,transfer,snapshot,settings"
)


def raftsim(*arguments: Any, text: str = "") -> subprocess.CompletedProcess:
    command = [str(build.program("raftsim")), *map(str, arguments)]
    return subprocess.run(
        command, cwd=build.ROOT, input=text, capture_output=True, text=True, timeout=SECONDS_MAX
    )


def run(*arguments: Any) -> dict[str, Any]:
    done = raftsim("run", *arguments)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def tell(*lines: str) -> list[dict[str, Any]]:
    """The answers to these lines at the prompt."""
    done = raftsim("repl", text="".join(line + "\n" for line in lines))
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("seed", range(1, 7))
def test_messages_as_bytes_give_the_same_run(seed: int) -> None:
    flags = ("--seed", seed, "--duration", "10s", "--faults", ALL_BUT_CORRUPT)
    reports = [run(*flags, "--wire", wire) for wire in ("none", "json")]
    for report in reports:
        del report["wall_ms"]
    assert reports[0] == reports[1]
    assert reports[0]["ok"] and reports[0]["messages_damaged"] == 0


def test_a_seed_that_draws_no_corruption_is_the_same_run_with_all_faults() -> None:
    same = struck = 0
    for seed in range(1, 13):
        flags = ("--seed", seed, "--duration", "5s", "--faults", "all")
        plain, bytes_ = run(*flags), run(*flags, "--wire", "json")
        assert "corrupt" not in plain["strikes"] and bytes_["ok"]
        same += bytes_["trace_hash"] == plain["trace_hash"]
        struck += bytes_["messages_damaged"] > 0
    assert same > 2 and struck > 2


@pytest.mark.parametrize("seed", range(1, 5))
def test_damaged_lines_are_refused_and_nothing_comes_of_them(seed: int) -> None:
    flags = ("--seed", seed, "--duration", "20s", "--wire", "json", "--faults", "corrupt")
    report = run(*flags)
    assert report["ok"], report
    assert report["strikes"]["corrupt"] > 5
    assert report["messages_refused"] == report["messages_damaged"] > 300


def test_a_world_by_commands_takes_bytes_too() -> None:
    lines = ("clients start 3", "run 2s", "hold 1 2", "run 1s", "heal", "settle", "hash")
    plain = tell("cluster 3 seed=5", *lines)
    bytes_ = tell("cluster 3 seed=5 wire=json", *lines)
    assert plain == bytes_ and all(answer["ok"] for answer in plain)


def test_damaged_bytes_are_lost_messages_and_break_no_rule() -> None:
    answers = tell(
        *("cluster 5 seed=7 wire=json snapshot_entries=40 snapshot_chunk=200", "corrupt 20%"),
        *("clients start 5", "run 20s", "restart 1", "corrupt 0%", "settle", "check"),
    )
    damaged, check = answers[5], answers[7]
    assert damaged["damaged"] > 5000
    # A checksum of 32 bits lets nothing through that could be met by chance.
    assert damaged["refused"] == damaged["damaged"]
    assert check["ok"] and check["violations"] == [] and check["linearizable"] == "yes"


def test_only_bytes_can_be_damaged() -> None:
    assert not tell("cluster 3", "corrupt 5%")[1]["ok"]
    assert not tell("cluster 3 wire=xml")[0]["ok"]
    assert raftsim("run", "--wire", "xml").returncode == 2
