"""The archive of a class: it has what a lab needs, and no solution that is still open."""

import hashlib
import io
import os
import pathlib
import re
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


def test_the_archive_knows_what_was_handed_out(handed_out) -> None:
    _, files = handed_out
    rows = files["labs/dist/MANIFEST"].decode().splitlines()
    manifest = dict(reversed(row.split("  ")) for row in rows)
    rest = {name: data for name, data in files.items() if not name.startswith("labs/dist/")}
    assert manifest == {name: hashlib.sha256(data).hexdigest() for name, data in rest.items()}
    assert unpacked(files["labs/dist/pristine.tar.gz"]) == rest


def test_the_same_tree_gives_the_same_archive() -> None:
    assert handout.archive(EVERY[0]) == handout.archive(EVERY[0])
