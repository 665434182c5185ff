"""The failure report: what it says, how short it gets, and that its page is whole."""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree

import pytest
from raftlab import build, lab_failure
from raftlab.lab_failure import LabFailure

TOOLS = build.ROOT / "labs" / "tools"
sys.path.insert(0, str(TOOLS))

import report  # noqa: E402  (the path above comes first)
from reporting import (  # noqa: E402
    calm, crash, facts, flow, page, play, rules, shorten, tail, time_left, words,
)  # fmt: skip

STALE_READ = build.ROOT / "sim" / "scenarios" / "lease-by-hand.scenario"
LATE = ["cluster 3 seed=1", "run 400ms", "expect one leader", "crash 2 lose all", "run 100ms",
        "restart 2", "loss 10", "run 200ms", "set x 1", "expect committed x 2"]  # fmt: skip

# A raftsim whose code asserts once a second node campaigns.
ASSERTING = """\
#!{python}
import subprocess, sys
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
real = subprocess.Popen([{raftsim!r}, "repl"], **pipes)
campaigns = 0
for line in sys.stdin:
    campaigns += line.startswith("timeout")
    if campaigns == 2:
        print("raftsim: raft/role.c:77: role_campaign: Assertion `votes == 0' failed.",
              file=sys.stderr)
        real.kill()
        sys.exit(134)
    real.stdin.write(line)
    real.stdin.flush()
    print(real.stdout.readline(), end="", flush=True)
"""


@pytest.fixture(scope="module")
def raftsim() -> pathlib.Path:
    return build.program("raftsim")


def failure(**fields) -> LabFailure:
    return LabFailure(
        **{
            "claim": "test_a_value_is_agreed_on",
            "expected": "all nodes agree on x=2",
            "seen": "they hold 1",
            "rules": "AE-4 LEAD-4",
            "seed": 1,
        }
        | fields
    )


@pytest.fixture(scope="module")
def stale(raftsim, tmp_path_factory) -> report.Paths:
    """What is written of a scenario in which a client reads an old value."""
    out = tmp_path_factory.mktemp("report")
    return report.write(report.of_scenario(STALE_READ, raftsim), 0, out, raftsim)


# ---- the text ------------------------------------------------------------------------


def test_a_broken_rule_is_named_with_its_meaning(stale):
    text = stale.text.read_text()
    assert "Broken    linearizability\n" in text
    assert "Some order of the clients' operations explains all their answers." in text
    assert "no order explains write x new, read x → nothing" in text


def test_a_label_is_told_with_its_meaning_from_figure_2(raftsim, tmp_path):
    text = report.write(failure(lines=LATE), 0, tmp_path, raftsim).text.read_text()
    assert re.search(r"^AE-4      Append the entries that are not yet in the log\.$", text, re.M)
    assert re.search(r"^LEAD-4 ", text, re.M)


def test_a_word_beyond_the_figure_is_told_with_where_to_read_of_it(raftsim, tmp_path):
    told = failure(lines=LATE, rules="sessions changes-of-members LEAD-2")
    text = report.write(told, 0, tmp_path, raftsim).text.read_text()
    assert re.search(r"^sessions  A client's command runs once, ", text, re.M)
    assert "(dissertation 6.3)." in text
    assert re.search(r"^changes-of-members Changes of the cluster: ", text, re.M)


def test_each_label_means_a_whole_sentence():
    for label, meaning in rules.labels().items():
        assert meaning.endswith("."), (label, meaning)
        assert not meaning.startswith(("and ", "or ", "a ", "the ")), (label, meaning)


def test_every_rule_of_the_checker_has_a_meaning_and_only_labels_that_there_are(raftsim):
    meanings = rules.meanings(raftsim)
    assert len(meanings) > 30 and "A rule of the checker." not in meanings.values()
    assert set(rules.LABELS) <= set(meanings)
    for labels in rules.LABELS.values():
        assert len(rules.explain(labels)) == len(labels.split())


LONG = "test_" + "long_name_" * 12


def test_the_text_fits_into_80_columns(stale, raftsim, tmp_path):
    claim = failure(lines=LATE, seen="word " * 60, stderr="x" * 300, claim=LONG)
    program = "build/sanitized/lab4/tests/raft/install_snapshot_test"
    unit = failure(claim=LONG, command=f"prlimit --cpu=5:6 {program} {'x' * 76}")
    run = failure(claim=LONG, command=" ".join(["build/lab3/raftsim run", *DRIFT, *DRIFT]))
    for one in (claim, unit, run):
        text = report.write(one, 0, tmp_path, raftsim).text.read_text()
        text = text.replace(f"{tmp_path}/", "build/lab1/report/")
        wide = [line for line in text.splitlines() if len(line) > 80]
        assert not wide, wide
    assert all(len(line) <= 80 for line in stale.text.read_text().splitlines()
               if str(stale.text.parent) not in line)  # fmt: skip


def test_a_command_that_takes_several_lines_is_one_for_a_shell():
    flags = "--note 'two  words' " + " ".join(f"--flag-{n} value" for n in range(12))
    name, *lines = words.unfolded("Again", f"printf '%s.' {flags}")
    assert name == "Again" and len(lines) > 2
    assert all(len(line) <= 80 for line in lines)
    said = [
        subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True).stdout
        for text in ("\n".join(lines), f"printf '%s.' {flags}")
    ]
    assert said[0] == said[1] and "two  words." in said[0]


def test_the_reports_of_a_labs_claims_have_names_of_their_own_that_fit_into_80_columns():
    found: dict[str, set[str]] = {}
    in_c = r"// LAB (\d).*\nTEST\((\w+)\)"
    in_python = r"@lab\(\s*(\d)[^@]*?\)\ndef (\w+)"
    for pattern, files in ((in_c, "*_test.c"), (in_python, "test_*.py")):
        for path in (build.ROOT / "tests").rglob(files):
            for number, claim in re.findall(pattern, path.read_text()):
                names = found.setdefault(number, set())
                stem = lab_failure.stem_of(claim)
                assert stem not in names, (number, claim)
                names.add(stem)
                folder = f"build/lab{number}"
                name = path.relative_to(build.ROOT).with_suffix("")
                lines = [f"  report: {folder}/report/{stem}.txt"]
                for command in (
                    f"{lab_failure.LIMIT} build/sanitized/lab{number}/{name} {claim}",
                    f"{lab_failure.LIMIT} {folder}/raftsim script {folder}/report/{stem}.scenario",
                    f"RAFTLAB_LAB={number} python3 -m pytest {name}.py -k {claim}",
                ):
                    lines += words.unfolded("Again", command)
                lines += words.unfolded("File", f"{folder}/report/{stem}.scenario")
                assert max(map(len, lines)) <= 80, lines
    assert sum(map(len, found.values())) > 270


def test_colours_change_no_word(stale):
    text = stale.text.read_text()
    shown = words.coloured(text)
    assert "\033[31m" in shown
    assert re.sub(r"\033\[\d*m", "", shown) == text


def test_the_last_decisions_of_each_node_are_lines_of_the_trace(stale):
    text = stale.text.read_text()
    assert re.search(r"^\[ +\d+\] n2 < RequestVoteReply n3 t2 granted: vote granted; -> leader",
                     text, re.M)  # fmt: skip
    for node in (1, 2, 3):
        assert re.search(rf"^\[ +\d+\] n{node} ", text, re.M)


def test_a_vote_that_waited_for_the_disk_is_among_the_last_decisions():
    steps = ["n2 < RequestVote n1 t1 log=0/0: term higher -> follower; grant | save t1 vote n1",
             "n2 durable write 1 | > RequestVoteReply n1 granted", "n2 durable write 2",
             "n2 < RequestVote n3 t1 log=0/0: refuse"]  # fmt: skip
    events = [{"kind": "step", "node": 2, "text": f"[     1] {step}"} for step in steps]
    kept = [line[9:] for line in flow.decisions(events, 3, 6)[2]]
    assert kept == [steps[0], steps[1], steps[3]]


def test_the_same_failure_gives_the_same_files(stale, raftsim, tmp_path):
    again = report.write(report.of_scenario(STALE_READ, raftsim), 0, tmp_path, raftsim)
    assert again.page.read_text().replace(str(tmp_path), "") == (
        stale.page.read_text().replace(str(stale.page.parent), "")
    )
    assert again.scenario.read_bytes() == stale.scenario.read_bytes()


# ---- the schedule --------------------------------------------------------------------


def test_a_schedule_that_breaks_a_rule_gets_shorter_and_still_breaks_it(stale, raftsim):
    short = play.clean(stale.scenario.read_text().splitlines())
    assert len(short) < len(play.clean(STALE_READ.read_text().splitlines())) - 5
    tried = play.try_out(raftsim, short)
    assert tried.rule() == "linearizability"
    assert [answer["ok"] for answer in tried.answers] == [True] * (len(short) - 1) + [False]
    done = subprocess.run([raftsim, "script", stale.scenario], capture_output=True)
    assert done.returncode == 1


def test_no_line_of_a_short_schedule_can_go(stale, raftsim):
    short = play.clean(stale.scenario.read_text().splitlines())
    for at in range(1, len(short) - 1):
        tried = play.try_out(raftsim, short[:at] + short[at + 1 :])
        assert tried.rule() != "linearizability" or shorten.spoilt(tried), short[at]


def test_a_schedule_in_which_something_else_fails_first_is_no_shorter_one(stale, raftsim):
    lines = play.clean(stale.scenario.read_text().splitlines())
    short = shorten.Shortener(raftsim, play.try_out(raftsim, lines))
    assert not short.fails([lines[0], "expect one leader", *lines[1:]])
    assert short.fails(lines)


def test_what_a_claim_waits_for_stays_in_its_schedule(raftsim):
    lines, finished = shorten.shorten(raftsim, play.try_out(raftsim, LATE))
    assert finished
    assert lines == [LATE[0], "run 400ms", "run 100ms", "run 200ms", "set x 1", LATE[-1]]


def test_worlds_before_the_last_one_have_no_part_in_a_schedule(raftsim):
    lines = ["cluster 1", "run 100ms", "cluster 3 seed=1", "run 400ms", "expect term 1 == 99"]
    assert shorten.shorten(raftsim, play.try_out(raftsim, lines)) == (lines[2:], True)


def test_a_crash_is_told_first_with_file_and_line_and_the_schedule_to_it(raftsim, tmp_path):
    fake = tmp_path / "raftsim"
    fake.write_text(ASSERTING.format(python=sys.executable, raftsim=str(raftsim)))
    fake.chmod(0o755)
    lines = ["cluster 3 manual", "timeout 3", "pass 1s", "deliver 3 1 pre-vote", "timeout 2"]
    paths = report.write(failure(lines=lines, kind="crash"), 1, tmp_path, fake)
    text = paths.text.read_text()
    assert text.splitlines()[2:4] == [
        "Crash     an assertion failed: votes == 0",
        "Where     raft/role.c:77, in role_campaign()",
    ]
    assert play.clean(paths.scenario.read_text().splitlines()) == ["timeout 3", "timeout 2"] or (
        play.clean(paths.scenario.read_text().splitlines())
        == ["cluster 3 manual", "timeout 3", "timeout 2"]
    )


# A raftsim in which a rule is broken at 60.6 ms, or which dies then.
BROKEN_LATE = """\
#!{python}
import json, re, sys
now = 0
for line in sys.stdin:
    if found := re.match("run ([0-9]+)ms", line):
        now += int(found[1]) * 1000
    if now < 60636:
        print(json.dumps({{"ok": True, "time_us": now}}), flush=True)
        continue
    if {dies}:
        sys.exit("Assertion of 60.6 ms")
    told = "violation of one vote a term at 60636 us: it goes to node 2"
    print(json.dumps({{"ok": False, "error": told, "time_us": 60636}}), flush=True)
"""


@pytest.mark.parametrize(
    ("dies", "first", "last"),
    [(False, "run 31ms", ["run 30ms", "run 31ms"]), (True, "run 10000ms", ["run 1ms", "run 78ms"])],
)
def test_what_the_last_line_waits_for_becomes_a_time(tmp_path, dies, first, last):
    fake = tmp_path / "raftsim"
    fake.write_text(BROKEN_LATE.format(python=sys.executable, dies=dies))
    fake.chmod(0o755)
    lines = ["cluster 3 seed=1", "run 30ms", "run 10000ms until term 12"]
    short = shorten.Shortener(fake, play.try_out(fake, lines))
    assert short.failure
    short.tell_times()
    assert short.lines == [*lines[:2], first]
    short.halve_times()
    assert short.lines == [lines[0], *last]


SANITIZED = """\
==41==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602 at pc 0x55 bp 0x7f
READ of size 8 at 0x602000000018 thread T0
    #0 0x7f2 in __interceptor_memcpy ../../../src/libsanitizer/x.inc:827
    #1 0x55d in append_entries_receive /srv/raftlab/labs/2-replication/append_entries.c:93
"""


@pytest.mark.parametrize(
    ("stderr", "status", "what", "where"),
    [
        (SANITIZED, 1, "AddressSanitizer: heap-buffer-overflow",
         "labs/2-replication/append_entries.c:93, in append_entries_receive()"),
        ("raft/log.c:12:5: runtime error: index 9 out of bounds", 1,
         "undefined behaviour: index 9 out of bounds", "raft/log.c:12"),
        ("labs/1-election/role.c:8: role_campaign() is still to be written (lab 1: CAND-1a)", 70,
         "role_campaign() is still to be written (lab 1: CAND-1a)", "labs/1-election/role.c:8"),
        ("x_test: labs/1-election/role.c:8: void role_go(struct raft *): Assertion `a: b' failed.",
         -6, "an assertion failed: a: b", "labs/1-election/role.c:8, in role_go()"),
        ("", -24, "it does not come back: an endless loop", ""),
        ("my own words\ntime stands still: 9 steps at 7 ms, the last of node 1: tick\n", 71,
         "time stands still: 9 steps at 7 ms, the last of node 1: tick", ""),
        ("messages without an end: 9 under way at 7 ms, the last of node 1: tick\n", 71,
         "messages without an end: 9 under way at 7 ms, the last of node 1: tick", ""),
        ("", -11, "killed by SIGSEGV", ""),
        ("SIGSEGV\n    #0 role_go role.c:8\n    #1 step raft.c:9\n", -11,
         "killed by SIGSEGV", "role.c:8, in role_go()"),
    ],
)  # fmt: skip
def test_what_killed_a_program_is_read_from_its_last_words(stderr, status, what, where):
    found = crash.read(stderr, status)
    assert (found.what, found.where) == (what, where)


def broken(entry: int, lines: list[str]) -> play.Play:
    said = f"violation of state equality at 3 us: the state after entry {entry} differs"
    return play.Play(lines, [{"ok": True}, {"ok": False, "error": said}], "", 0)


def test_what_the_shown_schedule_comes_to_is_told_and_what_the_whole_run_saw():
    told = facts.Facts(4, "c", "C", "no rule is broken", "the state after entry 158 differs")
    told.play = broken(157, ["cluster 3", "run 1s"])
    facts.see_as_shown(told, broken(157, ["cluster 3", "run 1s"]))
    text = words.render(told, {"scenario": "c.scenario"})
    assert "Seen      the state after entry 157 differs\n" in text
    assert "First     the state after entry 158 differs (before it was made shorter)\n" in text
    assert "First" not in words.render(dataclasses.replace(told, first_seen=""), {})


def test_what_no_order_explains_may_be_of_another_key_in_the_shown_schedule():
    said = "violation of linearizability at 3 us: no order of the operations on key x explains"
    shown = play.Play(["check"], [{"ok": False, "error": said}], "", 0)
    for rule, first in (("linearizability", "key k3"), ("", "")):  # a campaign; `check`
        told = facts.Facts(5, "c", "C", "some order", "key k3" if rule else "no", rule=rule)
        told.play = shown
        facts.see_as_shown(told, shown)
        assert told.first_seen == first


def test_a_schedule_of_thirty_commands_is_shown_whole(raftsim, tmp_path):
    lines = ["# Shrunk from 99", "cluster 3 seed=1", *(f"at {n}ms cut 1 2" for n in range(1, 31)),
             "expect term 1 == 99"]  # fmt: skip
    text = report.write(failure(lines=lines), 0, tmp_path, raftsim).text.read_text()
    assert "commands before these" not in text
    assert all(f"  {line}\n" in text for line in lines[1:])


def test_a_schedule_of_another_run_says_so_and_is_counted_as_its_file_counts(raftsim, tmp_path):
    told = ["# Broken: term. Found by: raftsim run", "# Shrunk from 147 acts of seed 23 with 3",
            "# nodes to 2 commands. It holds", "cluster 3 seed=23", "run 1s",
            "expect term 1 == 99"]  # fmt: skip
    text = report.write(failure(lines=told, seed=8), 0, tmp_path, raftsim).text.read_text()
    assert "\nThe schedule: 2 commands\n" in text and "Seed      8\n" in text
    said = " ".join(text.split())
    assert "From a smaller run in which the same is broken: seed 23 with 3 nodes, 147 acts" in said
    same = report.write(failure(lines=told, seed=23), 0, tmp_path, raftsim).text.read_text()
    assert "smaller run" not in same


def test_a_long_schedule_that_nothing_may_be_cut_from_says_why(raftsim, tmp_path):
    lines = ["cluster 3 seed=1", "run 1s", *["set x 1"] * 45, "expect term 1 == 99"]
    text = report.write(failure(lines=lines), 0, tmp_path, raftsim).text.read_text()
    assert "Long, since nothing may go that the claim's last command stands on.\n" in text


# ---- the page ------------------------------------------------------------------------


def drawings(html: str) -> list[xml.etree.ElementTree.Element]:
    return [
        xml.etree.ElementTree.fromstring(found)
        for found in re.findall(r"<svg .*?</svg>\n|<svg .*</svg></div>", html, re.DOTALL)
        for found in [found.removesuffix("</div>").strip()]
    ]


def test_the_page_needs_nothing_from_elsewhere(stale):
    html = stale.page.read_text()
    assert not re.search(r"<script|<link|@import|src=|url\((?!#)", html)
    assert set(re.findall(r"https?://[^\"<\s]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in html


def test_its_drawings_are_sound_and_show_each_node_and_message(stale, raftsim):
    html = stale.page.read_text()
    diagram = xml.etree.ElementTree.fromstring(
        re.search(r'<svg [^>]*aria-label="Message diagram">.*?</svg>', html, re.DOTALL)[0]
    )
    space = "{http://www.w3.org/2000/svg}"
    heads = [text.text for text in diagram.iter(f"{space}text") if text.get("class") == "head"]
    assert heads == ["n1", "n2", "n3"]
    titles = [group.find(f"{space}title").text for group in diagram.iter(f"{space}g")
              if group.get("class", "").startswith("arrow")]  # fmt: skip
    assert "RequestVote n2>n3 t2 log=1/1: arrives" in titles
    assert any(title.endswith("still under way") for title in titles)


def test_what_no_order_explains_is_marked(stale):
    html = stale.page.read_text()
    assert len(re.findall(r'<g class="bar \w+ bad', html)) == 2


def test_entries_that_differ_are_marked_and_committed_ones_too(raftsim):
    lines = textwrap.dedent("""\
        cluster 3 manual pre_vote=off check_quorum=off
        timeout 1
        deliver 1 2 vote
        deliver 2 1 vote-reply
        timeout 3
        timeout 3
        deliver 3 2 vote 2
        deliver 2 3 vote-reply
        expect role 3 follower""").splitlines()
    seen = play.look(raftsim, lines)
    html = page.tables.logs(seen, flow.read(seen.events, 3))
    assert html.count('class="differs"') == 2
    assert "<b>t1</b>" in html and "<b>t2</b>" in html


def test_the_log_of_a_node_that_is_down_is_shown_as_it_was(raftsim):
    lines = ["cluster 3 seed=1", "run until leader", "set x 1", "crash 1", "run 1s", "set x 2"]
    seen = play.look(raftsim, lines)
    assert [entry["text"] for entry in seen.logs[1]][-1] == "set x 1"
    assert [entry["text"] for entry in seen.logs[2]][-1] == "set x 2"
    assert "down; log as it was" in page.tables.logs(seen, flow.read(seen.events, 3))


def test_a_message_that_is_lost_breaks_off_and_one_that_crosses_a_crash(raftsim):
    lines = ["cluster 2 seed=3", "run 300ms", "cut 1 2", "run 200ms", "heal", "crash 1", "run 1s"]
    seen = play.look(raftsim, lines)
    drawn = flow.read(seen.events, 2)
    fates = {arrow.fate for arrow in drawn.arrows}
    assert fates >= {"arrived", "lost"}
    assert all(a.end >= a.start for a in drawn.arrows if a.fate == "arrived")
    assert [row.text for row in drawn.rows if row.kind == "fault"] == ["cut 1 2", "crash 1"]


def test_a_long_run_is_clipped_to_its_end(raftsim):
    seen = play.look(raftsim, ["cluster 3 seed=1", "run until leader", "run 10s"])
    drawn = flow.read(seen.events, 3)
    short = flow.clip(drawn)
    assert len(drawn.arrows) > flow.MESSAGES_MAX >= len([a for a in short.arrows if a.start >= 0])
    assert short.rows[-1] == drawn.rows[-1] and short.hidden > 0
    assert {state.role for state in short.before.values()} == {"leader", "follower"}


def test_idle_heartbeats_are_folded_into_one_row_and_nothing_else_is(raftsim):
    lines = ["cluster 3 seed=1", "run until leader", "run 3s", "set x 1", "run 3s"]
    drawn = flow.read(play.look(raftsim, lines).events, 3)
    folded = calm.fold(drawn)
    assert [row.kind for row in folded.rows].count("fold") == 2
    assert len(folded.rows) < 80 < 400 < len(drawn.rows)
    entries = [[a.text for a in one.arrows if " +1 " in a.text] for one in (drawn, folded)]
    assert entries[0] == entries[1]
    told = [row.text for row in folded.rows]
    assert all(row.text in told for row in drawn.rows if flow.DECIDED.search(row.text))
    assert all(-1 <= arrow.start <= len(folded.rows) for arrow in folded.arrows)


def test_a_json_trace_leaves_the_run_as_it_is(raftsim, tmp_path):
    lines = ["cluster 3 seed=5 clients=2", "loss 20", "run 2s", "crash 1", "run 1s", "hash"]
    plain = play.converse(raftsim, lines)
    traced = play.converse(raftsim, ["trace - json", *lines])
    filed = play.converse(raftsim, [f"trace {tmp_path / 'trace'} json", *lines])
    assert plain.answers == traced.answers[1:] == filed.answers[1:]
    events = [*map(json.loads, (tmp_path / "trace").read_text().splitlines())]
    assert events == traced.events and not traced.early
    kinds = {"send", "receive", "lose", "step", "command", "note"}
    assert {event["kind"] for event in events} == kinds


# A raftsim that has elected somebody, and then goes on without an end that anybody wants.
ENDLESS = """\
#!/bin/sh
cat <<'END'
{"ok":true}
{"ok":true,"nodes":2,"seed":1}
{"at":1,"kind":"step","node":1,"role":"leader","term":4,"vote":1,"commit":3,"last":3,\
"text":"[     1] n1 < RequestVoteReply n2 t4 granted: vote granted; -> leader"}
{"at":2,"kind":"command","text":"crash 1"}
END
yes '{"at":2,"kind":"step","node":2,"role":"candidate","term":4,"vote":2,"commit":0,"last":0,\
"text":"[     2] n2 tick: election timeout -> candidate | save t5 vote n2"}' | head -n 400000
echo 'time stands still: 9 steps at 2 ms, the last of node 2: tick' >&2
exit 71
"""


# Runs a command, and tells how much memory it had at most. A process is counted with what
# it was forked from, so it is forked from something small.
MOST = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_of_an_endless_trace_the_end_is_kept_and_how_it_was_before(tmp_path):
    fake = tmp_path / "raftsim"
    fake.write_text(ENDLESS)
    fake.chmod(0o755)
    scenario = tmp_path / "x.scenario"
    scenario.write_text("cluster 2\ncrash 1\n")
    words = [sys.executable, TOOLS / "report.py", scenario, "--out", tmp_path, "--raftsim", fake]
    done = subprocess.run([sys.executable, "-c", MOST, *words], capture_output=True, text=True)
    assert done.returncode == 0 and "[     1] n1 < RequestVoteReply n2 t4 granted" in done.stdout
    kib = int(done.stderr.split()[-1])
    assert kib < 150 * 1024  # as objects the lines are three times as much
    seen = play.look(fake, ["cluster 2", "crash 1"])
    assert len(seen.events) == tail.EVENTS_MAX and seen.stands_still()
    drawn = seen.drawn(2)
    assert drawn.before[1].commit == 3 and drawn.down_before == {1} and drawn.cut
    assert "The run is much longer" in (tmp_path / "x.html").read_text()


DRIFT = ["--seed", "2", "--nodes", "3", "--clients", "12", "--keys", "2", "--duration", "5s",
         "--faults", "partition", "--lease", "10", "--drift", "80"]  # fmt: skip


def test_a_run_without_a_scenario_is_shown_by_its_end(raftsim, tmp_path):
    run = failure(command=" ".join(["raftsim run", *DRIFT]), rules="", expected="", seed=2)
    paths = report.write(run, 0, tmp_path, raftsim)
    text, html = paths.text.read_text(), paths.page.read_text()
    assert paths.scenario is None and "The schedule" not in text
    assert "Broken    linearizability" in text and run.command in re.sub(r" \\\n +", " ", text)
    for node in (1, 2, 3):
        assert re.search(rf"^\[ *\d+\] n{node} ", text, re.MULTILINE)
    assert html.count('<g class="arrow') > 100
    assert re.search(r'<g class="bar \w+ bad', html)


def test_a_report_whose_turn_comes_too_late_has_what_the_claim_itself_knew(
    raftsim, tmp_path, monkeypatch
):
    monkeypatch.setattr(time_left, "_processor", 0.0)
    late = failure(lines=LATE, command="build/lab1/raftsim script x.scenario")
    paths = report.write(report.shrunk(late, 1), 1, tmp_path, raftsim)
    text = paths.text.read_text()
    assert "Seen      they hold 1\n" in text and late.command in text
    assert "AE-4" in text and "The time for reports was up" in text
    assert max(map(len, text.replace(str(tmp_path), "").split("\n"))) <= 80
    assert play.clean(paths.scenario.read_text().split("\n")) == LATE
    assert paths.page is None


def test_a_campaign_is_shrunk_for_its_report_unless_there_is_no_time(monkeypatch):
    asked = []

    def answer(program: pathlib.Path, flags: list[str], seconds: int) -> list[str]:
        asked.append((flags, seconds))
        return LATE

    monkeypatch.setattr("raftlab.lab_shrink.shrunk", answer)
    run = report.Failure("c", "all is well", "it is not", [], command="x/raftsim run --seed 2")
    assert report.shrunk(run, 0).lines == LATE
    assert asked == [(["--seed", "2"], report.SHRINK_SECONDS)]
    assert report.shrunk(dataclasses.replace(run, kind=lab_failure.STUB), 0).lines == []
    monkeypatch.setattr(time_left, "_clock", 0.0)
    assert report.shrunk(run, 0).lines == [] and len(asked) == 1


# ---- by hand -------------------------------------------------------------------------


def test_it_tells_of_any_scenario_by_hand(raftsim, tmp_path):
    scenario = tmp_path / "mine.scenario"
    scenario.write_text("\n".join(LATE))
    done = subprocess.run(
        [sys.executable, TOOLS / "report.py", scenario, "--out", tmp_path, "--raftsim", raftsim],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FAILED  Mine\n")
    assert done.stdout == (tmp_path / "mine.txt").read_text()
    assert {path.suffix for path in tmp_path.iterdir()} == {".scenario", ".txt", ".html"}


def test_a_claims_name_becomes_words_and_a_file():
    claim = "tests/labs/lab1/test_election.py::test_a_vote_is_given_once[plain]"
    assert facts.title_of(claim) == "A vote is given once"
    assert lab_failure.stem_of(claim) == "a_vote_is_given_once-plain"
    long = "test_a_leader_that_is_cut_off_is_replaced_and_follows"
    assert lab_failure.stem_of(long) == "a_leader_that_is_cut_off_is_replaced_and"
