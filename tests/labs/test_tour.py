"""Lab 0's predictions count, so nothing that is handed out, or reported before they are
made, answers them."""

import importlib.util
import pathlib
import re
import shutil
import subprocess

import pytest

from raftlab import build
from raftlab.labs import LabFailure

TOUR = build.ROOT / "labs" / "0-tour"
CLAIMS = build.ROOT / "tests" / "labs" / "lab0" / "test_tour.py"
spec = importlib.util.spec_from_file_location("lab0_tour", CLAIMS)
claims = importlib.util.module_from_spec(spec)
spec.loader.exec_module(claims)
PREDICTIONS = [f for f in vars(claims).values() if getattr(f, "lab_claim", None)
               and f.lab_claim.step == 1]  # fmt: skip


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A student's, in which nothing has been answered."""
    shutil.copytree(TOUR / "start", tmp_path / "start")
    shutil.copy(TOUR / "tour.scenario", tmp_path)
    shutil.copy(TOUR / "start" / "answers.txt", tmp_path)
    monkeypatch.setattr(claims, "FOLDER", tmp_path)
    monkeypatch.setenv("RAFTLAB_LAB", "0")
    return tmp_path


def failures() -> list[LabFailure]:
    found = []
    for claim in PREDICTIONS:
        try:
            claim()
        except LabFailure as failure:
            found.append(failure)
    return found


def answer(folder: pathlib.Path, wanted: dict[str, str], otherwise: str) -> None:
    path = folder / "answers.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(lines):
        if line.endswith(":") and not line.startswith("#"):
            lines[at] = f"{line} {wanted.get(line[:-1], otherwise)}".rstrip()
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def right() -> dict[str, str]:
    text = (TOUR / "solution" / "answers.txt").read_text(encoding="utf-8")
    return dict(line.split(": ") for line in text.splitlines())


def test_the_report_of_an_open_question_shows_nothing_of_the_tour(folder) -> None:
    found = failures()
    assert len(found) == len(PREDICTIONS) == 8
    assert [failure.lines for failure in found] == [[]] * 8


def test_a_wrong_answer_shows_nothing_of_the_tour_while_another_is_open(folder) -> None:
    answer(folder, {"quorum": "4", "x at the end": "77"}, otherwise="")
    found = failures()
    assert len(found) == 8
    assert [failure.lines for failure in found] == [[]] * 8
    assert sum("look at" in failure.expected for failure in found) == 2


def test_a_wrong_answer_is_told_where_to_look_and_never_the_right_one(folder) -> None:
    answer(folder, {}, otherwise="77")
    told = {failure.claim: failure for failure in failures()}
    assert len(told) == 8
    for (question, truth), failure in zip(right().items(), told.values()):
        assert "look at" in failure.expected and failure.lines, question
        assert failure.expected.startswith(f"what `{question}:` is when"), question
        said = failure.expected.removeprefix(f"what `{question}:` is") + failure.seen
        assert not re.search(rf"\b{truth}\b", said), (question, said)


def test_right_answers_count_one_by_one(folder) -> None:
    answer(folder, {"quorum": right()["quorum"]}, otherwise="")
    assert len(failures()) == 7


def test_the_handout_shows_no_line_of_the_tour_and_answers_no_question(tmp_path) -> None:
    text = (TOUR / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    (\[ *\d+\] n\d .*?)(?: \| \.\.\.)?$", text, re.M)
    assert len(shown) >= 5
    story = (TOUR / "tour.scenario").read_text(encoding="utf-8")
    traced = tmp_path / "tour.scenario"
    traced.write_text(f"trace -\n{story}", encoding="utf-8")
    done = subprocess.run(
        [build.program("raftsim"), "script", traced], capture_output=True, text=True, check=True
    )
    assert "quorum -> commit" in done.stdout
    assert not [line for line in shown if line in done.stdout]
    assert "<details>" not in text and "Answers to" not in text
    for question in right():
        assert f"{question}: {right()[question]}" not in text
