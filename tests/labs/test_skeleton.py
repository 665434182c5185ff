"""What a student is handed: the reference without its solutions, which compiles."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import lab as labs  # noqa: E402
import skeleton  # noqa: E402

REFERENCE = """#include "raft/x.h"

static int given(int a)
{
    return a;
}

// Why it helps.

// BEGIN SOLUTION lab1: RV-1
static int helper(int a)
{
    return given(a);
}
// END SOLUTION

bool x_do(struct raft *raft, uint64_t (*value_of)(const struct raft *raft, uint32_t member),
          const uint64_t values[RAFT_MEMBERS_MAX])
{
    // BEGIN SOLUTION lab1: RV-1, RV-2a
    return helper(values[0]) == value_of(raft, 0);
    // END SOLUTION
}

void x_nothing(void)
{
    // BEGIN SOLUTION lab1: ALL-2
    given(1);
    // END SOLUTION
}
"""
EVERY = labs.every()


def test_a_body_becomes_a_stub_that_names_its_rules_and_a_helper_goes() -> None:
    text = skeleton.skeleton(REFERENCE, "x.c")
    assert "helper" not in text and "SOLUTION" not in text
    assert "LAB_GIVEN\nstatic int given(int a)\n" in text  # nobody calls it yet
    assert (
        "{\n    (void)raft;\n    (void)value_of;\n    (void)values;\n"
        '    LAB_TODO("lab 1: RV-1, RV-2a");\n}' in text
    )
    assert 'void x_nothing(void)\n{\n    LAB_TODO("lab 1: ALL-2");\n}' in text
    assert text.startswith('#include "raft/x.h"\n\n#include "labs/todo.h"\n')


def test_a_body_may_be_empty_at_first() -> None:
    text = skeleton.skeleton(REFERENCE.replace("ALL-2", "ALL-2 (empty at first)"), "x.c")
    assert "void x_nothing(void)\n{\n    // lab 1: ALL-2. It does nothing yet.\n}" in text


@pytest.mark.parametrize(
    ("find", "replace", "problem"),
    [
        ("\n    // END SOLUTION\n}\n\nvoid", "\n}\n\nvoid", "within a solution"),
        (
            "    return helper(",
            "    int x;\n    // END SOLUTION\n    return helper(",
            "goes on behind",
        ),
        ("lab1: ALL-2", "ALL-2", "write `// BEGIN"),
        (
            "void x_nothing(void)\n{\n",
            "void x_nothing(void)\n{\n    int a;\n",
            "not the whole body",
        ),
        ("    given(1);\n    // END SOLUTION\n", "    given(1);\n", "has no end"),
        ("static int given", "// END SOLUTION\nstatic int given", "none has begun"),
    ],
)
def test_marks_that_are_wrong_are_refused_with_their_line(find, replace, problem) -> None:
    text = REFERENCE.replace(find, replace, 1)
    assert text != REFERENCE
    with pytest.raises(skeleton.Malformed, match=rf"^x\.c:\d+: .*{problem}"):
        skeleton.skeleton(text, "x.c")


def test_what_is_written_is_never_overwritten(tmp_path: pathlib.Path) -> None:
    lab = next(lab for lab in EVERY if lab.files)
    first = skeleton.write(lab, tmp_path)
    assert all(written for _, written in first)
    first[0][0].write_text("mine")
    first[-1][0].unlink()
    again = skeleton.write(lab, tmp_path)
    assert first[0][0].read_text() == ("mine" if len(first) > 1 else again[0][0].read_text())
    assert [written for _, written in again] == [n == len(again) - 1 for n in range(len(again))]


def test_what_a_lab_begins_with_besides_sources_is_copied(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "0-small"
    (folder / "start").mkdir(parents=True)
    (folder / "start" / "answers.txt").write_text("1. ?\n")
    (folder / "lab.toml").write_text('title = "Small"\nfiles = []\nstart = ["answers.txt"]\n')
    lab = labs.load(folder)
    assert skeleton.write(lab, folder) == [(folder / "answers.txt", True)]
    (folder / "answers.txt").write_text("1. seven\n")
    assert skeleton.write(lab, folder) == [(folder / "answers.txt", False)]
    assert (folder / "answers.txt").read_text() == "1. seven\n"
    for name in ("conftest.py", "../answers.txt", "sub/answers.txt"):
        (folder / "lab.toml").write_text(f'title = "Small"\nfiles = []\nstart = ["{name}"]\n')
        with pytest.raises(labs.Unknown, match="start takes no"):
            labs.load(folder)


def test_what_a_lab_begins_with_has_a_template_and_a_solution_and_is_not_in_git() -> None:
    for lab in EVERY:
        for name in lab.start:
            assert lab.template(name).is_file() and lab.solution(name).is_file(), name
            assert lab.template(name).read_bytes() != lab.solution(name).read_bytes(), name
            ignored = ["git", "check-ignore", "--quiet", str(lab.folder / name)]
            assert subprocess.run(ignored, cwd=build.ROOT).returncode == 0, name


def test_a_solution_stands_in_a_file_of_its_lab_and_a_file_serves_one() -> None:
    listed = {file: lab.number for lab in EVERY for file in lab.files}
    assert len(listed) == sum(len(lab.files) for lab in EVERY)
    found: dict[str, set[int]] = {}
    for folder in ("raft", "rpc", "kvserver", "sim"):
        for path in (build.ROOT / folder).rglob("*.c"):
            if numbers := skeleton.labs_of(path.read_text(encoding="utf-8")):
                found[str(path.relative_to(build.ROOT))] = numbers
    assert found == {file: {number} for file, number in listed.items()}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("lab", EVERY, ids=[f"lab{lab.number}" for lab in EVERY])
def test_a_skeleton_compiles_without_a_warning(lab, compiler, tmp_path: pathlib.Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for path, _ in skeleton.write(lab, tmp_path):
        assert not re.search(r"(BEGIN|END) SOLUTION", path.read_text())
        if path.suffix != ".c":
            continue
        done = subprocess.run(
            [compiler, *"-std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -Wshadow".split(),
             *"-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla".split(),
             "-Wno-missing-field-initializers", f"-I{build.ROOT}", "-c", str(path), "-o",
             str(tmp_path / "object.o")],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
