"""`raftsim linearize` and `raftsim history`: verdicts on files, and their forms."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from raftlab import build

SECONDS_MAX = 120
HEAD = "INFO  jepsen.util - "
# A register that goes back: client 1 reads what client 0 has overwritten.
STALE = [
    (0, ":invoke", ":write", "1"),
    (0, ":ok", ":write", "1"),
    (2, ":invoke", ":read", "nil"),
    (2, ":ok", ":read", "1"),
    (0, ":invoke", ":write", "2"),
    (0, ":ok", ":write", "2"),
    (1, ":invoke", ":read", "nil"),
    (1, ":ok", ":read", "1"),
]


def raftsim(*arguments: Any, text: str = "") -> subprocess.CompletedProcess[str]:
    program = build.program("raftsim")
    return subprocess.run(
        [str(program), *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def as_log(events: list[tuple[int, str, str, str]]) -> str:
    return "".join(HEAD + "\t".join(map(str, event)) + "\n" for event in events)


def as_edn(events: list[tuple[int, str, str, str]]) -> str:
    form = "{{:process {}, :type {}, :f {}, :value {}}}"
    return "[" + "\n".join(form.format(*event) for event in events) + "]\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the clients of a run saw, with answers that never came."""
    history = tmp_path_factory.mktemp("run") / "history"
    flags = ("--seed", 3, "--duration", "20s", "--faults", "partition,crash,loss")
    assert raftsim("run", *flags, "--clients", 5, "--history", history).returncode == 0
    return history


@pytest.mark.parametrize("write", [as_log, as_edn])
def test_a_window_shows_in_full_what_no_order_explains(write: Any) -> None:
    done = raftsim("linearize", "-", text=write(STALE))
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["linearizable"] == "no" and answer["key"] == "register"
    window = answer["window"]
    assert answer["window_size"] == len(window) == 3
    assert [operation["number"] for operation in window] == [0, 2, 3]
    assert [operation["kind"] for operation in window] == ["write", "write", "read"]
    assert window[2]["client"] == 1 and window[2]["result"] == "1"
    assert answer["stuck"] == 3 and answer["makers"] == [2]


def test_a_window_is_told_to_people() -> None:
    told = raftsim("linearize", "-", text=as_log(STALE)).stderr
    assert "No order explains these operations" in told
    assert 'write register "2"' in told and 'read register -> "1"' in told
    assert "just before #3 stands what #2 left" in told


def test_a_forged_answer_in_a_run_is_found_and_few_operations_show_it(
    recorded: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    operations = [json.loads(line) for line in recorded.read_text().splitlines()]
    reads = [o for o in operations if o["kind"] == "read" and o.get("result")]
    last, old = reads[-1], [o for o in reads if o["key"] == reads[-1]["key"]][0]
    assert last["result"] != old["result"]
    last["result"] = old["result"]
    forged = tmp_path / "forged"
    forged.write_text("".join(json.dumps(o) + "\n" for o in operations))
    done = raftsim("linearize", forged)
    answer = json.loads(done.stdout)
    assert done.returncode == 1 and answer["linearizable"] == "no"
    assert 0 < answer["window_size"] <= 8
    window = [{k: v for k, v in o.items() if k != "number"} for o in answer["window"]]
    assert all(operation in operations for operation in window)


def test_the_form_of_a_file_is_recognised_or_said() -> None:
    for text in (as_log(STALE), as_edn(STALE)):
        assert json.loads(raftsim("linearize", "-", text=text).stdout)["operations"] == 4
    said = raftsim("linearize", "-", "--format", "edn", text=as_log(STALE))
    assert said.returncode == 2 and "line 1: " in said.stderr


@pytest.mark.parametrize("form", ["jepsen", "edn", "json"])
def test_a_history_goes_to_each_form_and_back(
    form: str, recorded: pathlib.Path
) -> None:
    there = raftsim("history", recorded, "--to", form)
    assert there.returncode == 0, there.stderr
    again = raftsim("history", "-", "--to", form, text=there.stdout)
    assert again.stdout == there.stdout
    lines = len(recorded.read_text().splitlines())
    pending = recorded.read_text().count('"outcome":"pending"')
    assert pending > 0
    if form != "json":
        assert there.stdout.count("\n") == 2 * lines
        assert there.stdout.count(":info") == pending
    verdict = json.loads(raftsim("linearize", "-", text=there.stdout).stdout)
    assert verdict["linearizable"] == "yes" and verdict["operations"] == lines


def test_an_unknown_line_is_refused_with_its_number(tmp_path: pathlib.Path) -> None:
    history = tmp_path / "history"
    history.write_text(as_log(STALE) + "INFO  jepsen.core - Run complete\n")
    for command in (["linearize", history], ["history", history, "--to", "json"]):
        done = raftsim(*command)
        assert done.returncode == 2 and done.stdout == ""
        assert "line 9: a line that is no operation's" in done.stderr


def test_a_failed_cas_is_taken_as_the_form_does_or_as_is_said() -> None:
    events = [
        (0, ":invoke", ":cas", "[nil 1]"),
        (0, ":fail", ":cas", "[nil 1]"),
    ]
    cases = {(as_log, ""): 1, (as_log, "never"): 0, (as_edn, ""): 0, (as_edn, "saw"): 1}
    for (write, said), code in cases.items():
        flags = ["--failed-cas", said] if said else []
        assert raftsim("linearize", "-", *flags, text=write(events)).returncode == code


# ---- unknown is a failure ------------------------------------------------------------


def test_a_file_whose_verdict_is_unknown_fails(recorded: pathlib.Path) -> None:
    done = raftsim("linearize", recorded, "--steps", 5)
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["linearizable"] == "unknown" and answer["undecided"] > 0


def test_a_run_whose_verdict_is_unknown_fails() -> None:
    done = raftsim("run", "--seed", 1, "--duration", "2s", "--judge-steps", 5)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["violations"] == [] and report["linearizable"] == "unknown"
    assert report["ok"] is False


def test_a_script_whose_verdict_is_unknown_fails(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "unknown.scenario"
    script.write_text("cluster 3 clients=3\nrun 2s\ncheck steps=5\n")
    done = raftsim("script", script)
    assert done.returncode == 1
    script.write_text("cluster 3 clients=3\nrun 2s\ncheck\n")
    assert raftsim("script", script).returncode == 0


def test_a_sweep_counts_what_is_unknown_as_a_failure() -> None:
    flags = ("--seeds", "1..3", "--jobs", 1, "--duration", "2s", "--judge-steps", 5)
    done = raftsim("sweep", *flags)
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["unknown"] == 3


@pytest.mark.parametrize("always_yes", [False, True])
def test_the_comparison_with_another_judge_tells_where_they_differ(
    always_yes: bool, tmp_path: pathlib.Path
) -> None:
    """A judge that is ours in another's place, or one that finds nothing wrong."""
    judge = tmp_path / "judge"
    word = "yes" if always_yes else "$(cut -d '\"' -f 4)"
    program = build.program("raftsim")
    judge.write_text(f'#!/bin/sh\n{program} linearize "$1" 2>/dev/null | echo "{word}"\n')
    judge.chmod(0o755)
    compare = build.ROOT / "docs/examples/porcupine/compare.py"
    command = [sys.executable, compare, "--judge", judge, "--raftsim", program]
    done = subprocess.run(
        [*map(str, command), "--histories", "30"],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == int(always_yes), done.stdout
    assert f"raftsim yes, {judge} yes: " in done.stdout
    assert (f"raftsim no, {judge} yes: " in done.stdout) == always_yes
    assert (f"raftsim no, {judge} no: " in done.stdout) != always_yes
