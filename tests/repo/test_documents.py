"""What the documents promise is there: rules of the paper, commands, links."""

import pathlib
import re

import pytest

from raftlab import tree
from raftlab.build import ROOT

FIGURE = pathlib.Path("docs/figure2.md")
LABEL = re.compile(r"\b([A-Z]{2,}-\d+[a-z]?)\b")
LISTED = re.compile(r"^\|\s*`?([A-Z]{2,}-\d+[a-z]?)`?\s*\|", re.MULTILINE)
DOCUMENTS = tree.named(".md")


def listed() -> set[str]:
    return set(LISTED.findall(tree.read(FIGURE)))


def cited(names: list[pathlib.Path]) -> dict[str, str]:
    """Each label of a listed family, and one place that cites it."""
    families = {label.split("-")[0] for label in listed()}
    found: dict[str, str] = {}
    for name in names:
        for number, line in enumerate(tree.read(name).splitlines(), 1):
            for label in LABEL.findall(line):
                if label.split("-")[0] in families:
                    found.setdefault(label, f"{name}:{number}")
    return found


def test_every_rule_of_figure_2_has_code() -> None:
    code = cited([n for n in tree.named(".c", ".h") if str(n).startswith("raft/")])
    assert listed(), f"{FIGURE} lists no rule"
    missing = sorted(listed() - set(code))
    assert not missing, f"no code in raft/ cites {missing}"


def test_every_rule_of_figure_2_stands_in_the_files_that_the_table_names() -> None:
    rows = re.findall(
        r"^\|\s*([A-Z]{2,}-\d+[a-z]?)\s*\|.*\|([^|]*)\|\s*$", tree.read(FIGURE), re.MULTILINE
    )
    assert {label for label, _ in rows} == listed()
    for label, where in rows:
        for name in re.findall(r"`([^`]+)`", where):
            assert re.search(rf"\b{label}\b", tree.read(pathlib.Path(name))), (label, name)


def test_every_rule_of_figure_2_has_a_test() -> None:
    tests = cited([n for n in tree.named(".c", ".py") if str(n).startswith("tests/")])
    missing = sorted(listed() - set(tests))
    assert not missing, f"no test cites {missing}"


def test_every_label_that_is_cited_is_listed() -> None:
    everywhere = cited(tree.named(".c", ".h", ".py", ".md"))
    # CAND-1 names its parts CAND-1a to CAND-1d together.
    known = listed() | {label.rstrip("abcdefgh") for label in listed()}
    unknown = {label: place for label, place in everywhere.items() if label not in known}
    assert not unknown, f"not in {FIGURE}: {unknown}"


def make_targets() -> set[str]:
    makefile = tree.read(pathlib.Path("Makefile"))
    return set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))


def blocks(text: str) -> str:
    """The code of a document: fenced, indented or in backticks."""
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    .*", text, re.MULTILINE)
    return "\n".join(fenced + indented + re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_commands_of_a_document_exist(document: pathlib.Path) -> None:
    code = blocks(tree.read(document))
    lines = re.findall(r"(?:^|[$;&|`]\s*|^\s+)make((?: +[\w.=,/'-]+)*)", code, re.MULTILINE)
    asked = {
        word
        for line in lines
        for word in line.split()
        if re.fullmatch(r"[a-z][a-z0-9-]*", word)
    }
    # A lab's targets are made for each lab.
    unknown = {w for w in asked - make_targets() if not re.fullmatch(r"lab\d+", w)}
    assert not unknown, f"{document}: the Makefile has no {sorted(unknown)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_links_of_a_document_lead_somewhere(document: pathlib.Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", tree.read(document))
    local = [link for link in links if "://" not in link and "mailto:" not in link]
    dead = [link for link in local if not (ROOT / document.parent / link).exists()]
    assert not dead, f"{document}: {dead}"


def test_the_programs_that_documents_start_are_built() -> None:
    makefile = tree.read(pathlib.Path("Makefile"))
    for document in DOCUMENTS:
        for name in re.findall(r"\bbuild/(raft\w+)", tree.read(document)):
            assert f"$(OUT)/{name}:" in makefile, f"{document}: nothing builds {name}"


def test_every_mechanism_has_a_scenario_that_shows_it() -> None:
    text = tree.read(pathlib.Path("docs/mechanisms.md"))
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, *_ = section.splitlines()
        told = re.search(r"^\*Scenarios:\* (.*)$", section, re.MULTILINE)
        assert told, f"no scenario for {heading}"
        for name in re.findall(r"`([^`]+)`", told.group(1)):
            assert (ROOT / "sim/scenarios" / f"{name}.scenario").is_file(), name
