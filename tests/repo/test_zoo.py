"""docs/bug-zoo: a page for each bug, true to its sources, and schedules that show it.

That a schedule breaks its rule where the bug is built in, test_mutants.py sees to."""

import functools
import pathlib
import re
import sys

import pytest

from raftlab import build, tree

sys.path.insert(0, str(build.ROOT / "labs" / "mutants"))
import hunt  # noqa: E402
import pages  # noqa: E402
import run as mutants  # noqa: E402
import zoo  # noqa: E402

CATALOGUE = range(1, mutants.SHIPPED_MAX + 1)
COMMANDS_MAX = 40  # a schedule is to be read
WHY = re.compile(r"^## (?:Why|Bug \d+:)[^\n]*\n\n(.*?)(?=^## |^<!-- |\Z)", re.M | re.S)


@functools.cache
def reference() -> str:
    return str(build.program("raftsim"))


@functools.cache
def every() -> dict[str, mutants.Mutant]:
    return {name: mutants.load(mutants.HERE / f"{name}.toml") for name in mutants.names()}


def test_no_schedule_breaks_a_rule_without_its_bug() -> None:
    broken = {s.name: zoo.play(reference(), s).violations for s in zoo.kept()}
    assert len(broken) >= 90
    assert not any(broken.values()), broken


def test_every_schedule_belongs_to_a_mutant_and_is_short() -> None:
    for schedule in zoo.kept():
        assert schedule.name in every()
        assert len(schedule.commands) <= COMMANDS_MAX, schedule.name
        assert schedule.told, f"{schedule.name}: what does the checker say?"


def test_a_bug_of_the_core_or_the_host_has_a_schedule_or_a_reason_for_none() -> None:
    for name in hunt.core_names():
        shown = zoo.path_of(name).exists()
        assert shown != bool(every()[name].unscheduled), name


def test_every_bug_of_the_catalogue_has_its_page() -> None:
    numbers = sorted(filter(None, map(pages.number_of, pages.paths())))
    assert numbers == list(CATALOGUE)


def test_every_mutant_stands_on_one_page_and_on_that_of_its_bug() -> None:
    placed = [(name, page) for page in pages.paths() for name in pages.mutants_on(page)]
    assert sorted(name for name, _ in placed) == sorted(every())
    for name, page in placed:
        bug = every()[name].bug
        assert pages.number_of(page) == (bug if bug <= mutants.SHIPPED_MAX else 0), name


@pytest.mark.parametrize("page", pages.paths(), ids=lambda page: page.stem)
def test_a_page_tells_why_the_rule_is_as_it_is(page: pathlib.Path) -> None:
    told = WHY.findall(page.read_text())
    assert told, f"{page.name} has no section that says why"
    for text in told:
        sentences = re.findall(r"[.:?!](?=\s|$)", text)
        assert len(sentences) >= 2, f"{page.name}: {text}"


@pytest.mark.parametrize("page", [*pages.paths(), pages.INDEX], ids=lambda page: page.stem)
def test_a_page_says_what_the_sources_say(page: pathlib.Path) -> None:
    """To mend it: labs/mutants/zoo.py --write, and look at the difference."""
    assert pages.rendered(page, reference()) == page.read_text()


def test_a_schedule_is_read_up_to_its_claim(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.scenario"
    path.write_text('# Broken: x.\ncluster 2 manual\n\ntimeout 1\nexpect violation "x y" # z\n')
    schedule = zoo.load(path)
    assert schedule.commands == ["cluster 2 manual", "timeout 1"]
    assert (schedule.rule, schedule.told) == ("x y", "z")
    head = "# Broken: a crash (SIGABRT). f.c: g: Assertion `h\n# (i)' failed.\n"
    path.write_text(head + "timeout 1\n")
    assert (zoo.load(path).rule, zoo.load(path).told) == ("crash", "Assertion `h (i)' failed")
    path.write_text("cluster 2 manual\n")
    with pytest.raises(mutants.Broken, match="neither names a broken rule"):
        zoo.load(path)


def test_a_program_without_the_bug_is_objected_to() -> None:
    figure_8 = zoo.load(zoo.path_of("commits-an-older-term-by-counting"))
    assert "no rule is broken" in zoo.objection(reference(), figure_8)


def test_a_mutant_that_its_schedule_does_not_show_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    mutant = every()["commits-an-older-term-by-counting"]
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "raftsim").symlink_to(reference())
    (tmp_path / mutant.file).parent.mkdir(parents=True)
    (tmp_path / mutant.file).write_text((build.ROOT / mutant.file).read_text())
    monkeypatch.setattr(mutants, "build", lambda *_, raftsim: None)
    monkeypatch.setattr(mutants, "ask", lambda *_: [])
    with pytest.raises(mutants.Broken, match="no rule is broken"):
        mutants.judge(mutant, tmp_path, repeat=1)


def test_a_bug_is_chosen_by_name_by_number_or_as_figure8() -> None:
    names = [schedule.name for schedule in zoo.chosen(["figure8"])]
    assert names == ["commits-an-older-term-by-counting"]
    assert [schedule.name for schedule in zoo.chosen(["1"])] == names
    assert len(zoo.chosen(["54"])) > 1 and len(zoo.chosen([])) == len(zoo.kept())
    with pytest.raises(SystemExit, match="there is no schedule of"):
        zoo.chosen(["no-such-bug"])


def test_the_index_links_every_page() -> None:
    text = tree.read(pathlib.Path("docs/bug-zoo.md"))
    assert re.findall(r"\(bug-zoo/([\w.-]+)\)", text)
    assert set(re.findall(r"\(bug-zoo/([\w.-]+)\)", text)) == {p.name for p in pages.paths()}
