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


def test_answers_may_have_a_comment_and_their_form_is_told(folder) -> None:
    answer(folder, right() | {"quorum": f"{right()['quorum']} # a majority"}, otherwise="")
    assert failures() == []


def test_of_an_answer_in_another_form_that_is_said(folder) -> None:
    answer(folder, {}, otherwise="three")
    told = [failure.seen for failure in failures()]
    assert told.count("your answer is three, which is no number") == 6, told
    assert told.count("your answer is three, which is none of the words that are offered") == 2


def test_of_two_answers_to_one_question_none_counts(folder) -> None:
    answer(folder, right(), otherwise="")
    path = folder / "answers.txt"
    path.write_text(path.read_text(encoding="utf-8") + "quorum: 4\n", encoding="utf-8")
    found = failures()
    assert len(found) == 8 and all(failure.lines == [] for failure in found)
    assert {(one.expected, one.seen) for one in found} == {
        ("one line `quorum:` in answers.txt", "2 of them")
    }


ONE_WAY = [f"cut {a} > {b}" for a, b in ("31", "41", "51", "32", "42", "52", "53", "54")]
BREAKING = {
    "cut both ways in other words": (
        "one-way.scenario", [*ONE_WAY, "cut 01 > 3", "cut n2 > 3"],
        "cut both ways: [(1, 3), (2, 3)]",
    ),
    "no text": (
        "liveness.scenario", ["isolate \udcff"], "liveness.scenario:3: byte 0xff is no UTF-8"
    ),
    "a quote": (
        "liveness.scenario", ["isolate 1 # so", 'isolate "2'],
        "liveness.scenario:4: a quoted word does not end",
    ),
    "a long run": ("liveness.scenario", ["run 100h"], "a `run` takes at most 10 minutes"),
    "two disks": (
        "safety.scenario", ["disk 2 lying", "disk 3 lying"], "`disk 2 lying` and `disk 3 lying`"
    ),
    "no disk": ("safety.scenario", ["set x 1"], "no disk does"),
    "a disk that is lost": ("safety.scenario", ["disk 2 lost"], "`disk 2 lost`"),
    "another node crashes": (
        "safety.scenario", ["disk 2 lying", "crash 3", "restart 3"], "crashed; nodes 2 and 3"
    ),
    "the same node crashes": (
        "safety.scenario", ["disk 2 lying", "crash n2", "restart 02"], "no `set x 1`"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", BREAKING)
def test_what_is_wrong_with_a_scenario_is_said(folder, way: str) -> None:
    name, more, said = BREAKING[way]
    solved = (TOUR / "solution" / name).read_text(encoding="utf-8")
    lines = [line for line in solved.splitlines() if line and not line.startswith("#")]
    text = "\n".join([*lines[:2], *more, ""])
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    claim = next(one for one in vars(claims).values() if getattr(one, "lab_claim", None)
                 and one.lab_claim.step == STEPS[name])  # fmt: skip
    with pytest.raises(LabFailure) as told:
        claim()
    assert said in f"{told.value.expected}; {told.value.seen}", told.value


STEPS = {"liveness.scenario": 2, "one-way.scenario": 3, "safety.scenario": 4}


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
