#!/usr/bin/env python3
"""Makes the archive that a class gets: a tree in which one lab is to be taken.

    labs/tools/handout.py N [--out DIR]     writes DIR/raftlab-labN.tar.gz (build/handout)

The labs before N are solved, the files of lab N are skeletons, and what the labs behind
it are about is as if they had not been taken (labs/*/before). Nothing in it tells a
solution that is still to be found: no mutants, no history, no tests of later labs, no
pages about how it is done. The archive knows itself (labs/dist), so that who grades can
tell what was handed out from what a student has changed. The same tree gives the same
archive, byte for byte."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import lab as labs
import skeleton

# What a class needs of the tree; tests are chosen by the labs that they name.
FOLDERS = ("raft/", "rpc/", "kvserver/", "sim/")
FILES = ("Makefile", "LICENSE", ".clang-format", ".editorconfig", "tests/pytest.ini")
DOCS = (
    *("figure2.md", "simulator.md", "glossary.md", "faults.md", "linearizability.md"),
    *("scenarios.md", "exploring.md", "shrinking.md", "sweep.md", "clients.md"),
    *("protocol.md", "wire.md", "architecture.md", "reports.md"),
)
LAB_LINE = re.compile(r"^// LAB (\d)\b", re.MULTILINE)
MARKS = re.compile(r"^\s*// (BEGIN SOLUTION lab\d: .*|END SOLUTION)\n", re.MULTILINE)
STUDENTS = re.compile(r"^# What a student writes\.\n(/labs/.*\n)*", re.MULTILINE)
README = """# raftlab, lab {number}: {title}

A laboratory for Raft in C11: the consensus core, a simulator that breaks it in every way
that a data centre can, and a key-value server on top. In this tree the labs before lab
{number} are solved; the files of lab {number} are yours to write, and what later labs are
about is not there yet.

    make lab{number}          writes your files into {folder}/
    make grade LAB={number}   judges them

Begin with [{folder}/README.md]({folder}/README.md). It wants Debian 12 or the like: gcc or
clang, make, python3, and what `sh tests/bootstrap.sh install grade` installs.
"""

TOUR_README = """# raftlab, lab 0: a tour

    make lab0             writes your files into {folder}/
    make grade LAB=0      judges them

Begin with [{folder}/README.md]({folder}/README.md). bin/raftsim is the simulator, bin/raftkv a
server. It wants Linux, make, gcc and python3 with pytest.
"""
OUTER = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in OUTER}

# The tour needs a cluster that works, and so no sources: the programs are in the archive.
TOUR_PROGRAMS = ("raftsim", "raftkv")
TOUR_MAKEFILE = """# The tour comes with its programs, in bin/; there is nothing to compile.

PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
LAB ?= 0
all: build/raftsim build/raftkv # puts them where the handout has them
lab0: all # writes your files into labs/0-tour/, never over them
\t@$(PYTHON) labs/tools/skeleton.py 0
grade: # judges them (STEP=2: one step)
\t@$(PYTHON) labs/tools/grade.py $(LAB) $(if $(STEP),--step $(STEP))
again: # runs one claim once more (CLAIM=tests/labs/lab0/FILE::NAME)
\t@RAFTLAB_LAB=$(LAB) RAFTLAB_SEED_BASE='$(or $(SEED),1)' $(PYTHON) -m pytest -q '$(CLAIM)'
build/%: bin/% FORCE # by content: what an archive brings bears no date
\t@mkdir -p $(@D)
\t@cmp -s $< $@ || cp $< $@
build/lab0/%: bin/% FORCE
\t@mkdir -p $(@D)
\t@cmp -s $< $@ || cp $< $@
FORCE:
.PHONY: all lab0 grade again FORCE
"""


class Missing(Exception):
    """The archive cannot be made; the text says what it lacks."""


def claims_of(text: str) -> set[int]:
    """The labs that a C test serves."""
    return {int(number) for number in LAB_LINE.findall(text)}


def test_is_wanted(name: str, number: int) -> bool:
    lab = re.match(r"tests/labs/lab(\d)/", name)
    if lab:
        return int(lab.group(1)) <= number
    if name.startswith("tests/labs/"):
        return name == "tests/labs/conftest.py"
    if name.startswith("tests/raftlab/") or name.count("/") == 1:
        return True  # the harness
    if name.endswith("_test.c"):
        text = (labs.ROOT / name).read_text(encoding="utf-8")
        return any(lab <= number for lab in claims_of(text))
    fixtures = ("tests/raft/", "tests/host/", "tests/kvserver/")
    return name.endswith(".h") and name.startswith(fixtures)


def lab_file_is_wanted(name: str, number: int) -> bool:
    lab = re.match(r"labs/(\d)-[^/]+/(.+)", name)
    if lab:
        return int(lab.group(1)) <= number and not lab.group(2).startswith(("before/", "solution/"))
    kept = ("labs/tools/", "labs/autograder/", "labs/todo.")
    return name.startswith(kept) or name == "labs/README.md"


def is_wanted(name: str, number: int) -> bool:
    if name.startswith("tests/") and name not in FILES:
        return test_is_wanted(name, number)
    if name.startswith("labs/"):
        return lab_file_is_wanted(name, number)
    if name.startswith("docs/"):
        return name.removeprefix("docs/") in DOCS
    return name in FILES or name == ".gitignore" or name.startswith(FOLDERS)


def as_handed_out(file: str, number: int) -> str:
    """The text of a source file in that archive."""
    text = (labs.ROOT / file).read_text(encoding="utf-8")
    for lab in labs.every():
        if file not in lab.files:
            continue
        if lab.number == number:
            return skeleton.skeleton(text, file)
        if lab.number > number:
            before = lab.before(file)
            if not before.exists():
                raise Missing(f"{before.relative_to(labs.ROOT)} is missing: what stands in "
                              f"the place of {file} before lab {lab.number}?")
            return before.read_text(encoding="utf-8")
    return MARKS.sub("", text)


def is_of_the_tour(name: str) -> bool:
    folders = ("labs/0-tour/", "labs/tools/", "tests/raftlab/", "tests/labs/lab0/")
    taken = is_wanted(name, 0) and name.startswith((*folders, "docs/"))
    return taken or name in ("LICENSE", "tests/conftest.py", "tests/pytest.ini")


def programs() -> dict[str, tuple[bytes, bool]]:
    """Of this machine's kind, without what a debugger would tell of their sources."""
    names = [f"build/{name}" for name in TOUR_PROGRAMS]
    made = subprocess.run(
        ["make", "--no-print-directory", "LAB=", *names],
        cwd=labs.ROOT, env=ENVIRONMENT, capture_output=True, text=True,
    )
    if made.returncode != 0:
        raise Missing(f"the programs cannot be built:\n{made.stdout}{made.stderr}")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in TOUR_PROGRAMS:
            bare = pathlib.Path(folder) / name
            subprocess.run(["strip", "-o", bare, labs.ROOT / "build" / name], check=True)
            found[f"bin/{name}"] = (bare.read_bytes(), True)
    return found


def tour(lab: labs.Lab) -> dict[str, tuple[bytes, bool]]:
    found = {
        name: ((labs.ROOT / name).read_bytes(), False)
        for name in labs.project_files()
        if is_of_the_tour(name)
    }
    folder = str(lab.folder.relative_to(labs.ROOT))
    found["Makefile"] = (TOUR_MAKEFILE.encode(), False)
    found["README.md"] = (TOUR_README.format(folder=folder).encode(), False)
    return found | programs()


def content(lab: labs.Lab) -> dict[str, tuple[bytes, bool]]:
    """name -> (bytes, whether it is a program) of everything that is handed out."""
    if (labs.ROOT / "labs/dist").exists() or not (labs.ROOT / "labs/mutants").is_dir():
        raise Missing("this is the archive of a class, in which labs are solved and solutions "
                      "are missing: an archive is made in the project's own tree")  # fmt: skip
    if not set(lab.judged_by()) <= set(labs.project_files()):
        raise Missing("git is needed to tell the project's files from what was built and what "
                      "students wrote")  # fmt: skip
    if lab.number == 0:
        return tour(lab)
    found: dict[str, tuple[bytes, bool]] = {}
    for name in labs.project_files():
        if not is_wanted(name, lab.number):
            continue
        path = labs.ROOT / name
        data = path.read_bytes()
        if name.endswith((".c", ".h")):
            data = as_handed_out(name, lab.number).encode()
        elif name == ".gitignore":
            data = STUDENTS.sub("", data.decode()).encode()
        found[name] = (data, bool(path.stat().st_mode & 0o100))
    folder = str(lab.folder.relative_to(labs.ROOT))
    readme = README.format(number=lab.number, title=lab.title, folder=folder)
    found["README.md"] = (readme.encode(), False)
    return found


LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)(#[^)]*)?\)")


def without_dead_links(found: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    """A page keeps the words of a link to what is not handed out; where they name a page,
    they say that it is not there."""
    names = set(found)
    folders = {str(parent) for name in names for parent in pathlib.PurePath(name).parents}

    def words(page: str, match: re.Match) -> str:
        target = os.path.normpath(pathlib.PurePath(page).parent / match[2])
        if target in names or target in folders:
            return match[0]
        return match[1] + (" [not in this archive]" if match[1].endswith(".md") else "")

    def mended(page: str, data: bytes) -> bytes:
        return LINK.sub(lambda match: words(page, match), data.decode()).encode()

    return {
        name: (mended(name, data) if name.endswith(".md") else data, program)
        for name, (data, program) in found.items()
    }


def packed(files: dict[str, tuple[bytes, bool]], top: str) -> bytes:
    """A .tar.gz that depends on nothing but these."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            data, program = files[name]
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode = len(data), 0o755 if program else 0o644
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


def archive(lab: labs.Lab) -> bytes:
    top = f"raftlab-lab{lab.number}"
    files = without_dead_links(content(lab))
    manifest = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, (data, _) in sorted(files.items())
    )
    pristine = packed(files, top)
    files["labs/dist/MANIFEST"] = (manifest.encode(), False)
    files["labs/dist/pristine.tar.gz"] = (pristine, False)
    return packed(files, top)


def main() -> int:
    parser = argparse.ArgumentParser(description="make the archive of a lab for a class")
    parser.add_argument("lab", type=int)
    parser.add_argument("--out", type=pathlib.Path, default=labs.ROOT / "build" / "handout")
    arguments = parser.parse_args()
    try:
        lab = labs.numbered(arguments.lab)
        data = archive(lab)
    except (labs.Unknown, skeleton.Malformed, Missing) as problem:
        print(problem, file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"raftlab-lab{lab.number}.tar.gz"
    path.write_bytes(data)
    print(f"{path}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
