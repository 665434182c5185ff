"""What was not refused before it runs comes to nothing behind the fence."""

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from raftlab import build, confine

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import sandbox  # noqa: E402  (the path above comes first)


@pytest.fixture(scope="module")
def fence(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return sandbox.confine(build.ROOT, tmp_path_factory.mktemp("fence"))


PROGRAM = r"""
#include "tests/test.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
TEST(holds) { CHECK_EQ(1, 1); }
TEST(fails) { CHECK_EQ(1, 2); }
TEST(is_not_what_it_should_be) { CHECK_EQ(1, 1 + 1); }
TEST(is_at_its_bound) { CHECK_AT_MOST(2, 1 + 1); }
TEST(is_above_its_bound) { CHECK_AT_MOST(3, 1 + 1); }
TEST(exits) { exit(0); }
TEST(exits_at_once) { _exit(0); }
TEST(answers_for_the_test) { printf("held answers_for_the_test 0000\n"); fflush(stdout); _exit(0); }
TEST(loops) { for (volatile int i = 0;; i++) continue; }
TEST(eats_memory)
{
    for (char *at; (at = malloc(1 << 20)) != NULL;)
        memset(at, 1, 1 << 20);
    abort();
}
TEST(reads_beyond) { volatile char *at = malloc(8); CHECK_EQ(at[8 + (getpid() == 1)], 0); }
TEST(is_confined)
{
    CHECK(fork() < 0 && errno == EPERM);
    CHECK(vfork() < 0);
    CHECK(open("build/results.json", O_WRONLY | O_CREAT, 0666) < 0 && errno == EPERM);
    CHECK(syscall(SYS_open, "/dev/shm/x", O_RDWR | O_CREAT, 0666) < 0 && errno == EPERM);
    CHECK(unlink("Makefile") < 0 && rename("Makefile", "x") < 0 && truncate("Makefile", 0) < 0);
    CHECK(chmod("Makefile", 0666) < 0 && symlink("Makefile", "y") < 0);
    CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0);
    CHECK(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
    CHECK(kill(getppid(), 0) < 0);
    CHECK(environ[0] == NULL || strstr(environ[0], "SAN_OPTIONS") != NULL);
    CHECK(open("Makefile", O_RDONLY) == 3); // reading is free, and no file was left open
    CHECK(getuid() != 0);
}
TEST_MAIN
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("programs")
    folder.chmod(0o755)
    source = folder / "cheats.c"
    source.write_text(PROGRAM)
    made = {}
    for compiler, variant in zip(sandbox.compilers(), ("plain", "sanitized")):
        made[variant] = folder / variant
        words = [*compiler, "-w", "-g", "-D_GNU_SOURCE", "-I.", "-o", str(made[variant])]
        words += [str(source), "tests/test.c", "sim/tool/crash.c"]
        subprocess.run(words, cwd=build.ROOT, check=True)
    return made


@pytest.fixture(autouse=True)
def graded(fence: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAFTLAB_CONFINE", str(fence))
    monkeypatch.setitem(confine.CPU_SECONDS_MAX, confine.ALONE, 3)
    monkeypatch.setattr(confine, "MEBIBYTES_MAX", 256)
    monkeypatch.chdir(build.ROOT)
    yield


@pytest.mark.parametrize("variant", ["plain", "sanitized"])
@pytest.mark.parametrize(
    "claim, reason",
    [
        ("holds", ""),
        ("fails", "1 is 1, expected 2$"),
        ("is_not_what_it_should_be", "1 is 1, expected 2 (1 + 1)"),
        ("is_at_its_bound", ""),
        ("is_above_its_bound", "3 is 3, expected at most 2 (1 + 1)"),
        ("exits", "the test was left before its end"),
        ("exits_at_once", "the test was left before its end"),
        ("answers_for_the_test", "the test was left before its end"),
        ("loops", "#0 test_loops cheats.c: and an endless loop?"),
        ("eats_memory", "SIGABRT|rss limit"),
        ("is_confined", "getuid() != 0" if os.geteuid() else ""),
    ],
)
def test_behind_the_fence_only_a_claim_that_held_to_its_end_passes(
    programs: dict[str, pathlib.Path], variant: str, claim: str, reason: str
) -> None:
    said = confine.problem(programs[variant], claim, sanitized=variant == "sanitized")
    if reason == "":
        assert said == ""
    else:
        for part in reason.split(" and "):
            assert any(word in f"{said}$" for word in part.split("|")), said


def test_a_sanitizers_report_names_functions_and_lines_and_nothing_that_changes(
    programs: dict[str, pathlib.Path],
) -> None:
    said = confine.problem(programs["sanitized"], "reads_beyond", sanitized=True)
    assert "heap-buffer-overflow" in said
    line = PROGRAM[: PROGRAM.index("at[8 +")].count("\n") + 1
    assert f"test_reads_beyond cheats.c:{line}\n" in said
    again = confine.problem(programs["sanitized"], "reads_beyond", sanitized=True)
    assert again == said


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_each_instruction_of_a_function_has_a_line(compiler: str, tmp_path: pathlib.Path) -> None:
    """Wherever the time of an endless loop runs out."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not there")
    source, made = tmp_path / "loop.c", tmp_path / "loop.o"
    source.write_text("int f(void)\n{\n    for (volatile int i = 0;; i++)\n        continue;\n}\n")
    words = [compiler, "-g", "-O1", "-fsanitize=address,undefined", "-c", "-o", made, source]
    subprocess.run(words, check=True)
    listed = subprocess.run(["nm", "-S", made], capture_output=True, text=True, check=True).stdout
    begin, size = re.search(r"^(\w+) (\w+) T f$", listed, re.MULTILINE).groups()
    behind = range(int(begin, 16) + 1, int(begin, 16) + int(size, 16) + 1)
    places = {confine.place(str(made), f"{at:#x}") for at in behind}
    assert places and places <= {f"f loop.c:{line}" for line in range(1, 6)}


def test_workers_may_be_and_may_write_in_their_own_folder_alone() -> None:
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as others:
        # Without Landlock (an older kernel) being nobody has to do.
        os.chmod(others, 0o777 if landlock_version() > 0 else 0o755)
        workers_write(pathlib.Path(own), pathlib.Path(others))


def landlock_version() -> int:
    create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, version)


def workers_write(own: pathlib.Path, others: pathlib.Path) -> None:
    shell = pathlib.Path("/bin/sh").resolve()
    script = f"(echo a > {own}/a); (echo b > {others}/b); (echo c > Makefile.new)"
    words = confine.command(shell, "-c", script, mode=confine.CREW, scratch=own)
    subprocess.run(words, capture_output=True, timeout=20)
    assert (own / "a").read_text() == "a\n"
    assert not (others / "b").exists() and not pathlib.Path("Makefile.new").exists()


def test_a_machine_on_which_nothing_can_be_confined_is_no_students_fault(
    fence: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert sandbox.fence_problem(fence) == ""
    broken = tmp_path / "confine"
    broken.write_text("#!/bin/sh\necho 'confine: no filter of system calls' >&2\nexit 125\n")
    broken.chmod(0o755)
    assert "no filter of system calls" in sandbox.fence_problem(broken)
