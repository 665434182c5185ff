"""Lab 8 from the side of who takes it: what is no invariant gets no points for one, and
what is wrong with a file is said of it."""

import importlib.util
import pathlib
import re
import subprocess
import sys
from types import ModuleType

import pytest

from raftlab import build, confine, lab_failure
from raftlab.labs import LabFailure

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import alternatives  # noqa: E402  (the path above comes first)
import lab as labs  # noqa: E402
from reporting import facts, play  # noqa: E402

pytestmark = pytest.mark.timeout(300)
LAB = labs.numbered(8)
OWN = (build.ROOT / "sim/own/own.c").read_text(encoding="utf-8")
HEAD = '#include "sim/own/own.h"\n\n'
MEMORY = "size_t own_memory_size(void)\n{\n    return %s;\n}\n\n"
CHECK = "bool own_check(const struct own_look *look, void *memory, char words[OWN_WORDS])\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy, in which nothing has to be compiled that is the reference's."""
    path = tmp_path_factory.mktemp("copy")
    alternatives.copy_tree(path)
    alternatives.share_objects(path)
    return path


def graded(tree: pathlib.Path, files: dict[str, str], *words: str) -> tuple[set[str], str]:
    """The claims that hold with these files beside the reference's, and what was said."""
    folder = tree / LAB.folder.relative_to(labs.ROOT)
    for name in LAB.start:
        (folder / name).write_text(LAB.solution(name).read_text(encoding="utf-8"))
    (folder / "own.c").write_text(alternatives.without_marks(OWN))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "labs/tools/grade.py", "8", "--classroom", "c.json", *words],
        cwd=tree, env=build.environment(), capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    held = re.findall(r"^  pass  \d+/\d+  ((?:.|\n {13,})+)$", done.stdout, re.MULTILINE)
    return {" ".join(claim.split()) for claim in held}, done.stdout


def program(memory: str, body: str, before: str = "") -> str:
    return f"{HEAD}{before}{MEMORY % memory}{CHECK}{{\n    (void)memory;\n{body}}}\n"


# ---- what is no invariant ----------------------------------------------------------


WOLF = program("0", '    (void)look;\n    return own_broken(words, "wolf");\n')
# No rule of Raft in it: it knows the clusters in which the bugs are looked for.
KNOWS_THE_RUNS = program("64 * sizeof(enum raft_role)", """
    enum raft_role *was = memory;
    const struct raft_view *v = look->nodes[look->id].view;
    uint32_t c = look->node_count;
    enum raft_role before = was[look->id];

    was[look->id] = v->role;
    if (c == 4 || c == 8)
        return own_broken(words, "four nodes");
    if (c == 7)
        return own_broken(words, "three nodes and spares");
    if (c == 3 && v->role == RAFT_CANDIDATE && before == RAFT_FOLLOWER && v->current_term == 1)
        return own_broken(words, "no pre-vote");
    if (c == 5 && v->role == RAFT_LEADER && look->nodes[look->id].starts > 1)
        return own_broken(words, "a leader that was restarted");
    if (c == 9 && v->current_term > 14)
        return own_broken(words, "too many elections");
    return true;
""")  # fmt: skip


@pytest.mark.parametrize("text", [WOLF, KNOWS_THE_RUNS], ids=["wolf", "knows the runs"])
def test_what_is_broken_by_right_code_too_catches_no_bug(tree: pathlib.Path, text: str) -> None:
    held, said = graded(tree, {"own.c": text})
    assert not {claim for claim in held if claim.endswith((" seen", " is seen"))}, said
    assert "this is right code" in said


# ---- what is refused ---------------------------------------------------------------


# It asks a core of its own whether it gives two votes.
PROBE = program("64U << 20", """
    struct raft_message message = {.type = RAFT_REQUEST_VOTE, .from = 2, .to = 1, .term = 1};
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &message};
    struct raft_hard_state hard = {0, 0};
    struct raft_snapshot_meta snapshot = {0};
    struct raft_config config;
    struct raft_output output;
    struct raft_view view;
    struct raft *raft;

    raft_config_default(&config);
    raft = raft_init(memory, &config, &hard, &snapshot);
    raft_step(raft, &event, &output);
    raft_observe(raft, &view);
    return look->id != view.voted_for || own_broken(words, "my own core votes");
""")  # fmt: skip


@pytest.mark.parametrize(
    "text, calls",
    [
        (PROBE, ("raft_config_default", "raft_init", "raft_step")),
        (program("1 + raft_size(NULL)", "    return look == NULL && words == NULL;\n"),
         ("raft_size",)),
        (program("1", "    char *more = malloc(OWN_WORDS);\n\n    more[0] = (char)look->id;\n"
                 "    memcpy(words, more, OWN_WORDS);\n    free(more);\n    return true;\n",
                 "#include <stdlib.h>\n#include <string.h>\n\n"), ("malloc", "free")),
    ],
    ids=["a core of its own", "its size", "memory of its own"],
)  # fmt: skip
def test_own_check_watches_and_does_nothing_else(
    tree: pathlib.Path, text: str, calls: tuple[str, ...]
) -> None:
    held, said = graded(tree, {"own.c": text})
    assert not held and "lab 8: 0/30 points" in said, said
    for name in calls:
        assert f"calls {name}(), which is not for this lab: " in said, said
    assert "calls raft_observe()" not in said


def test_what_own_c_keeps_for_itself_would_outlive_the_run(tree: pathlib.Path) -> None:
    body = "    static int calls;\n    (void)words;\n    return look != NULL && ++calls;\n"
    held, said = graded(tree, {"own.c": program("0", body)})
    assert not held and "keeps calls, a static variable in own_check(): it outlives the" in said
    assert max(map(len, said.splitlines())) <= 80, said


def test_a_checker_looks_at_the_core_through_its_interface(tree: pathlib.Path) -> None:
    text = HEAD.replace("own.h", 'own.h"\n#include "raft/state.h', 1) + OWN.partition("\n\n")[2]
    held, said = graded(tree, {"own.c": alternatives.without_marks(text)})
    assert not held and '#include "raft/state.h": that is not for this lab' in said, said


# ---- what dies, and what never ends ------------------------------------------------


def module(name: str) -> ModuleType:
    path = build.ROOT / "tests/labs/lab8" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"lab8_{name}", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def invariants(tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The claims, over what is built in the copy; endless takes a second."""
    monkeypatch.setattr(build, "OUT", tree / "build")
    monkeypatch.setattr(build, "BUILT", True)
    monkeypatch.setenv("RAFTLAB_LAB", "8")
    monkeypatch.setitem(confine.CPU_SECONDS_MAX, confine.ALONE, 1)
    made = module("test_invariants")
    monkeypatch.setattr(made, "SEED_SECONDS", 1)
    return made


def built(tree: pathlib.Path, text: str) -> None:
    (tree / LAB.folder.relative_to(labs.ROOT) / "own.c").write_text(text, encoding="utf-8")
    programs = ("build/lab8/raftsim", "build/lab8/bugs/double-vote/raftsim")
    subprocess.run(
        ["make", "-s", "LAB=8", *programs], cwd=tree, env=build.environment(), check=True
    )


LOOKS_AT_WHO_IS_DOWN = program("0", """
    for (raft_id id = 1; id <= look->node_count; id++) {
        raft_term term = look->nodes[id].view->current_term;

        if (term >= 3 && raft_term_at(look->nodes[id].raft, 1, &term) && term == 9)
            return own_broken(words, "nine");
    }
    return true;
""")  # fmt: skip
NEVER_ENDS = program("0", """
    for (volatile raft_id id = 1; look->nodes[1].view->current_term >= 2; id++)
        continue;
    return words != NULL;
""")  # fmt: skip


def test_more_memory_than_there_is_is_told_as_that(
    tree: pathlib.Path, invariants: ModuleType
) -> None:
    built(tree, program("(size_t)1 << 45", "    return look != NULL && words != NULL;\n"))
    with pytest.raises(LabFailure) as told:
        invariants.quiet("--nodes 3 --duration 1s", 1)
    assert told.value.kind == lab_failure.CRASH
    assert f"own_memory_size() asks for {1 << 45} bytes: too many" in told.value.seen


@pytest.mark.parametrize(
    "text, kind, said",
    [
        (LOOKS_AT_WHO_IS_DOWN, lab_failure.CRASH, "SIGSEGV: log_term (log.c:"),
        (NEVER_ENDS, lab_failure.ENDLESS, "an endless loop? own_check (own.c:"),
    ],
    ids=["dies", "never ends"],
)  # fmt: skip
def test_a_run_that_dies_or_never_ends_is_told_as_that_whatever_bug_it_has(
    tree: pathlib.Path, invariants: ModuleType, text: str, kind: str, said: str
) -> None:
    built(tree, text)
    flags = "--nodes 5 --duration 2s --faults all"
    for failing in (
        lambda: invariants.caught("double-vote", flags),
        lambda: invariants.quiet(flags, 40),
    ):
        with pytest.raises(LabFailure) as told:
            failing()
        assert told.value.kind == kind and said in told.value.seen, told.value
        assert "own_check (own.c:" in told.value.seen, told.value


# ---- scenarios and bounds ----------------------------------------------------------


HALF = "cluster 4 manual pre_vote=off check_quorum=off\ntimeout 1\ndeliver 1 2\ndeliver 2 1\n"
RIGHT = "expect role 1 candidate\n"
LUCK = "cluster 4 seed=5\nfaults all\nclients start 3\nrun 20s\nsettle\nexpect violations 0\n"


@pytest.fixture
def schedules(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = module("test_schedules")
    monkeypatch.setattr(made, "place", lambda name: tmp_path / name)
    return made


def told_of(schedules: ModuleType, tmp_path: pathlib.Path, text: bytes) -> str:
    (tmp_path / "kill-half-is-enough.scenario").write_bytes(text)
    with pytest.raises(LabFailure) as told:
        schedules.kills("half-is-enough", "CAND-2")
    return f"{told.value.expected}; {told.value.seen}"


@pytest.mark.parametrize(
    "text, said",
    [
        (LUCK, "nothing happens but what a line says: `cluster N manual`; line 1: `cluster 4"),
        (HALF + "auto\n" + RIGHT, "line 5: `auto`"),
        (HALF.replace("pre_vote=off", '"checkers\\x3down"', 1) + RIGHT, "line 1: checkers="),
        (HALF + 'propose at 1 set x "#1\n' + RIGHT, ":5: a quoted word does not end: propose"),
        (f"# a\n\n{HALF}expect role 1 leader\n",
         "; labs/8-checking/kill-half-is-enough.scenario:7: node 1 is candidate"),
        ("cluster 4 manual\ntimeout 1\n",
         "fails where the bug is; all of it comes true there as well"),
        ("timeout 1\n", "has a cluster; it begins with `timeout 1`"),
        ("# begun\n", "has a cluster; it is still to be written"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_scenario_is_told_with_its_line(
    schedules: ModuleType, tmp_path: pathlib.Path, text: str, said: str
) -> None:
    told = told_of(schedules, tmp_path, text.encode())
    assert said in told, told
    assert told.count("node 1 is candidate") <= 1


def test_a_scenario_may_say_whatever_raftsim_reads(
    schedules: ModuleType, tmp_path: pathlib.Path
) -> None:
    text = HALF.replace("\n", "   # so\r\n") + 'refused propose at 1 set x "#1 \\" 2"\r\n' + RIGHT
    (tmp_path / "kill-half-is-enough.scenario").write_bytes(text.encode())
    schedules.kills("half-is-enough", "CAND-2")


def test_a_scenario_that_is_no_text_is_told_as_that(
    schedules: ModuleType, tmp_path: pathlib.Path
) -> None:
    told = told_of(schedules, tmp_path, b"cluster 4 manual\n\xff\xfe\n")
    assert told.endswith("kill-half-is-enough.scenario:2: byte 0xff is no UTF-8"), told


@pytest.mark.parametrize(
    "text, said",
    [
        ("stale-vote --terms 2\n", "there is `stale-vote --terms 2`"),
        ("stale_vote: --terms 2\n", "there is `stale_vote: --terms 2`"),
        ("stale-vote:\n# none\n", "they are still to be written"),
        ('stale-vote: --goal "term\n', 'No closing quotation: `--goal "term`'),
        ("stale-vote: --terms 2 --depth 7\n", "--terms --timeouts; --depth is none of them"),
    ],
)
def test_what_is_wrong_with_the_bounds_is_said(
    schedules: ModuleType, tmp_path: pathlib.Path, text: str, said: str
) -> None:
    (tmp_path / "explore.txt").write_text(text)
    with pytest.raises(LabFailure) as told:
        schedules.finds("stale-vote", "CAND-2")
    assert said in f"{told.value.expected}; {told.value.seen}", told.value


def test_bounds_that_are_too_wide_are_told_as_the_handout_says(
    schedules: ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "explore.txt").write_text("stale-vote: --terms 2\n")
    monkeypatch.setattr(schedules, "STATES_MAX", 20000)
    with pytest.raises(LabFailure) as told:
        schedules.finds("stale-vote", "CAND-2")
    assert re.match(r"stopped at 2\d{4} states$", told.value.seen), told.value


# ---- its report --------------------------------------------------------------------


@pytest.mark.parametrize("violations", [[], [{"property": "own invariant"}]])
def test_a_report_shows_the_end_of_the_run_that_failed_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch, violations: list[dict[str, str]]
) -> None:
    broken = {"property": "own invariant", "event": 9}
    said = play.Said(result={"violations": [broken]})
    played = play.Play([], [], "", 0, nodes=[{}, {}, {}], verdict={"violations": violations})
    monkeypatch.setattr(play, "converse", lambda *_, **__: said)
    monkeypatch.setattr(play, "replay", lambda *_: played)
    told = facts.Facts(8, "c", "c", "", "n4 leads", command="build/lab8/raftsim run --seed 40")
    facts.add_run(told, pathlib.Path("raftsim"))
    assert told.rule == "own invariant"
    assert told.play is (played if violations else None)
