"""A class archive of a lab that is built in moments: the project's own tools and harness
around one file, raft/quorum.c, and a raftsim that only counts votes."""

import hashlib
import pathlib
import subprocess
import sys
from typing import Optional

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import handout  # noqa: E402
import staging  # noqa: E402

COPIED = (
    *("labs/tools/*.py", "labs/tools/*.c", "labs/tools/reporting/*.py", "labs/todo.*"),
    *("labs/autograder/*", "labs/autograder/*/*", "tests/raftlab/*.py", "docs/figure2.md"),
    *("tests/conftest.py", "tests/pytest.ini", "tests/test.[ch]", "tests/bootstrap.sh"),
    "sim/tool/crash.[ch]",
)

MAKEFILE = """
Q := @
CC ?= gcc
WARN := -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -g
SAN := $(shell command -v clang >/dev/null && echo clang || echo gcc) \\
    -fsanitize=address,undefined
LAB ?= 1
MINE := $(foreach n,$(OWN_LABS) $(LAB),$(wildcard labs/$(n)-*/*.c))
THEIRS := $(filter-out $(addprefix %/,$(notdir $(MINE))),$(wildcard raft/*.c))
OWN_O := $(patsubst %.c,%.o,$(MINE) $(THEIRS) labs/todo.c)
build/lab$(LAB)/raftsim: $(addprefix build/obj/,sim/tool/main.o sim/tool/crash.o $(OWN_O)) FORCE
	@mkdir -p $(@D)
	$(Q)gcc -o $@ $(filter %.o,$^)
build/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)gcc $(WARN) -O2 -c -o $@ $<
build/sanitized/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(SAN) -fno-sanitize-recover=all $(WARN) -c -o $@ $<
build/sanitized/lab$(LAB)/%: $(addprefix build/sanitized/obj/,\
    %.o tests/test.o sim/tool/crash.o $(OWN_O)) FORCE
	@mkdir -p $(@D)
	$(Q)$(SAN) -o $@ $(filter %.o,$^)
.PHONY: FORCE
sanitized: $(addprefix build/sanitized/lab$(LAB)/,$(SANITIZED))
lab1:
	@$(PYTHON) labs/tools/skeleton.py 1
PYTHON ?= /usr/bin/python3
.SECONDARY:
"""
HEADER = """#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H
int quorum_size(int voters);
int quorum_latest(const int *terms, int count);
#endif
"""
SOLUTION = """#include "raft/quorum.h"

int quorum_size(int voters)
{
    // BEGIN SOLUTION lab1: CAND-2
    return voters / 2 + 1;
    // END SOLUTION
}

int quorum_latest(const int *terms, int count)
{
    // BEGIN SOLUTION lab1: ALL-2
    int latest = 0;
    for (int i = 0; i < count; i++)
        latest = terms[i] > latest ? terms[i] : latest;
    return latest;
    // END SOLUTION
}
"""
SIMULATOR = r"""#include "raft/quorum.h"
#include "sim/tool/crash.h"
#include <stdio.h>
int main(int count, char **arguments)
{
    char line[200];
    (void)count;
    crash_tell(arguments[0]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        int voters = 0;
        sscanf(line, "majority %d", &voters);
        printf("{\"ok\":true,\"value\":%d}\n", quorum_size(voters));
        fflush(stdout);
    }
}
"""
C_CLAIMS = """#include "raft/quorum.h"
#include "tests/test.h"

// LAB 1 step 2, 3 points: ALL-2
TEST(the_latest_term_is_the_highest)
{
    const int terms[] = {1, 7, 3};
    CHECK_EQ(quorum_latest(terms, 3), 7);
}

// LAB 1 step 1, 2 points: CAND-2
TEST(three_of_five_are_a_majority)
{
    CHECK_EQ(quorum_size(5), 3);
}

TEST(this_one_serves_no_lab)
{
    CHECK_EQ(1, 2);
}
TEST_MAIN
"""
PYTHON_CLAIMS = '''"""Claims about many clusters."""
from raftlab.labs import LabFailure, World, lab


@lab(1, step=3, points=5, rules="CAND-2", seeds=4)
def test_no_two_majorities_are_disjoint(world: World) -> None:
    voters = 3 + world.seed
    value = world.tell("majority", voters)["value"]
    if 2 * value <= voters or value > voters:
        raise LabFailure(
            rule="one leader a term", rules="CAND-2", expected="a majority of all",
            seen=f"{value} of {voters}", seed=world.seed, lines=[f"majority {voters}"],
        )
'''
TOML = """title = "Counting"
files = ["raft/quorum.c"]
minutes = 5
[steps]
1 = "What a majority is"
2 = "Terms"
3 = "Clusters"
[hints]
1 = "More than half."
3 = "Try even numbers."
"""


def texts() -> dict[str, str]:
    return {
        "Makefile": MAKEFILE,
        "raft/quorum.h": HEADER,
        "raft/quorum.c": handout.skeleton.skeleton(SOLUTION, "raft/quorum.c"),
        "sim/tool/main.c": SIMULATOR,
        "tests/raft/quorum_test.c": C_CLAIMS,
        "tests/labs/lab1/test_counting.py": PYTHON_CLAIMS,
        "labs/1-counting/lab.toml": TOML,
    }


def archive(more: Optional[dict[str, str]] = None) -> bytes:
    """raftlab-lab1.tar.gz, as `make handout LAB=1` would make it, with more files."""
    given = texts() | (more or {})
    files = {name: (text.encode(), False) for name, text in given.items()}
    for pattern in COPIED:
        for path in build.ROOT.glob(pattern):
            if path.is_file():
                name = path.relative_to(build.ROOT).as_posix()
                files[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    harness, program = files["tests/raftlab/confine.py"]
    sooner = harness.replace(b"{ALONE: 5,", b"{ALONE: 1,")  # tests wait for endless loops
    assert sooner != harness
    files["tests/raftlab/confine.py"] = (sooner, program)
    sums = (f"{hashlib.sha256(data).hexdigest()}  {n}\n" for n, (data, _) in files.items())
    pristine = handout.packed(files, "raftlab-lab1")
    files["labs/dist/MANIFEST"] = ("".join(sums).encode(), False)
    files["labs/dist/pristine.tar.gz"] = (pristine, False)
    return handout.packed(files, "raftlab-lab1")


def unpack(archive: bytes, folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True)
    words = ["tar", "-xz", "--strip-components=1", "-C", str(folder)]
    subprocess.run(words, input=archive, check=True)
    return folder


def submit(folder: pathlib.Path, text: str = SOLUTION) -> None:
    staging.put(folder / "quorum.c", text.encode())
