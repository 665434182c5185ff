"""Every claim of a lab names rules that stand in the documents; points add up."""

import ast
import pathlib
import re
import tomllib

from raftlab import labs

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests"
LABEL = re.compile(r"\b[A-Z]+-\d\w*\b")
# What a claim may name that is no rule of Figure 2.
MECHANISMS = {
    "snapshots",
    "changes-of-members",
    "learners",
    "pre-vote",
    "check-quorum",
    "stickiness",
    "transfer",
    "reads",
    "leases",
    "flow-control",
    "disk-failures",
    "no-op",
    "sessions",
    "log-format",
    "checkers",
    "scenarios",
}
POINTS_STEP = 5  # the points of a lab are a round number
COLUMNS_MAX = 80


def labels() -> set[str]:
    return set(LABEL.findall((ROOT / "docs/figure2.md").read_text(encoding="utf-8")))


def c_claims() -> list[tuple[str, labs.Claim]]:
    claims = []
    for path in sorted(TESTS.rglob("*_test.c")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*//\s*LAB\b", line):
                claims.append((str(path.relative_to(ROOT)), labs.parse_claim(line)))
    return claims


def python_claims() -> list[tuple[str, labs.Claim]]:
    claims = []
    for path in sorted(TESTS.glob("labs/lab*/test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                claims += [(f"{path.relative_to(ROOT)}:{node.lineno}", found)
                           for found in map(claim_of, node.decorator_list) if found]  # fmt: skip
    return claims


def claim_of(decorator: ast.expr) -> labs.Claim | None:
    if not isinstance(decorator, ast.Call) or getattr(decorator.func, "id", "") != "lab":
        return None
    words = {word.arg: ast.literal_eval(word.value) for word in decorator.keywords}
    number = ast.literal_eval(decorator.args[0])
    return labs.Claim(number, words["step"], words["points"], words["rules"])


def all_claims() -> list[tuple[str, labs.Claim]]:
    return c_claims() + python_claims()


def test_the_claims_of_the_labs_name_rules_that_are_documented() -> None:
    known = labels() | MECHANISMS
    assert "RV-2a" in known and "AE-5" in known
    unknown = [
        f"{place}: {rule}"
        for place, claim in all_claims()
        for rule in claim.rules.split()
        if rule not in known
    ]
    assert not unknown


def test_the_table_of_the_labs_tells_the_hours_of_each() -> None:
    page = (ROOT / "labs/README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| \[\d \S+\]\(([\w-]+)/README\.md\) .* (\d+) h \|$", page, re.M))
    files = {path.parent.name: path.read_text() for path in (ROOT / "labs").glob("*/lab.toml")}
    minutes = {lab: int(tomllib.loads(text)["minutes"]) for lab, text in files.items()}
    assert {lab: 60 * int(hours) for lab, hours in told.items()} == minutes


def test_the_points_of_a_lab_are_a_round_number() -> None:
    points: dict[int, int] = {}
    for _, claim in all_claims():
        points[claim.lab] = points.get(claim.lab, 0) + claim.points
    assert {lab: sum_ for lab, sum_ in points.items() if sum_ % POINTS_STEP != 0} == {}


def test_the_title_of_a_step_fits_into_a_line() -> None:
    heads = [
        f"Step {step}: {title}"
        for path in (ROOT / "labs").glob("*/lab.toml")
        for step, title in tomllib.loads(path.read_text(encoding="utf-8")).get("steps", {}).items()
    ]
    assert len(heads) > 40
    assert not [head for head in heads if len(head) > COLUMNS_MAX]
