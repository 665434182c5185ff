"""Each lab from both ends: the skeleton fails every claim, and what is handed out becomes
whole with the reference's files. (That the reference passes is what all other tests show;
that known bugs do not, tests/repo/test_mutants.py.)"""

import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree

import pytest

from raftlab import build

sys.path.insert(0, str(build.ROOT / "labs" / "tools"))

import handout  # noqa: E402
import lab as labs  # noqa: E402
import skeleton  # noqa: E402

pytestmark = pytest.mark.timeout(900)
EVERY = labs.every()
IDS = [f"lab{lab.number}" for lab in EVERY]


def share_objects(tree: pathlib.Path) -> None:
    """What is compiled here counts there for every source that is the same, by its date."""
    shutil.copytree(
        build.OUT / "obj", tree / "build" / "obj", copy_function=shutil.copy2,
        ignore=shutil.ignore_patterns("[0-9]-*"),  # a student's, of another day
    )  # fmt: skip
    shutil.copy2(build.OUT / "obj.flags", tree / "build" / "obj.flags")
    if (tree / "labs/dist/MANIFEST").exists():
        shutil.copy2(tree / "labs/dist/MANIFEST", tree / "build" / "obj.dist")
    for path in tree.rglob("*"):
        original = build.ROOT / path.relative_to(tree)
        if path.is_file() and path.suffix in (".c", ".h") and original.is_file():
            if path.read_bytes() == original.read_bytes():
                os.utime(path, ns=(original.stat().st_atime_ns, original.stat().st_mtime_ns))
            else:
                os.utime(path)


def outcomes(tree: pathlib.Path, number: int) -> dict[str, str]:
    """claim -> "passed" or what it failed with, of that lab in that tree."""
    report = tree / "report.xml"
    environment = build.environment() | {"RAFTLAB_LAB": str(number), "RAFTLAB_OUT": "build"}
    environment.pop("RAFTLAB_BUILT", None)
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m",
         f"lab{number} and not sanitized", f"--junitxml={report}", "tests"],
        cwd=tree, env=environment, capture_output=True, text=True, timeout=800,
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = case.find("failure")
        if problem is None:
            problem = case.find("error")
        text = "passed" if problem is None else (problem.text or problem.get("message") or "?")
        found[f"{case.get('classname')}::{case.get('name')}"] = text
    return found


def copy_of_the_project(to: pathlib.Path) -> None:
    for name in labs.project_files():
        if not name.startswith((".git", "docs/experiments/", "tests/fuzz/corpus")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(labs.ROOT / name, to / name)


@pytest.mark.parametrize("lab", EVERY, ids=IDS)
def test_every_claim_fails_on_the_skeleton(lab: labs.Lab, tmp_path: pathlib.Path) -> None:
    copy_of_the_project(tmp_path)
    share_objects(tmp_path)
    skeleton.write(lab, tmp_path / lab.folder.relative_to(labs.ROOT))
    found = outcomes(tmp_path, lab.number)
    assert found, "the lab has no claims"
    assert [claim for claim, outcome in found.items() if outcome == "passed"] == []


@pytest.mark.parametrize("lab", EVERY, ids=IDS)
def test_the_archive_with_the_references_files_passes(lab: labs.Lab, tmp_path) -> None:
    with tarfile.open(fileobj=io.BytesIO(handout.archive(lab))) as tar:
        tar.extractall(tmp_path)
    tree = tmp_path / f"raftlab-lab{lab.number}"
    share_objects(tree)
    for file in lab.files:
        shutil.copy2(labs.ROOT / file, tree / lab.own(file).relative_to(labs.ROOT))
    for name in lab.start:
        shutil.copy2(lab.solution(name), tree / lab.folder.relative_to(labs.ROOT) / name)
    found = outcomes(tree, lab.number)
    assert found, "the lab has no claims"
    assert {claim: text for claim, text in found.items() if text != "passed"} == {}
