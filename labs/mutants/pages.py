"""The generated parts of docs/bug-zoo.md and of the pages in docs/bug-zoo/.

What a page says by hand stands outside these markers, what is said here between them:

    <!-- bug N -->           who shipped it, the rule, the lab, the commands
    <!-- mutant NAME -->     the change, the schedule or the test that shows it, the tests
    <!-- test FILE::CLAIM --> the text of a test, where there is nothing to change
    <!-- index -->           the list of all pages, in docs/bug-zoo.md

and each ends with <!-- end -->. The facts come from the mutants' files, the schedules,
docs/figure2.md, the sources and what raftsim answers; zoo.py --write writes them.
"""

from __future__ import annotations

import difflib
import functools
import pathlib
import re

import run as mutants
import zoo
from run import labs

DOCS = mutants.ROOT / "docs"
INDEX = DOCS / "bug-zoo.md"
FOLDER = DOCS / "bug-zoo"
KINDS = r"bug \d+|mutant [\w-]+|test [\w/.:]+|index"
BLOCK = re.compile(rf"<!-- ({KINDS}) -->\n(.*?)<!-- end -->\n", re.DOTALL)
CONTEXT = 2  # lines around a change
SECTION = re.compile(r"^## (.+)$|^\| ([A-Z]+-\w+) \| (.+?) \|", re.MULTILINE)


@functools.cache
def every() -> list[mutants.Mutant]:
    loaded = [mutants.load(mutants.HERE / f"{name}.toml") for name in mutants.names()]
    return sorted(loaded, key=lambda mutant: (mutant.bug, mutant.name))


@functools.cache
def rules() -> dict[str, tuple[str, str]]:
    """label -> (its section's anchor in docs/figure2.md, its meaning)."""
    anchor, found = "", {}
    for heading, label, meaning in SECTION.findall((DOCS / "figure2.md").read_text()):
        if heading:
            anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        else:
            found[label] = anchor, meaning
    return found


def words(text: str) -> str:
    return " ".join(text.split())


# ---- a bug -----------------------------------------------------------------------------


def rule_line(label: str) -> str:
    if label not in rules():
        return f"- Rule: {label} of the paper ([figure2.md](../figure2.md#beyond-the-figure))."
    anchor, meaning = rules()[label]
    return f"- Rule: [{label}](../figure2.md#{anchor}): {meaning.rstrip(',')}"


def lab_line(numbers: list[int]) -> str:
    told = []
    for number in numbers:
        lab = labs.numbered(number)
        told.append(f"[{number}, {lab.title.lower()}](../../labs/{lab.folder.name}/README.md)")
    return f"- Lab: {', '.join(told)}."


def is_hunted(mutant: mutants.Mutant) -> bool:
    return mutant.file.startswith("raft/") and mutant.bug <= mutants.SHIPPED_MAX


def commands(number: int, ours: list[mutants.Mutant]) -> list[str]:
    lines = []
    if any(zoo.path_of(mutant.name).exists() for mutant in ours):
        told = "builds it into the simulator, and plays what is below"
        lines.append(f"    make zoo BUG={number:<6} # {told}")
    if any(map(is_hunted, ours)):
        told = "lets seeds find it, and shrinks what they find"
        lines.append(f"    make hunt BUG={number:<5} # {told}")
    return lines


def bug_block(number: int, order: list[str]) -> str:
    """In the order of the page, since one story may go on where another ends."""
    ours = sorted(
        (mutant for mutant in every() if mutant.bug == number),
        key=lambda mutant: order.index(mutant.name),
    )
    if len(ours) == 1:
        told = [words(ours[0].story)]
    else:
        told = [f"- [`{m.name}`](#{m.name}): {words(m.story)}" for m in ours]
    facts = [rule_line(label) for label in dict.fromkeys(mutant.rule for mutant in ours)]
    judged = sorted({mutants.lab_of(mutant) for mutant in ours} - {0})
    if judged:
        facts.append(lab_line(judged))
    shown = commands(number, ours)
    return "\n".join([*told, "", *facts, *([""] if shown else []), *shown]) + "\n"


# ---- a mutant --------------------------------------------------------------------------


def function_at(lines: list[str], at: int) -> str:
    """The name of the function in which that line stands; empty outside of any."""
    for line in reversed(lines[: at + 1]):
        if line.startswith("}"):
            break
        found = re.match(r"\w[\w *]*?\**(\w+)\(", line)
        if found:
            return found[1]
    return ""


def change(mutant: mutants.Mutant) -> tuple[str, str]:
    """Where it is, and the diff, without line numbers, which move too often."""
    before = (mutants.ROOT / mutant.file).read_text()
    after = before.replace(mutant.find, mutant.replace)
    old, new = before.splitlines(), after.splitlines()
    diff = list(difflib.unified_diff(old, new, lineterm="", n=CONTEXT))[2:]
    first = int(re.match(r"@@ -(\d+)", diff[0])[1]) - 1 + CONTEXT
    where = function_at(old, first)
    # A change may leave a blank line at an edge, which says nothing.
    text = "\n".join("..." if line.startswith("@@") else line.rstrip() for line in diff[1:])
    return where, text


def schedule_lines(mutant: mutants.Mutant, reference: str) -> list[str]:
    schedule = zoo.load(zoo.path_of(mutant.name))
    name = f"labs/mutants/scenarios/{mutant.name}.scenario"
    course = zoo.play(reference, schedule)
    if course.violations:
        raise mutants.Broken(f"{mutant.name}: fails without the bug: {course.violations[0]}")
    if schedule.rule == "crash":
        said = f"the simulator crashes: {schedule.told}"
    else:
        said = f"the simulator says: **{schedule.rule}**: {schedule.told}"
    if course.refused is None:
        other = "the same commands break no rule"
    else:
        other = f"`{course.refused}` is refused ({course.why}), and no rule is broken"
    return [
        f"The schedule ([{mutant.name}.scenario](../../{name}), `make zoo BUG={mutant.name}`):",
        "",
        "```text",
        *schedule.text.rstrip("\n").splitlines(),
        "```",
        "",
        f"- With the bug, {said}.",
        f"- Without it, {other}.",
    ]


def body_of(test: str) -> str:
    """The text of a test, from its name to its end."""
    path, _, claim = test.partition("::")
    text = (mutants.ROOT / path).read_text()
    if path.endswith(".c"):
        found = re.search(rf"^TEST\({claim}\)\n\{{\n.*?^\}}\n", text, re.M | re.S)
    else:
        found = re.search(rf"^def {claim}\(.*?(?=^\S|\Z)", text, re.M | re.S)
    if found is None:
        raise mutants.Broken(f"no test is named {test}")
    return found[0].rstrip("\n")


def test_lines(test: str) -> list[str]:
    path = test.partition("::")[0]
    language = "c" if path.endswith(".c") else "python"
    return [f"In [{path}](../../{path}):", "", f"```{language}", body_of(test), "```"]


def mutant_block(name: str, reference: str, shipped: bool = True) -> str:
    (mutant,) = [mutant for mutant in every() if mutant.name == name]
    where, diff = change(mutant)
    place = f", `{where}()`" if where else ""
    lines = [f"### {name}", ""]
    if not shipped:
        lines += [words(mutant.story), "", rule_line(mutant.rule), ""]
    lines += [f"In [{mutant.file}](../../{mutant.file}){place}:", "", "```diff"]
    lines += [*diff.splitlines(), "```", ""]
    if zoo.path_of(name).exists():
        lines += schedule_lines(mutant, reference) + [""]
    elif mutant.unscheduled:
        lines += [f"No schedule: {words(mutant.unscheduled)} A test shows it.", ""]
        lines += test_lines(mutant.killed_by[0]) + [""]
    lines += [f"Tests that notice it (`make mutants NAMES={name}`):", ""]
    for test in mutant.killed_by:
        path, _, claim = test.partition("::")
        lines.append(f"- [{path}](../../{path}): `{claim}`")
    return "\n".join(lines) + "\n"


# ---- pages -----------------------------------------------------------------------------


def paths() -> list[pathlib.Path]:
    """By the bugs' numbers; the students' mistakes come last."""
    return sorted(FOLDER.glob("*.md"))


def title(path: pathlib.Path) -> str:
    return path.read_text().partition("\n")[0].removeprefix("# ")


def number_of(path: pathlib.Path) -> int:
    """0 for a page of the students' mistakes."""
    found = re.match(r"(\d+)-", path.name)
    return int(found[1]) if found else 0


def mutants_on(path: pathlib.Path) -> list[str]:
    return re.findall(r"^<!-- mutant ([\w-]+) -->$", path.read_text(), re.MULTILINE)


def index_row(path: pathlib.Path) -> str:
    ours = [mutant for mutant in every() if mutant.name in mutants_on(path)]
    numbers = [mutant.bug for mutant in ours] or [number_of(path)]
    bugs = str(numbers[0]) if len(set(numbers)) == 1 else f"{numbers[0]} to {numbers[-1]}"
    broken = list(dict.fromkeys(mutant.rule for mutant in ours)) if number_of(path) else []
    shown = sum(zoo.path_of(mutant.name).exists() for mutant in ours)
    count = f"{shown} of {len(ours)}" if ours else ""
    name = re.sub(r"^Bug \d+: ", "", title(path))
    return f"| {bugs} | [{name}](bug-zoo/{path.name}) | {', '.join(broken)} | {count} |"


def index_block() -> str:
    lines = ["| Bug | What | Rules | Schedules |", "|---|---|---|---|"]
    return "\n".join([*lines, *map(index_row, paths())]) + "\n"


def rendered(path: pathlib.Path, reference: str) -> str:
    """A page as it should be."""

    def block(match: re.Match) -> str:
        kind, _, name = match[1].partition(" ")
        if kind == "bug":
            text = bug_block(int(name), mutants_on(path))
        elif kind == "mutant":
            text = mutant_block(name, reference, number_of(path) > 0)
        elif kind == "test":
            text = "\n".join(test_lines(name)) + "\n"
        else:
            text = index_block()
        return f"<!-- {match[1]} -->\n{text}<!-- end -->\n"

    return BLOCK.sub(block, path.read_text())


def write() -> None:
    reference = str(mutants.ROOT / "build" / "raftsim")
    for path in [*paths(), INDEX]:
        path.write_text(rendered(path, reference))
