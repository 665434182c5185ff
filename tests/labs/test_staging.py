"""What is judged: the files that were handed out, and of a student's only those of the lab."""

import hashlib
import pathlib
import sys

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import handout  # noqa: E402  (the path above comes first)
import lab as labs  # noqa: E402
import sandbox  # noqa: E402
import staging  # noqa: E402



@pytest.fixture()
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    """A class archive, with a manifest and a second copy of itself."""
    texts = {
        "Makefile": "all:\n", "tests/raft/vote_test.c": "TEST(x) {}\n",
        "labs/1-quorum/lab.toml": 'title = "Quorum"\nfiles = ["raft/quorum.c"]\n',
        "raft/quorum.c": "int quorum;\n",
    }  # fmt: skip
    files = {name: (text.encode(), False) for name, text in texts.items()}
    root = tmp_path / "class"
    for name, (data, _) in files.items():
        staging.put(root / name, data)
    sums = (f"{hashlib.sha256(data).hexdigest()}  {n}\n" for n, (data, _) in files.items())
    staging.put(root / "labs/dist/MANIFEST", "".join(sums).encode())
    staging.put(root / "labs/dist/pristine.tar.gz", handout.packed(files, "class"))
    return root


def test_what_was_changed_of_a_class_archive_is_known_and_judged_as_it_was(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert staging.changed(archive) == []
    (archive / "labs/1-quorum/quorum.c").write_text("int mine;\n")
    assert staging.changed(archive) == []  # that one is the student's
    (archive / "tests/raft/vote_test.c").write_text("TEST(easier) {}\n")
    (archive / "raft/extra.c").write_text("int extra;\n")
    (archive / "conftest.py").write_text("pass\n")
    (archive / "raft/raft.h.gch").write_text("read in the place of raft.h\n")
    (archive / "Makefile").unlink()
    assert staging.changed(archive) == [
        *("Makefile", "conftest.py", "raft/extra.c", "raft/raft.h.gch", "tests/raft/vote_test.c")
    ]
    stage = tmp_path / "stage"
    lab = labs.load(archive / "labs" / "1-quorum")
    for _ in range(2):
        staging.lay_out(archive, stage)
        staging.hand_in(lab, archive, stage)
        assert (stage / "tests/raft/vote_test.c").read_text() == "TEST(x) {}\n"
        assert not (stage / "raft/extra.c").exists() and not (stage / "conftest.py").exists()
        assert (stage / "labs/1-quorum/quorum.c").read_text() == "int mine;\n"
        assert staging.changed(stage) == []
        (stage / "raft/extra.c").write_text("int extra;\n")


def test_a_submission_is_found_flat_or_in_a_tree_and_links_are_left_out(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    lab = labs.load(archive / "labs" / "1-quorum")
    stage = tmp_path / "stage"
    for number, place in enumerate(("flat", "tree/1-quorum", "all/labs/1-quorum")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "quorum.c").write_text(f"int mine{number};\n")
        (folder / "link.c").symlink_to("/etc/passwd")
        (folder / "notes.txt").write_text("not for the grader\n")
        staging.lay_out(archive, stage)
        staging.hand_in(lab, tmp_path / place.split("/")[0], stage)
        there = sorted(path.name for path in (stage / "labs/1-quorum").iterdir())
        assert there == ["lab.toml", "quorum.c"]
        assert (stage / "labs/1-quorum/quorum.c").read_text() == f"int mine{number};\n"


def test_what_a_lab_begins_with_besides_sources_is_the_students_too(
    archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    lab = labs.load(archive / "labs" / "1-quorum")
    lab.files, lab.start = [], ["answers.txt", "cut.scenario"]
    submission, stage = tmp_path / "submission", tmp_path / "stage"
    submission.mkdir()
    (submission / "answers.txt").write_text("three\n")
    (submission / "cut.scenario").symlink_to("/etc/passwd")
    staging.lay_out(archive, stage)
    for name in ("cut.scenario", "other.scenario"):
        (stage / "labs/1-quorum" / name).write_text("of somebody before\n")
    staging.hand_in(lab, submission, stage)
    there = sorted(path.name for path in (stage / "labs/1-quorum").iterdir())
    assert there == ["answers.txt", "lab.toml", "other.scenario"]
    assert (stage / "labs/1-quorum/answers.txt").read_text() == "three\n"
    lab.folder.joinpath("cut.scenario").symlink_to("/etc/passwd")
    problems = list(sandbox.judge_files(lab, archive))
    assert problems == ["cut.scenario is a link or no file"]
