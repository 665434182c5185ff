"""Lab 8 from the side of who takes it: what is no invariant gets no points for one, and
what is wrong with a file is said of it."""

import pathlib
import re
import subprocess
import sys

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import alternatives  # noqa: E402  (the path above comes first)
import lab as labs  # noqa: E402

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
