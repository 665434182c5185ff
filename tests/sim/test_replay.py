"""A run once more: raftsim run --check, raftsim replay."""

import json
import pathlib
import subprocess
from typing import Any

import pytest

from raftlab import build

FLAGS = ("--seed", "5", "--faults", "all", "--duration", "3s")


def raftsim(*arguments: Any, text: str = ""):
    return subprocess.run(
        [str(build.program("raftsim")), *map(str, arguments)],
        cwd=build.ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def trace(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("replay") / "trace"
    assert raftsim("run", *FLAGS, "--trace", path).returncode == 0
    return path


def test_a_checked_run_is_the_run_and_says_that_it_repeats() -> None:
    done = raftsim("run", *FLAGS, "--check")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["deterministic"] is True
    plain = json.loads(raftsim("run", *FLAGS).stdout)
    assert report["trace_hash"] == plain["trace_hash"]


def test_a_trace_says_first_which_run_it_is(trace: pathlib.Path) -> None:
    head = trace.read_text().split("\n", 1)[0]
    assert head == "# raftsim run " + " ".join(FLAGS)


def test_a_trace_replays_line_by_line(trace: pathlib.Path) -> None:
    done = raftsim("replay", trace)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["same"] is True
    assert report["lines"] == trace.read_text().count("\n")
    assert report["trace_hash"] == json.loads(raftsim("run", *FLAGS).stdout)["trace_hash"]


def test_the_first_line_that_differs_is_shown(trace: pathlib.Path, tmp_path) -> None:
    lines = trace.read_text().splitlines()
    other = lines[:]
    other[999] = "something else"
    path = tmp_path / "altered"
    path.write_text("\n".join(other) + "\n")
    done = raftsim("replay", path)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["same"] is False
    assert report["lines"] == 1000
    assert (report["recorded"], report["now"]) == ("something else", lines[999])


def test_a_replay_stops_at_an_event_and_takes_commands(trace: pathlib.Path) -> None:
    flags = raftsim("replay", *FLAGS, "--until", 700, text="hash\nstep 3\n")
    told = [json.loads(line) for line in flags.stdout.splitlines()]
    assert flags.returncode == 0 and told[0]["event"] == 700
    assert told[1]["trace_hash"] == told[0]["trace_hash"]
    assert told[2]["events"] == 703
    recorded = raftsim("replay", trace, "--until", 700, text="hash\nstep 3\n")
    again = [json.loads(line) for line in recorded.stdout.splitlines()]
    assert again[1:] == told[1:]


def test_a_replay_prints_the_state_at_an_event(trace: pathlib.Path) -> None:
    done = raftsim("replay", trace, "--until", 700, "--print")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 2 and len(told[1]["nodes"]) >= 5


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["/dev/null"], "it is no trace"),
        (["/nowhere"], "cannot read"),
        (["--until", "none"], "--until must be"),
        (["--sead", "1"], "unknown flag"),
    ],
)
def test_what_cannot_be_replayed_is_refused(arguments: list[str], reason: str) -> None:
    done = raftsim("replay", *arguments)
    assert done.returncode == 2 and reason in done.stderr
