"""Every test that is written is a test that is run."""

import ast
import pathlib
import re
import subprocess

import pytest

from raftlab import build, tree

PROGRAMS = tree.named("_test.c", under="tests/")
CLAIM = re.compile(r"\bTEST\(\s*(\w+)\s*\)")


@pytest.mark.parametrize("source", PROGRAMS, ids=str)
def test_pytest_sees_the_claims_that_a_program_has(source: pathlib.Path) -> None:
    program = build.program(str(source.with_suffix("")))
    done = subprocess.run(
        [program, "--list"], capture_output=True, text=True, check=True, timeout=60
    )
    collected = re.findall(r"^TEST\((\w+)\)", tree.read(source), re.MULTILINE)
    assert collected and sorted(done.stdout.split()) == sorted(collected)


@pytest.mark.parametrize("source", PROGRAMS, ids=str)
def test_every_claim_checks_something(source: pathlib.Path) -> None:
    text = tree.read(source)
    bodies = re.findall(r"^TEST\((\w+)\)\n\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    idle = [name for name, body in bodies if not re.search(r"\w+\(", body)]
    assert not idle, f"{source}: {idle}"
    assert re.search(r"\bCHECK(_EQ|_TEXT)?\(", text) or "test_fail(" in text, source


def functions(text: str) -> list[str]:
    """Those that a module of this text would have; what stands in its strings is none."""
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]


def test_no_file_below_tests_escapes_the_harness() -> None:
    """C is a test, a benchmark, a fuzz target or part of one; Python is collected."""
    for name in tree.named(".c", under="tests/"):
        known = name.name.endswith(("_test.c", "_bench.c", "_shell.c", "_fuzz.c"))
        known = known or str(name) in ("tests/test.c", "tests/fuzz/replay.c", "tests/sim/work.c")
        assert known, f"{name} is built by nothing"
    for name in tree.named(".py", under="tests/"):
        if any(defined.startswith("test_") for defined in functions(tree.read(name))):
            assert name.name.startswith("test_"), f"pytest does not collect {name}"


def test_every_folder_of_tests_has_tests() -> None:
    apart = {"raftlab", "bench", "demo", "scenarios", "fuzz"}
    tests = [n for n in tree.named(".c", ".py", under="tests/") if len(n.parts) > 2]
    for folder in {name.parts[1] for name in tests} - apart:
        names = [n.name for n in tests if n.parts[1] == folder]
        assert any(n.startswith("test_") or n.endswith("_test.c") for n in names), folder


def test_the_flags_are_a_part_of_the_build(tmp_path: pathlib.Path) -> None:
    """Another compiler or other flags with the same OUT rebuild, and the same do not."""

    def compiled(*arguments: str) -> bool:
        target = f"{tmp_path}/obj/tests/test.o"
        done = subprocess.run(
            ["make", "--no-print-directory", f"OUT={tmp_path}", *arguments, target],
            cwd=build.ROOT,
            env={k: v for k, v in build.environment().items() if k != "CFLAGS"},
            capture_output=True,
            text=True,
            check=True,
        )
        return "tests/test.c" in done.stdout

    assert compiled()
    assert not compiled()
    assert compiled("CFLAGS=-O0")
    assert compiled("CFLAGS=-O0", "CC=clang")
    assert not compiled("CFLAGS=-O0", "CC=clang")
    assert compiled("CFLAGS=-O0", "SAN=address,undefined")
