"""docs/coverage.md: what it cites is there, and it has a row for each test of theirs."""

import pathlib
import re
from dataclasses import dataclass

from raftlab import tree
from raftlab.build import ROOT

DOCUMENT = pathlib.Path("docs/coverage.md")
HEAD = re.compile(r"^## (.*): (\d+) (?:tests?|subjects)\b.*$")
CITED = re.compile(r"`([\w/]+\.(?:c|py))::(\w+)`")
SCENARIO = re.compile(r"`([\w-]+\.scenario)`")
OTHER = re.compile(r"as `([^`]+)`")
WITHOUT = ("none yet", "not applicable")


@dataclass(frozen=True)
class Row:
    course: str
    theirs: str
    ours: str
    differs: str


def heads() -> dict[str, int]:
    """How many rows each table promises."""
    lines = tree.read(DOCUMENT).splitlines()
    found = [HEAD.match(line) for line in lines if line.startswith("## ")]
    assert all(found), "a head tells no number of tests"
    return {head[1]: int(head[2]) for head in found if head}


def rows() -> list[Row]:
    found = []
    course = ""
    for line in tree.read(DOCUMENT).splitlines():
        if head := HEAD.match(line):
            course = head[1]
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 3, line
            found.append(Row(course, cells[0].strip("`"), cells[1], cells[2]))
    return found


def path_of(file: str) -> pathlib.Path:
    """A lab's file is named without the folder of all labs."""
    under = pathlib.Path("tests/labs" if re.match(r"lab\d+/", file) else "tests")
    return under / file


def claims(name: pathlib.Path) -> set[str]:
    form = r"^TEST\((\w+)\)" if name.suffix == ".c" else r"^def (test_\w+)\("
    return set(re.findall(form, tree.read(name), re.MULTILINE))


def test_every_claim_that_is_cited_exists() -> None:
    cited = CITED.findall(tree.read(DOCUMENT))
    assert cited
    # Nothing that looks like a citation is written in a form that is not looked at.
    assert tree.read(DOCUMENT).count("::") == len(cited) + 1, "one stands for the form alone"
    files = {file for file, _ in cited}
    gone = sorted(file for file in files if not (ROOT / path_of(file)).is_file())
    assert not gone, f"no such file: {gone}"
    known = {file: claims(path_of(file)) for file in files}
    missing = sorted(f"{file}::{claim}" for file, claim in cited if claim not in known[file])
    assert not missing, f"no such claim: {missing}"


def test_every_scenario_that_is_cited_exists() -> None:
    cited = SCENARIO.findall("\n".join(row.ours for row in rows()))
    assert cited
    missing = sorted(name for name in cited if not (ROOT / "sim/scenarios" / name).is_file())
    assert not missing, missing


def test_each_table_has_as_many_rows_as_its_head_says() -> None:
    counts = {course: 0 for course in heads()}
    for row in rows():
        counts[row.course] += 1
    assert counts == heads()


def test_each_test_of_theirs_has_one_row() -> None:
    names = [(row.course, row.theirs) for row in rows()]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, twice


def test_each_row_cites_a_claim_or_says_why_there_is_none() -> None:
    known = {row.theirs for row in rows() if not OTHER.search(row.ours)}
    for row in rows():
        if row.ours in WITHOUT:
            assert row.differs, f"{row.theirs}: why is there none?"
        elif others := OTHER.findall(row.ours):
            assert set(others) <= known, f"{row.theirs}: no row of {others}"
        else:
            parts = row.ours.split("<br>")
            wrong = [p for p in parts if not (CITED.fullmatch(p) or SCENARIO.fullmatch(p))]
            assert not wrong, f"{row.theirs}: {wrong}"
