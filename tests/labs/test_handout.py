"""The archive of a class: it has what a lab needs, and no solution that is still open."""

import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import handout  # noqa: E402
import lab as labs  # noqa: E402

EVERY = labs.every()
SOLUTION = re.compile(r"// BEGIN SOLUTION lab(\d): .*\n((?:.*\n)*?)\s*// END SOLUTION")
TELLING = 30  # a line so long is nobody else's by chance


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = [member for member in tar if member.isfile()]
        return {m.name.split("/", 1)[1]: tar.extractfile(m).read() for m in members}


@pytest.fixture(scope="module", params=EVERY, ids=[f"lab{lab.number}" for lab in EVERY])
def handed_out(request) -> tuple[labs.Lab, dict[str, bytes]]:
    return request.param, unpacked(handout.archive(request.param))


def reference(name: str) -> str:
    return (build.ROOT / name).read_text(encoding="utf-8")


def test_no_line_of_an_open_solution_stands_in_the_archive(handed_out) -> None:
    lab, files = handed_out
    given, open_lines = set(), {}
    for later in EVERY:
        for file in later.files:
            text = reference(file)
            if later.number < lab.number:
                given |= {line.strip() for line in text.splitlines()}
                continue
            given |= {line.strip() for line in SOLUTION.sub("", text).splitlines()}
            for _, body in SOLUTION.findall(text):
                open_lines |= {line.strip(): file for line in body.splitlines()}
    for name, data in files.items():
        if not name.endswith((".c", ".h")) or name not in {f for l in EVERY for f in l.files}:
            continue
        lines = {line.strip() for line in data.decode().splitlines()}
        told = {l for l in lines & set(open_lines) if len(l) >= TELLING and l not in given}
        before = next((l for l in EVERY if name in l.files and l.number > lab.number), None)
        if before is not None:  # the world before a later lab may say some things alike
            told -= {line.strip() for line in before.before(name).read_text().splitlines()}
        assert not told, f"{name} tells {told}"


def test_nothing_that_gives_solutions_away_is_in_the_archive(handed_out) -> None:
    lab, files = handed_out
    for name, data in files.items():
        assert not name.startswith((".git/", "labs/mutants/", "labs/alternatives/")), name
        assert "/before/" not in name and "/solution/" not in name, name
        assert not name.startswith("docs/bug"), name
        later = re.match(r"(?:labs/(\d)-|tests/labs/lab(\d)/)", name)
        assert later is None or int(later.group(1) or later.group(2)) <= lab.number, name
        if name.endswith((".c", ".h")):
            assert b"SOLUTION" not in data, name


def test_no_page_and_no_schedule_of_a_known_bug_is_in_the_archive(handed_out) -> None:
    _, files = handed_out
    mutants = {path.stem for path in (build.ROOT / "labs/mutants").glob("*.toml")}
    schedules = (build.ROOT / "labs/mutants/scenarios").glob("*.scenario")
    kept = {path.read_bytes() for path in schedules}
    assert len(mutants) >= 80 and len(kept) >= 80
    for name, data in files.items():
        assert "bug-zoo" not in name and pathlib.PurePath(name).stem not in mutants, name
        assert data not in kept, name
        assert b"bug-zoo" not in data or not name.endswith(".md"), name
        named = {mutant for mutant in mutants if mutant.encode() in data}
        assert not named or not name.endswith((".md", ".toml")), (name, named)


def test_what_is_for_teachers_alone_is_not_told_to_a_class(handed_out) -> None:
    _, files = handed_out
    told = files.get("labs/README.md", b"")
    assert b"make handout" not in told and b"alternatives" not in told
    assert "labs/teaching.md" not in files


def test_what_a_lab_begins_with_is_in_the_archive(handed_out) -> None:
    lab, files = handed_out
    folder = lab.folder.relative_to(labs.ROOT)
    for name in lab.start:
        assert files[f"{folder}/start/{name}"] == lab.template(name).read_bytes()


def test_the_links_of_its_pages_lead_somewhere(handed_out) -> None:
    _, files = handed_out
    pages = [name for name in files if name.endswith(".md")]
    assert pages
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", files[page].decode()):
            path = os.path.normpath(pathlib.PurePath(page).parent / target)
            assert path in files or any(n.startswith(path + "/") for n in files), (page, target)


def test_a_page_that_is_not_handed_out_is_named_as_missing(handed_out) -> None:
    _, files = handed_out
    clients = files.get("docs/clients.md", b"").decode()
    assert "See mechanisms.md [not in this archive]." in clients or not clients


def test_the_archive_knows_what_was_handed_out(handed_out) -> None:
    _, files = handed_out
    rows = files["labs/dist/MANIFEST"].decode().splitlines()
    manifest = dict(reversed(row.split("  ")) for row in rows)
    rest = {name: data for name, data in files.items() if not name.startswith("labs/dist/")}
    assert manifest == {name: hashlib.sha256(data).hexdigest() for name, data in rest.items()}
    assert unpacked(files["labs/dist/pristine.tar.gz"]) == rest


def test_the_same_tree_gives_the_same_archive() -> None:
    assert handout.archive(EVERY[0]) == handout.archive(EVERY[0])


def test_its_make_offers_nothing_that_it_lacks_the_files_for(tmp_path: pathlib.Path) -> None:
    for name, data in unpacked(handout.archive(labs.numbered(1))).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    offered = re.findall(r"^  make (\S+)", make(tmp_path, "help"), re.MULTILINE)
    assert {"all", "grade", "labs", "clean", "help"} <= set(offered)
    assert not {"mutants", "hunt", "zoo", "demo", "test", "handout"} & set(offered)
    makefile = (tmp_path / "Makefile").read_text(encoding="utf-8")
    for target in offered:
        recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", makefile, re.MULTILINE)[1]
        for name in re.findall(r"\b(?:labs|tests|docs)/[\w./-]+\.(?:py|sh|awk|c)\b", recipe):
            assert (tmp_path / name).exists(), (target, name)


# ---- what is said of its stories ------------------------------------------------


STORY = re.compile(r"^\| `([\w-]+\.scenario)` \| .* \| (\d) \|$", re.MULTILINE)


@pytest.mark.timeout(600)
def test_a_story_comes_true_in_the_archive_of_the_lab_that_it_is_said_to_need(
    tmp_path: pathlib.Path,
) -> None:
    told = {name: int(lab) for name, lab in STORY.findall(reference("docs/scenarios.md"))}
    assert len(told) == len(list((build.ROOT / "sim/scenarios").glob("*.scenario")))
    for lab in EVERY:
        if lab.number not in told.values():
            continue
        for name, (data, _) in handout.content(lab).items():
            if name in lab.files:  # the student has solved it
                data = handout.MARKS.sub("", reference(name)).encode()
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)
        make(tmp_path, "OPT=-O1", "build/raftsim")
        stories = [f"sim/scenarios/{name}" for name, first in told.items() if first <= lab.number]
        for story in stories:
            done = subprocess.run(
                ["build/raftsim", "script", story], cwd=tmp_path, capture_output=True, timeout=60
            )
            assert done.returncode == 0, (lab.number, story, done.stdout[-500:])


# ---- another one, unpacked over it -----------------------------------------------


def unpack(lab: labs.Lab, folder: pathlib.Path) -> pathlib.Path:
    """As `tar xzf` does, with the dates of the archive."""
    with tarfile.open(fileobj=io.BytesIO(handout.archive(lab))) as tar:
        tar.extractall(folder)
    return folder / f"raftlab-lab{lab.number}"


def make(tree: pathlib.Path, *words: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "OUT=build", *words],
        cwd=tree, env=build.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_another_archive_brings_is_compiled_over_an_old_build(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = labs.numbered(1)
    parts = ("Makefile", "raft/", "tests/bootstrap.sh", "labs/todo.")
    few = [name for name in handout.labs.project_files() if name.startswith(parts)]
    monkeypatch.setattr(handout.labs, "project_files", lambda: few)
    objects = ("build/obj/raft/log.o", "build/obj/raft/commit.o")
    tree = unpack(lab, tmp_path)
    assert make(tree, *objects).count("CC") == 2
    assert unpack(lab, tmp_path) == tree
    assert make(tree, *objects).count("CC") == 0, "the same archive again"
    first = handout.as_handed_out
    mended = {"raft/log.c": "static_assert(MENDED == 1);\n", "raft/log.h": "#define MENDED 1\n"}
    monkeypatch.setattr(
        handout, "as_handed_out", lambda file, number: first(file, number) + mended.get(file, "")
    )
    unpack(lab, tmp_path)
    assert (tree / "raft/log.c").stat().st_mtime < (tree / objects[0]).stat().st_mtime
    assert make(tree, *objects).count("CC") == 2
    assert make(tree, *objects).count("CC") == 0


def test_the_tours_programs_are_those_of_the_last_archive(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (b"#!/bin/true\n", b"#!/bin/false\n"):
        programs = {f"bin/{name}": (text, True) for name in handout.TOUR_PROGRAMS}
        monkeypatch.setattr(handout, "programs", lambda programs=programs: programs)
        tree = unpack(labs.numbered(0), tmp_path)
        make(tree, "all", "build/lab0/raftsim")
        for built in ("build/raftsim", "build/raftkv", "build/lab0/raftsim"):
            assert (tree / built).read_bytes() == text


# ---- a tree that is no checkout --------------------------------------------------


def made_in(tree: pathlib.Path, number: int, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "labs/tools/handout.py", str(number)],
        cwd=tree, env=build.environment() | more, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_an_exported_tree_gives_the_same_archive_and_a_class_archive_none(
    tmp_path: pathlib.Path,
) -> None:
    tree = tmp_path / "exported"
    for name in labs.project_files():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build.ROOT / name, tree / name)
    for name in ("build/obj/raft/x.c", "labs/1-election/timer.c", "raft/__pycache__/x.pyc"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("int mine;\n")
    nothing = tmp_path / "bin"
    nothing.mkdir()
    done = made_in(tree, 1, PATH=str(nothing))
    assert done.returncode == 2 and "git is needed" in done.stderr, done.stderr
    assert not (tree / "build" / "handout").exists()
    data = handout.archive(labs.numbered(1))
    done = made_in(tree, 1)
    assert done.returncode == 0, done.stderr
    assert (tree / "build" / "handout" / "raftlab-lab1.tar.gz").read_bytes() == data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(tmp_path)
    there = tmp_path / "raftlab-lab1"
    for _ in range(2):
        done = made_in(there, 1)
        assert done.returncode == 2 and "archive of a class" in done.stderr
        shutil.rmtree(there / "labs" / "dist", ignore_errors=True)


def test_what_another_checkout_around_it_ignores_is_still_the_projects(
    tmp_path: pathlib.Path,
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("tree\n")
    for name, text in ((".gitignore", "/build/\n"), ("Makefile", ""), ("build/x.c", "")):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(text)
    assert labs.project_files(tmp_path / "tree") == [".gitignore", "Makefile"]
