"""The examples of docs/examples, built and run as their readers would."""

import pathlib
import re
import shutil
import sys

import pytest

from raftlab import build, installed
from raftlab.installed import EXAMPLES, Prefix, run, three_counters

VARIANTS = {"shared": [], "static": ["STATIC=yes"]}
STRICT = "CFLAGS=-O1 -g -Wall -Wextra -Werror -Wno-unused-parameter"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    return Prefix(tmp_path_factory.mktemp("prefix"))


# ---- the counter --------------------------------------------------------------------


def test_the_counter_has_fewer_than_200_lines() -> None:
    lines = (EXAMPLES / "counter/counter.c").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 200


def test_the_counter_knows_only_what_is_installed() -> None:
    source = (EXAMPLES / "counter/counter.c").read_text(encoding="utf-8")
    assert not re.findall(r'#include "', source)
    makefile = (EXAMPLES / "counter/Makefile").read_text(encoding="utf-8")
    assert "pkg-config" in makefile and "-I" not in makefile and ".." not in makefile


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_leader_loses_nothing_that_was_counted(
    prefix: Prefix, tmp_path: pathlib.Path, variant: str
) -> None:
    program = prefix.example("counter", tmp_path / "counter", STRICT, *VARIANTS[variant])
    needed = run("readelf", "-d", program).stdout
    assert ("libraftlab.so" in needed) == (variant == "shared")
    with three_counters(program, tmp_path / "data", prefix) as counters:
        count, leader, unknown = counters.until_counted("incr")
        sure, tried = 1, 1 + unknown
        for _ in range(3):
            assert sure <= count <= tried, counters.logs()
            for _ in range(20):
                count, leader, unknown = counters.until_counted("add 3")
                sure, tried = sure + 3, tried + 3 * (1 + unknown)
                assert sure <= count <= tried, counters.logs()
            counters.kill(leader)
            count, other, unknown = counters.until_counted("incr")
            sure, tried = sure + 1, tried + 1 + unknown
            assert other != leader and sure <= count <= tried, counters.logs()
            counters.start(leader)
        last = count
        for node in (1, 2, 3):  # all at once: only the disks remember
            counters.kill(node)
        for node in (1, 2, 3):
            counters.start(node)
        count, _, _ = counters.until_counted("get")
        assert count == last


def test_a_counter_tells_what_it_does_not_understand(
    prefix: Prefix, tmp_path: pathlib.Path
) -> None:
    program = prefix.example("counter", tmp_path / "counter")
    with three_counters(program, tmp_path / "data", prefix) as counters:
        counters.until_counted("incr")
        assert counters.ask(1, "decr").startswith("refused: ")
        assert counters.ask(1, "x" * 200) == ""
        assert counters.until_counted("get")[0] == 1


SNAPSHOTS = """
#define main counter_main
#include "counter.c"
#undef main
#include <assert.h>

int main(void)
{
    int64_t by = 7;
    char file[64];
    size_t size = 0;
    const struct raft_entry entries[] = {
        {1, 1, RAFT_ENTRY_NOOP, 0, NULL},
        {2, 1, RAFT_ENTRY_COMMAND, sizeof by, &by},
        {3, 1, RAFT_ENTRY_COMMAND, sizeof by, &by},
    };
    machine.apply(NULL, entries, 3);
    assert(state == 14);
    machine.snapshot_begin(NULL);
    machine.apply(NULL, entries + 1, 1); // what comes later is not in it
    for (int64_t piece; (piece = machine.snapshot_read(NULL, file + size, 3)) > 0;)
        size += (size_t)piece;
    machine.snapshot_end(NULL);
    assert(state == 21 && size == 8);

    assert(machine.restore_begin(NULL) == 0);
    for (size_t at = 0; at < size; at += 2)
        assert(machine.restore_write(NULL, file + at, 2) == 0);
    assert(machine.restore_end(NULL, 3) == 0 && state == 14);

    assert(machine.restore_begin(NULL) == 0);
    assert(machine.restore_write(NULL, file, size - 1) == 0);
    assert(machine.restore_end(NULL, 3) == -EBADMSG); // too short
    assert(machine.restore_begin(NULL) == 0);
    assert(machine.restore_write(NULL, file, size) == 0);
    assert(machine.restore_write(NULL, file, 1) == -EBADMSG); // too long
    return 0;
}
"""


def test_the_counters_snapshots_hold_its_state_and_refuse_what_is_none(
    prefix: Prefix, tmp_path: pathlib.Path
) -> None:
    shutil.copy(EXAMPLES / "counter/counter.c", tmp_path)
    (tmp_path / "snapshots.c").write_text(SNAPSHOTS, encoding="utf-8")
    program = tmp_path / "snapshots"
    flags = prefix.flags("--cflags", "--libs")
    run("gcc", "-g", "-fsanitize=undefined", tmp_path / "snapshots.c", "-o", program, *flags)
    run(program, env=prefix.environment())


# ---- Python -------------------------------------------------------------------------


def python(prefix: Prefix, *arguments: str) -> str:
    library = prefix.path / "lib/libraftlab.so"
    environment = prefix.environment() | {"RAFTLAB_SO": str(library)}
    return run(sys.executable, *arguments, env=environment).stdout


def test_a_compiler_agrees_with_the_structs_in_python(prefix: Prefix) -> None:
    text = python(prefix, str(EXAMPLES / "python/raftlab.py"))
    assert text.count("static_assert") > 150
    flags = [*prefix.flags("--cflags"), *"-std=c11 -fsyntax-only -xc -".split()]
    run(shutil.which("gcc") or "cc", *flags, input=text)


def test_three_cores_in_python_agree_and_a_seed_is_a_run(prefix: Prefix) -> None:
    program = str(EXAMPLES / "python/cluster.py")
    runs = {seed: python(prefix, program, str(seed)) for seed in range(1, 6)}
    for seed, text in runs.items():
        ends = re.findall(r"^node (\d): term \d+, applied (.*)$", text, re.MULTILINE)
        assert ends == [(node, "['x=1', 'x=2']") for node in "123"], text
        assert text == python(prefix, program, str(seed))
    assert len(set(runs.values())) > 1


def test_python_refuses_a_library_with_other_structs(
    prefix: Prefix, tmp_path: pathlib.Path
) -> None:
    for name in ("raftlab.py", "cluster.py"):
        shutil.copy(EXAMPLES / "python" / name, tmp_path)
    mirror = tmp_path / "raftlab.py"
    text = mirror.read_text(encoding="utf-8")
    mirror.write_text(text.replace('        ("uncommitted_bytes_max", c_uint64),\n', ""))
    script = "import raftlab\ntry: raftlab.load()\nexcept raftlab.WrongLibrary as e: print(e)"
    environment = prefix.environment() | {
        "RAFTLAB_SO": str(prefix.path / "lib/libraftlab.so"),
        "PYTHONPATH": str(tmp_path),
    }
    said = run(sys.executable, "-c", script, env=environment).stdout
    assert "struct raft_config has" in said


# ---- the document -------------------------------------------------------------------


def test_every_excerpt_in_the_document_stands_in_a_file_that_is_compiled() -> None:
    text = (build.ROOT / "docs/embedding.md").read_text(encoding="utf-8")
    excerpts = re.findall(r"^```c ([\w/.]+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    fences = re.findall(r"^```c\b", text, re.MULTILINE)
    assert len(excerpts) == len(fences) and len(excerpts) >= 5
    for name, excerpt in excerpts:
        source = (build.ROOT / name).read_text(encoding="utf-8")
        for part in excerpt.split("    ...\n"):
            assert part in source, f"not in {name}:\n{part}"


# ---- a bare machine -----------------------------------------------------------------


@pytest.mark.skipif(
    bool(installed.bare_machine_problem()), reason=installed.bare_machine_problem() or "-"
)
@pytest.mark.timeout(1800)
def test_the_counter_builds_and_counts_on_a_bare_machine(tmp_path: pathlib.Path) -> None:
    said = run("sh", build.ROOT / "tests/embedding/bare_machine.sh", tmp_path / "bare").stdout
    assert said.rstrip().endswith("count 1"), said
