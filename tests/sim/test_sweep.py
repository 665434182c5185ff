"""raftsim sweep: many seeds, handed to workers, in one summary."""

import json
import pathlib
import re
import shlex
import signal
import subprocess
import time
from typing import Any

import pytest

from raftlab import build

SECONDS_MAX = 120
SHORT = ("--duration", "500ms")
LONG = ("--duration", "1h", "--faults", "none", "--clients", 1)
# Clocks that are further apart than leases allow for: stale reads, soon.
BROKEN = ("--nodes", 3, "--clients", 4, "--keys", 1, "--duration", "2s") + (
    *("--faults", "partition"),
    *("--lease", 1, "--drift", 80),
)


def command(*arguments: Any) -> list[str]:
    return [str(build.program("raftsim")), *map(str, arguments)]


def ask(*arguments: Any) -> tuple[dict[str, Any], subprocess.CompletedProcess]:
    done = subprocess.run(
        command(*arguments),
        cwd=build.ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.stdout.count("\n") == 1, done.stderr
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["ok"] else 1)
    return answer, done


def sweep(*arguments: Any) -> dict[str, Any]:
    return ask("sweep", *arguments)[0]


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name != "wall_ms"}


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for(what: Any) -> Any:
    limit = time.monotonic() + SECONDS_MAX
    while time.monotonic() < limit:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it does not come")


def children(pid: int) -> list[int]:
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# ---- what a summary tells --------------------------------------------------------------


def test_a_summary_does_not_depend_on_the_number_of_workers() -> None:
    reports = [sweep("--seeds", "1..24", *SHORT, "--jobs", jobs) for jobs in (1, 2, 5)]
    assert reports[0]["seeds"] == 24 and reports[0]["ended"] == "done"
    assert timeless(reports[0]) == timeless(reports[1]) == timeless(reports[2])


def test_a_summary_adds_up_what_single_runs_report(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "runs.jsonl"
    summary = sweep("--seeds", "5..8", *SHORT, "--out", out)
    runs = lines(out)
    assert [run["seed"] for run in runs] == [5, 6, 7, 8]
    for run in runs:
        again, _ = ask("run", "--seed", run["seed"], "--faults", "all", *SHORT)
        assert timeless(run) == timeless(again)
    for name in "events virtual_ms elections committed operations messages".split():
        assert summary[name] == sum(run[name] for run in runs) > 0, name
    for kind, count in summary["strikes"].items():
        assert count == sum(run["strikes"][kind] for run in runs), kind


def test_equal_sweeps_have_equal_hashes_and_others_do_not() -> None:
    hashes = [sweep("--seeds", seeds, *SHORT)["trace_hash"] for seeds in ("1..3", "1..3", "2..4")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_sweep_says_which_marks_it_reached_and_which_not() -> None:
    summary = sweep("--seeds", "1..300", "--duration", "5s")
    reached, missing = summary["reached"], summary["not_reached"]
    assert not set(reached) & set(missing)
    assert all(1 <= runs <= 300 for runs in reached.values())
    assert len(reached) >= 0.8 * (len(reached) + len(missing)), missing
    assert {"COMMIT_OLD_TERM", "CHANGE_JOINT", "IS_7", "READ_LEASE"} <= set(reached)


def test_a_sweep_that_tests_nothing_shows() -> None:
    summary = sweep("--seeds", "1..5", *SHORT, "--faults", "none")
    assert summary["ok"] and summary["reached"]["CAND_2"] == 5
    assert {"AE_3", "CHANGE_JOINT", "IS_2", "LEADER_DEPOSED"} <= set(summary["not_reached"])


# ---- failures --------------------------------------------------------------------------


def test_a_failure_is_named_with_the_command_that_replays_it() -> None:
    summary, done = ask("sweep", "--seeds", "1..40", "--stop-after", 1, *BROKEN)
    assert summary["failures"] == 1 and summary["ended"] == "failures"
    rule = summary["rules"][0]
    assert rule["seed"] == summary["last"] and f"seed {rule['seed']}: " in done.stderr
    program, *words = shlex.split(rule["replay"])
    assert program == "raftsim"
    again, _ = ask(*words)
    assert again["violations"][0]["property"] == rule["rule"] == "linearizability"
    assert again["violations"][0]["event"] == rule["event"]


def test_a_sweep_stops_at_the_same_failure_with_any_number_of_workers() -> None:
    flags = ("--seeds", "1..60", "--stop-after", 2, *BROKEN)
    one, many = (sweep(*flags, "--jobs", jobs) for jobs in (1, 4))
    assert one["failures"] == 2 and one["seeds"] < 60
    assert timeless(one) == timeless(many)


def disturbed(tmp_path: pathlib.Path, number: int, *flags: Any) -> dict[str, Any]:
    """The summary of a sweep of which one worker gets a signal in the middle of a seed."""
    out = tmp_path / "runs.jsonl"
    flags = ("--jobs", 2, "--out", out, *flags)
    child = subprocess.Popen(
        command("sweep", *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        worker = wait_for(lambda: children(child.pid))[0]
        subprocess.run(["kill", f"-{number}", str(worker)], check=True)
        printed, told = child.communicate(timeout=SECONDS_MAX)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 1, told
    return json.loads(printed) | {"lines": lines(out)}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_a_failure_of_its_seed_and_the_sweep_goes_on(
    tmp_path: pathlib.Path, number: int
) -> None:
    summary = disturbed(tmp_path, number, "--seeds", "1..8", "--duration", "10s")
    assert summary["seeds"] == 8 and summary["failures"] == 1 and summary["ended"] == "done"
    rule = summary["rules"][0]
    assert rule["rule"] == "crash" and f"signal {int(number)} " in rule["text"]
    assert re.search(rf"--seed {rule['seed']}$", rule["replay"])
    bad = [line["seed"] for line in summary["lines"] if not line["ok"]]
    assert bad == [rule["seed"]] and len(summary["lines"]) == 8


def test_a_run_that_does_not_end_is_a_failure_of_its_seed(tmp_path: pathlib.Path) -> None:
    flags = ("--seeds", "1..8", "--duration", "5s", "--seed-seconds", 1)
    summary = disturbed(tmp_path, signal.SIGSTOP, *flags)
    assert summary["seeds"] == 8 and summary["failures"] == 1
    assert summary["rules"][0]["rule"] == "endless"


# ---- stopping early --------------------------------------------------------------------


def test_an_interrupted_sweep_tells_what_it_has_done(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "runs.jsonl"
    flags = ("--seeds", "1..1000000", *SHORT, "--out", out)
    child = subprocess.Popen(command("sweep", *flags), stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: out.exists() and out.stat().st_size > 0)
        child.send_signal(signal.SIGINT)
        printed, _ = child.communicate(timeout=SECONDS_MAX)
    finally:
        child.kill()
        child.wait()
    summary = json.loads(printed)
    assert child.returncode == 0 and summary["ended"] == "asked"
    assert 0 < summary["seeds"] < 1000000 and summary["last"] == summary["seeds"]
    assert len(lines(out)) == summary["seeds"]


def test_a_sweep_ends_when_its_time_is_over() -> None:
    summary = sweep("--seeds", "1..1000000", *SHORT, "--seconds", 1)
    assert summary["ended"] == "seconds" and 0 < summary["seeds"] < 1000000


def test_workers_end_with_the_process_that_started_them() -> None:
    child = subprocess.Popen(command("sweep", "--seeds", "1..4", *LONG), stdout=subprocess.PIPE)
    workers = wait_for(lambda: children(child.pid))
    child.kill()
    child.wait()
    wait_for(lambda: not any(runs(worker) for worker in workers))


def runs(pid: int) -> bool:
    """Whether it is there, and is not a dead one that nobody has asked for."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# ---- what cannot be asked for ----------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--seeds", "9..1"], "--seeds must be two numbers"),
        (["--seeds", "x"], "--seeds must be two numbers"),
        (["--jobs", "0"], "--jobs must be a number"),
        (["--stop-after", "0"], "--stop-after must be"),
        (["--seconds"], "--seconds must be"),
        (["--out"], "--out must be"),
        (["--seed", "1"], "say --seeds A..B"),
        (["--trace", "t"], "is for one run"),
        (["--nodes", "99"], "--nodes must be"),
        (["--nothing"], "unknown flag --nothing"),
        (["--out", "/nowhere/at/all"], "cannot write"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(flags: list[str], told: str) -> None:
    done = subprocess.run(command("sweep", *flags), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and told in done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1
