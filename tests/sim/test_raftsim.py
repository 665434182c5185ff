"""build/raftsim as its users meet it: runs, scenarios, the prompt, bad input."""

import json
import pathlib
import re
import subprocess
from typing import Any

import pytest

from raftlab import build

SECONDS_MAX = 120
KINDS = (
    "partition oneway partial flap swizzle loss duplicate delay reorder link crash inside"
    " pause slow disk damage clock members transfer snapshot"
).split()


def raftsim(*arguments: Any, text: str = "", sanitized: bool = False):
    program = build.program("raftsim", sanitized=sanitized)
    return subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=build.ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def run(*arguments: Any, sanitized: bool = False) -> dict[str, Any]:
    done = raftsim("run", *arguments, sanitized=sanitized)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    report = json.loads(lines[-1])
    assert done.returncode == (0 if report["ok"] else 1)
    return report


def tell(*lines: str) -> list[dict[str, Any]]:
    """The answers to these lines at the prompt."""
    done = raftsim("repl", text="".join(line + "\n" for line in lines))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


# ---- runs ----------------------------------------------------------------------------


def test_a_quiet_run_elects_once_and_ends_well() -> None:
    quiet = ("--nodes", 5, "--clients", 10, "--duration", "5s", "--faults", "none")
    report = run("--seed", 1, *quiet)
    assert report["ok"] and report["linearizable"] == "yes"
    assert report["violations"] == []
    assert report["elections"] == 1
    assert report["committed"] > 1000 and report["operations"] > 1000
    assert report["virtual_ms"] >= 5000
    assert report["messages_lost"] == 0 and report["snapshots_taken"] == 0


def test_the_report_has_its_fields() -> None:
    report = run("--seed", 2, "--duration", "1s")
    for name in (
        "seed nodes events virtual_ms wall_ms elections committed operations"
    ).split():
        assert isinstance(report[name], int), name
    assert int(report["trace_hash"], 16) >= 0 and len(report["trace_hash"]) == 16


@pytest.mark.parametrize("seed", [3, 18446744073709551615])
def test_the_same_seed_is_the_same_run(seed: int, tmp_path: pathlib.Path) -> None:
    reports, traces = [], []
    for name in ("first", "second"):
        trace = tmp_path / name
        report = run(
            *("--seed", seed, "--nodes", 5, "--duration", "10s"),
            *("--faults", "all", "--trace", trace),
        )
        del report["wall_ms"]
        reports.append(report)
        traces.append(trace.read_text())
    assert reports[0] == reports[1]
    assert traces[0] == traces[1] and traces[0].count("\n") > 1000


def test_without_checkers_the_run_is_the_same_and_never_ok() -> None:
    flags = ("--seed", 4, "--duration", "10s", "--faults", "all", "--end", "rest")
    checked, unchecked = run(*flags), run(*flags, "--checkers", "off")
    assert checked["ok"] and "checkers" not in checked
    assert not unchecked["ok"] and unchecked["checkers"] == "off"
    assert unchecked["linearizable"] == "unknown"
    for name in ("trace_hash", "events", "elections", "committed"):
        assert checked[name] == unchecked[name], name


def test_the_sanitized_build_gives_the_same_hash() -> None:
    flags = ("--seed", 6, "--nodes", 5, "--duration", "5s", "--faults", "all")
    assert run(*flags)["trace_hash"] == run(*flags, sanitized=True)["trace_hash"]


def test_writing_a_trace_does_not_change_the_run(tmp_path: pathlib.Path) -> None:
    flags = ("--seed", 9, "--duration", "2s", "--faults", "all")
    plain = run(*flags)
    traced = run(*flags, "--trace", tmp_path / "trace")
    assert plain["trace_hash"] == traced["trace_hash"]


def test_other_seeds_are_other_runs() -> None:
    hashes = {run("--seed", s, "--duration", "1s")["trace_hash"] for s in range(1, 9)}
    assert len(hashes) == 8


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("seed", range(1, 7))
def test_no_fault_breaks_a_promise(seed: int, nodes: int) -> None:
    report = run(
        *("--seed", seed, "--nodes", nodes, "--duration", "15s", "--faults", "all")
    )
    assert report["ok"], report


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_strikes(kind: str) -> None:
    report = run("--seed", 1, "--duration", "20s", "--faults", kind)
    assert report["ok"], report
    assert list(report["strikes"]) == [kind]
    assert report["strikes"][kind] > 5


@pytest.mark.parametrize("seed", [11, 12])
def test_faults_under_sanitizers(seed: int) -> None:
    report = run(
        *("--seed", seed, "--nodes", 5, "--duration", "10s", "--faults", "all"),
        sanitized=True,
    )
    assert report["ok"], report


def test_a_history_that_was_written_is_read_and_linearizable(
    tmp_path: pathlib.Path,
) -> None:
    history = tmp_path / "history"
    flags = ("--seed", 5, "--duration", "5s", "--faults", "partition,crash")
    report = run(*flags, "--history", history)
    done = raftsim("linearize", history)
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["linearizable"] == "yes"
    assert 0 < answer["operations"] <= report["operations"]


def test_a_history_that_is_not_linearizable_is_refused(tmp_path: pathlib.Path) -> None:
    history = tmp_path / "history"
    lines = [
        {"client": 1, "kind": "write", "key": "x", "value": "1", "call": 1, "return": 2},
        {"client": 2, "kind": "read", "key": "x", "call": 3, "return": 4, "result": "2"},
    ]
    history.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = raftsim("linearize", history)
    assert done.returncode == 1
    assert json.loads(done.stdout)["linearizable"] == "no"


# ---- scenarios -----------------------------------------------------------------------


def test_a_script_stops_at_the_first_failed_claim(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "wrong.scenario"
    script.write_text("# a comment\ncluster 3\n\nexpect leader\nset x 1\n")
    done = raftsim("script", script)
    assert done.returncode == 1
    assert f"{script}:4: there is no leader" in done.stderr
    assert "set x 1" not in done.stdout


# ---- the prompt ----------------------------------------------------------------------


def test_the_example_of_the_design_works() -> None:
    answers = tell(
        *("cluster 5 seed=7", "run until leader", "partition 1 2 | 3 4 5"),
        *("propose set x 1", "run 2s", "heal", "run 1s", "expect same"),
        *("set x 1", "expect committed x 1", "expect violations 0"),
    )
    assert [a["ok"] for a in answers] == [True] * 11


def test_an_answer_that_is_not_ok_is_an_error_and_nothing_else() -> None:
    *_, answer = tell("cluster 3", "status 9")
    assert set(answer) == {"ok", "error"} and "no node" in answer["error"]


def test_help_for_expect_lists_the_claims() -> None:
    (answer,) = tell("help expect")
    for claim in ("one leader", "committed K V", "ticket NUMBER", "last_index"):
        assert claim in answer["help"][0]


def test_before_there_is_a_reply_a_claim_about_it_says_so() -> None:
    answers = tell(
        *("cluster 1", 'expect reply ""', 'set x ""', "get x", 'expect reply ""'),
        *("cluster 1", 'expect reply ""'),
    )
    assert [a["ok"] for a in answers] == [True, False, True, True, True, True, False]
    assert answers[1]["error"] == answers[6]["error"] == "there is no reply yet"


def test_every_line_has_one_answer() -> None:
    answers = tell("", "# nothing", "nonsense", "cluster 3", "quit")
    assert [a["ok"] for a in answers] == [True, True, False, True, True]


def test_words_may_be_any_bytes() -> None:
    answers = tell(
        *("cluster 1", r'set k "a b\x00\n\"\\"', "get k", 'set "" ""', 'get ""')
    )
    assert answers[2]["reply"] == 'a b\x00\n"\\'
    assert answers[4] == {"ok": True, "reply": ""}


def test_a_key_expires_everywhere_at_the_same_index() -> None:
    answers = tell(
        *("cluster 3 seed=4", "set k v PX 500", "expect committed k v", "run 1s"),
        *("expect absent k at 1", "expect absent k at 2", "expect absent k at 3"),
        *("run until quiet", "expect same", "expect violations 0"),
    )
    assert all(a["ok"] for a in answers), answers


def test_a_follower_takes_no_write_and_reads_through_its_leader() -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 2", "run until leader 2"),
        *("propose at 1 set x 1", "propose at 2 set x 1", "run 1s"),
        *("get x at 3", "get x at 2", "get x stale 1", "isolate 3", "run 2s"),
        *("get x at 3",),
    )
    assert "does not lead" in answers[4]["error"]
    assert [a["reply"] for a in answers[7:10]] == ["1", "1", "1"]
    assert "does not lead" in answers[-1]["error"]


def test_status_tells_what_raft_tells() -> None:
    *_, all_nodes, two = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 2", "run until leader 2"),
        *("set x 1", "run until quiet", "status", "status 2"),
    )
    assert [n["role"] for n in all_nodes["nodes"]] == ["follower", "leader", "follower"]
    assert len({n["hash"] for n in all_nodes["nodes"]}) == 1
    assert two["role"] == "leader" and two["leader"] == 2
    assert two["commit_index"] == two["applied_index"] == two["last_index"]
    assert [p["match_index"] for p in two["peers"]] == [two["last_index"]] * 2


def test_a_held_link_keeps_messages_until_they_are_released() -> None:
    answers = tell(
        *("cluster 2 seed=1", "run 1ms", "timeout 1", "run until leader 1"),
        *("run until quiet", "hold 1 > 2", "propose set x 1", "run 50ms"),
        *("expect last_index 2 == 1", "release 1 > 2", "run until applied 2"),
        *("expect committed x 1 at 2", "expect violations 0"),
    )
    assert all(a["ok"] for a in answers), answers
    assert answers[9]["messages"] >= 1


def test_so_many_have_applied_an_entry_and_no_more_at_that_very_event() -> None:
    begin = ("cluster 5 seed=3", "run until leader", "run until applied 1", "propose set x 1")
    for count in (1, 2, 3, 4, 5):
        answers = tell(*begin, f"run until applied 2 by {count}", "status")
        nodes = answers[-1]["nodes"]
        assert sum(n["applied_index"] >= 2 for n in nodes) == count
    left = tell(*begin, "isolate 1", "isolate 2", "isolate 3", "run until applied 2 by 4 within 1s")
    assert not left[-1]["ok"] and "has not come to that" in left[-1]["error"]


def test_a_paused_node_misses_nothing_that_waits_for_it() -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1"),
        *("pause 3", "set x 1", "run 100ms", "expect last_index 3 == 1", "resume 3"),
        *("run until quiet", "expect committed x 1 at 3", "expect violations 0"),
    )
    # The first no-op may not have come to node 3 before it was paused.
    failed = [a for a in answers if not a["ok"]]
    assert not failed or failed[0]["error"].startswith("last_index of node 3 is 0")


def test_a_node_whose_sync_fails_stops_and_can_come_back() -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1", "set x 1"),
        *("run until quiet", "disk 3 fail sync", "set x 2", "run 1s"),
        *("expect stopped 3", "status 3", "disk 3 ok", "restart 3"),
        *("run until quiet", "expect committed x 2 at 3", "expect violations 0"),
    )
    assert all(a["ok"] for a in answers), answers
    assert "sync" in answers[10]["reason"]


def test_a_node_whose_disk_is_full_waits_and_goes_on() -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1", "set x 1"),
        *("run until quiet", "disk 3 full", "set x 2", "run 1s", "expect up 3"),
        *("expect disk_full 3 == 1", "expect committed x 1 at 3", "disk 3 ok"),
        *("run until quiet", "expect committed x 2 at 3", "expect violations 0"),
    )
    assert all(a["ok"] for a in answers), answers


def test_a_damaged_log_is_refused_with_file_and_offset() -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1"),
        *("set a 1", "set b 2", "set c 3", "run until quiet", "disk 2 files"),
    )
    (name,) = answers[-1]["files"]
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1"),
        *("set a 1", "set b 2", "set c 3", "run until quiet"),
        *(f"disk 2 damage {name} 100", "crash 2", "restart 2", "disk 2 ok"),
        *("restart 2", "run until quiet", "expect same", "expect violations 0"),
    )
    assert not answers[10]["ok"] and name in answers[10]["error"]
    assert all(a["ok"] for n, a in enumerate(answers) if n != 10), answers


@pytest.mark.parametrize(
    "trouble",
    [
        ["crash 1 at write", "propose at 1 set x 1"],
        ["disk 1 fail sync", "propose at 1 set x 1", "pause 1"],
        ["disk 2 full", "propose at 1 set x 1", "run 1s", "crash 3"],
        ["delay 1s", "cut 1 2", "hold 2 > 3", "loss 100%"],
    ],
    ids=lambda trouble: trouble[0],
)
def test_settling_ends_all_trouble(trouble: list[str]) -> None:
    answers = tell(
        *("cluster 3 seed=1", "run 1ms", "timeout 1", "run until leader 1"),
        *("run until applied 1", *trouble, "settle", "run 1s"),
        *("expect up 1", "expect up 2", "expect up 3", "expect same"),
    )
    assert all(a["ok"] for a in answers), answers


def test_a_spare_joins_and_a_node_without_its_disk_does_not_come_back() -> None:
    answers = tell(
        *("cluster 3 spare=1 seed=1", "expect down 4", "run until leader", "set x 1"),
        *("add 4", "run 1s", "expect member 4 voter", "disk 3 lost", "restart 3"),
        *("remove 3", "set x 2", "run 1s", "expect configuration 1 2 4", "expect same"),
        *("expect committed x 2 at 4", "expect violations 0"),
    )
    assert [n for n, a in enumerate(answers) if not a["ok"]] == [8]
    assert "its disk is lost" in answers[8]["error"]


def test_a_change_has_a_ticket_and_is_told_in_the_log() -> None:
    answers = tell(
        *("cluster 4 seed=1", "run until leader", "set x 1", "change remove 3 4"),
        *("run 1s", "ticket 0", "log 1", "expect configuration 1 2", "expect same"),
    )
    assert answers[5]["state"] in ("done", "lost")
    texts = [entry["text"] for entry in answers[6]["entries"]]
    assert any("leaving" in text for text in texts), texts
    assert "(configuration 1 2)" in texts


def test_clocks_that_pass_two_to_the_31_and_32_ms_do_no_harm() -> None:
    for start_ms in (2**31, 2**32):
        answers = tell(
            *(f"cluster 3 seed=1 clients=2 clock={start_ms // 1000 - 1}s", "run 3s"),
            *("expect term == 1", "settle", "check", "expect violations 0"),
        )
        assert all(a["ok"] for a in answers), answers


def test_drift_beyond_what_leases_allow_for_is_found_and_less_is_harmless() -> None:
    """Old reads are found by their clients' histories alone."""
    flags = ("--nodes", 3, "--clients", 12, "--keys", 2, "--duration", "20s")
    flags += ("--faults", "partition", "--lease", 10)
    within = [run("--seed", seed, *flags, "--drift", 10) for seed in range(1, 16)]
    assert all(report["ok"] for report in within)
    beyond = [run("--seed", seed, *flags, "--drift", 90) for seed in range(1, 16)]
    found = [report["violations"] for report in beyond if not report["ok"]]
    assert found and all(v[0]["property"] == "linearizability" for v in found)


def test_random_faults_and_clients_can_be_had_at_the_prompt() -> None:
    answers = tell(
        *("cluster 5 seed=3 clients=4 keys=3", "faults partition,crash", "run 10s"),
        *("settle", "check", "expect same", "hash", "history"),
    )
    assert all(a["ok"] for a in answers), answers
    assert answers[4]["linearizable"] == "yes" and answers[7]["operations"] > 50


def test_the_same_lines_give_the_same_answers() -> None:
    lines = ["cluster 5 seed=3 clients=4", "faults all", "run 5s", "hash", "status"]
    assert tell(*lines) == tell(*lines)


def test_help_names_every_command() -> None:
    (answer,) = tell("help")
    names = {usage.split()[0] for usage in answer["help"]}
    assert {"cluster", "run", "partition", "expect", "quit", "disk"} <= names
    text = (build.ROOT / "docs" / "simulator.md").read_text()
    missing = [name for name in names if f"`{name}" not in text]
    assert not missing, f"docs/simulator.md does not tell of {missing}"


# ---- what the documents show ---------------------------------------------------------
#
# A seed replays the same run, so that documents can be exact. Where a change of the code
# moves the figures: /usr/bin/python3 -m pytest tests/sim -k document --record

DOCUMENT = build.ROOT / "docs" / "simulator.md"
README = build.ROOT / "README.md"


def test_the_conversation_in_the_document_is_what_raftsim_says(
    tmp_path: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    text = DOCUMENT.read_text()
    (told,) = re.findall(r"^```raftsim\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    script = tmp_path / "conversation"
    lines = [line for line in told.splitlines() if not line.startswith("    ")]
    script.write_text("\n".join(lines) + "\n")
    done = raftsim("script", script)
    assert done.returncode == 0, done.stderr
    if pytestconfig.getoption("record"):
        DOCUMENT.write_text(text.replace(told, done.stdout))
    else:
        assert done.stdout == told


def test_the_report_in_the_readme_document_is_what_raftsim_says(
    pytestconfig: pytest.Config,
) -> None:
    """Of the fields that it shows; the rest stands for `...`."""
    text = README.read_text()
    command, told = re.search(
        r"^ +\$ build/raftsim (run .*)\n\n +(\{[^}]*), \.\.\.\}$", text, re.MULTILINE
    ).groups()
    shown = json.loads(told + "}")
    assert {"trace_hash", "elections", "committed", "linearizable"} <= set(shown)
    report = run(*command.split()[1:])
    real = {name: report[name] for name in shown}
    if pytestconfig.getoption("record"):
        fresh = told
        for name in shown:
            field = f'"{name}":'
            fresh = fresh.replace(
                field + json.dumps(shown[name]), field + json.dumps(real[name])
            )
        README.write_text(text.replace(told, fresh))
    else:
        assert shown == real


# ---- bad input -----------------------------------------------------------------------

BAD_LINES = [
    ("cluster", "usage: cluster"),
    ("cluster 0", "1 to 15 nodes"),
    ("cluster 16", "1 to 15 nodes"),
    ("cluster 3 colour=red", "unknown setting"),
    ("cluster 3 seed=x", "seed must be a number"),
    ("cluster 3 delay=5ms..1ms", "no range"),
    ("cluster 3 election_timeout=50ms heartbeat=60ms", "cannot be used"),
    ("run 1", "no duration"),
    ("run until rain", "unknown condition"),
    ("run until leader within", "within DURATION"),
    ("run until applied 2 by", "no number"),
    ("run until applied 2 by x", "no number"),
    ("run until committed 2 by 3", "within DURATION"),
    ("step x", "no number"),
    ("partition 1 2 | 2 3", "two groups"),
    ("partition 1 9", "no node"),
    ("cut 1 1", "no link to itself"),
    ("cut 1 > 2 3", "usage"),
    ("loss 101%", "percentage"),
    ("loss much", "percentage"),
    ("crash 7", "no node"),
    ("crash 1 lose hope", "expected: crash"),
    ("restart 1", "is up"),
    ("resume 1", "not paused"),
    ("disk 1 explode", "usage: disk"),
    ("disk 1 damage nothing 0", "no byte"),
    ("propose", "usage"),
    ("propose get x", "a read is not proposed"),
    ("do frobnicate", "unknown command"),
    ("do set x", "wrong number"),
    ("propose set x 1", "no leader"),
    ("ticket 0", "no ticket"),
    ("expect miracles", "unknown claim"),
    ("expect term ~ 3", "no leader"),
    ("expect term 1 ~ 3", "compares nothing"),
    ("faults gremlins", "expected: all"),
    ("trace /no/such/folder/file", "cannot write"),
    ('set x "open', "does not end"),
    (r'set x "\q"', "unknown escape"),
    ("set " + "x " * 70, "more than 64 words"),
    ("cluster 3 spare=13", "at most 15 nodes"),
    ("cluster 3 lease=10.5", "whole percentage"),
    ("cluster 3 snapshot_entries=0", "no number"),
    ("add 4", "no leader"),
    ("add 1 at 9", "no node"),
    ("change remove at 1", "usage: change"),
    ("transfer", "no leader"),
    ("clock 1 drift=fast", "expected: clock"),
    ("clock 1 jump=2h", "expected: clock"),
    ("clock 1 skew=1s drift=91%", "expected: clock"),
    ("expect member 1 learner", "node 1 is voter"),
    ("expect configuration 1 2", "the configuration is 1 2 3"),
    ("refused expect violations 0", "not refused"),
    ("refused refused frobnicate", "usage: refused"),
    ("try refused frobnicate", "usage: try"),
    ("run 1s until", "unknown condition"),
    ("run 1s until leader within 2s", "usage: run"),
    ("run leader until 1s", "unknown condition"),
    ("expect role 1", "usage: expect role"),
    ("expect role 1 leader candidate", "node 1 is follower"),
    ("expect leader 9", "no node"),
    ("frobnicate", "unknown command"),
]


@pytest.mark.parametrize("line, reason", BAD_LINES, ids=[b[0][:30] for b in BAD_LINES])
def test_a_bad_line_is_refused_and_changes_nothing(line: str, reason: str) -> None:
    cluster, before, answer, after = tell("cluster 3 seed=1", "hash", line, "hash")
    assert not answer["ok"]
    assert reason in answer["error"], answer
    assert "\n" not in answer["error"]
    assert before == after


def test_before_there_is_a_cluster_commands_say_so() -> None:
    (answer,) = tell("run 1s")
    assert "no cluster yet" in answer["error"]


BAD_FLAGS = [
    (["run", "--seed"], "--seed needs a value"),
    (["run", "--seed", "-1"], "--seed must be a number"),
    (["run", "--seed", "18446744073709551616"], "--seed must be a number"),
    (["run", "--nodes", "0"], "from 1 to 15"),
    (["run", "--nodes", "16"], "from 1 to 15"),
    (["run", "--seed="], "--seed must be a number"),
    (["run", "--duration", "60"], "a duration above zero, such as"),
    (["run", "--duration", "0s"], "a duration above zero, such as"),
    (["run", "--faults", "rain"], "all, none or a list"),
    (["run", "--faults", "loss,"], "all, none or a list"),
    (["run", "--colour", "red"], "unknown flag --colour"),
    (["run", "--colour=red"], "unknown flag --colour=red"),
    (["run", "extra"], "unknown flag extra"),
    (["run", "--trace", "/no/such/folder/file"], "cannot write"),
    (["script"], "file's name is missing"),
    (["script", "/no/such/file"], "cannot read"),
    (["script", "sim"], "cannot read sim"),
    (["linearize"], "file's name is missing"),
    (["linearize", "/no/such/file"], "cannot read"),
    (["linearize", "Makefile"], "Makefile: "),
    (["linearize", "sim"], "sim: cannot be read"),
    (["dance"], 'cannot do "dance"'),
    ([], "say what to do"),
]


@pytest.mark.parametrize("arguments, reason", BAD_FLAGS, ids=lambda v: str(v)[:40])
def test_a_bad_flag_gets_one_clear_line(arguments: list[str], reason: str) -> None:
    done = raftsim(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert reason in done.stderr
    assert done.stderr.startswith("raftsim: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", ["--help", "help", "run --help", "repl --help"])
def test_help_goes_to_standard_output(words: str) -> None:
    done = raftsim(*words.split())
    assert done.returncode == 0 and "raftsim run" in done.stdout and not done.stderr


def test_the_version_is_told() -> None:
    done = raftsim("--version")
    assert done.returncode == 0 and re.fullmatch(r"raftsim \d+\.\d+\.\d+\n", done.stdout)


def test_a_flag_and_its_value_may_be_one_word() -> None:
    one, two = run("--seed=3", "--duration=1s"), run("--seed", 3, "--duration", "1s")
    assert one["trace_hash"] == two["trace_hash"] and one["seed"] == 3


def test_an_hour_is_a_duration() -> None:
    report = run("--nodes", 1, "--duration", "0.001h")
    assert 3600 <= report["virtual_ms"] < 60000
