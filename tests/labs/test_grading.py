"""make grade, and the two platforms that call it, on a lab that is built in moments."""

import base64
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import types
import xml.etree.ElementTree as xml
import zipfile
from typing import Optional

import pytest

from raftlab import build, grading, lab_failure

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(build.ROOT / "labs" / "tools")]

import formats  # noqa: E402  (the paths above come first)
import grade as grader  # noqa: E402
import lab as labs  # noqa: E402
import small_lab  # noqa: E402
import verdict  # noqa: E402

FULL = 10
WRONG_FOR_EVEN = small_lab.SOLUTION.replace("voters / 2 + 1", "(voters + 1) / 2")
AUTOGRADER = build.ROOT / "labs" / "autograder"


@pytest.fixture(scope="module")
def archive() -> bytes:
    return small_lab.archive()


@pytest.fixture(scope="module")
def tree(archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A student's, in which all is built that they do not change."""
    return small_lab.unpack(archive, tmp_path_factory.mktemp("class") / "raftlab")


def environment(**more: str) -> dict[str, str]:
    ours = ("RAFTLAB_", "GITHUB_", "PYTEST_", "MAKE", "MFLAGS", "NO_COLOR")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"PYTHON": sys.executable} | more


def grade(
    tree: pathlib.Path,
    *flags: str,
    text: Optional[str] = small_lab.SOLUTION,
    jobs: int = 1,
    **more: str,
) -> subprocess.CompletedProcess:
    """make grade, after the student has written that text."""
    for path in (tree / "labs" / "1-counting").glob("*.[ch]"):
        path.unlink()
    if text is not None:
        small_lab.submit(tree / "labs" / "1-counting", text)
    return subprocess.run(
        [sys.executable, "labs/tools/grade.py", "1", "--jobs", str(jobs), *flags],
        cwd=tree, env=environment(**more), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wrong(tree: pathlib.Path) -> subprocess.CompletedProcess:
    """A wrong solution, judged once and told in every form."""
    forms = ("--junit", "j.xml", "--classroom", "c.json")
    return grade(tree, *forms, text=WRONG_FOR_EVEN, jobs=2, GITHUB_OUTPUT=str(tree / "output"))


def last_line(done: subprocess.CompletedProcess) -> str:
    assert done.stdout, done.stderr
    return done.stdout.rstrip("\n").split("\n")[-1]


def test_a_solved_lab_gets_all_points_and_exit_code_0(tree: pathlib.Path) -> None:
    done = grade(tree)
    assert (last_line(done), done.returncode) == ("lab 1: 10/10 points", 0), done.stdout
    assert done.stdout == (
        "Lab 1: Counting\n\n"
        "Step 1: What a majority is\n  pass  2/2  three of five are a majority\n\n"
        "Step 2: Terms\n  pass  3/3  the latest term is the highest\n\n"
        "Step 3: Clusters\n  pass  5/5  no two majorities are disjoint\n\n"
        "lab 1: 10/10 points\n"
    )


def test_what_fails_costs_its_points_and_is_told_the_same_way_each_time(
    tree: pathlib.Path, wrong: subprocess.CompletedProcess
) -> None:
    done = grade(tree, text=WRONG_FOR_EVEN)
    assert done.stdout == wrong.stdout  # one worker, or two
    assert (last_line(done), done.returncode) == ("lab 1: 5/10 points", 1), done.stdout
    assert "FAIL  0/5  no two majorities are disjoint" in done.stdout
    assert "seen:     2 of 4" in done.stdout and "Hint for step 3: Try even" in done.stdout
    assert "More than half" not in done.stdout  # its step holds
    assert max(map(len, done.stdout.split("\n"))) <= 80
    report = re.search(r"report: (\S+\.txt)", done.stdout)[1]
    assert "2 of 4" in (tree / report).read_text()
    assert "majority 4\n" in (tree / report).with_suffix(".scenario").read_text()


def test_the_first_seed_can_be_chosen(tree: pathlib.Path) -> None:
    # Seeds 1 to 4 are clusters of 4 to 7 nodes; these are of 7, 8, 9 and 10.
    done = grade(tree, "--seed-base", "4", "--step", "3", text=WRONG_FOR_EVEN)
    assert "seen:     4 of 8" in done.stdout


def test_an_unwritten_lab_says_what_is_to_be_written_and_hints_at_the_first_step(
    tree: pathlib.Path,
) -> None:
    done = grade(tree, "--junit", "stubs.xml", text=small_lab.texts()["raft/quorum.c"])
    assert last_line(done) == "lab 1: 0/10 points"
    said = " ".join(done.stdout.split())
    assert "quorum.c:8: quorum_size() is still to be written (lab 1: CAND-2)" in said
    assert "Hint for step 1: More than half." in done.stdout
    assert "Try even numbers" not in done.stdout
    # Two claims, one reason: it is told once.
    assert done.stdout.count("FAIL  step") == 2
    # And there is one report of it, which is also how the second is seen again.
    stems = ["the_latest_term_is_the_highest", "three_of_five_are_a_majority"]
    reports = tree / "build" / "lab1" / "report"
    assert sorted(path.stem for path in reports.glob("*.txt")) == stems
    cases = xml.parse(tree / "stubs.xml").getroot().findall("testsuite/testcase")
    lines = small_lab.PYTHON_CLAIMS[: small_lab.PYTHON_CLAIMS.index("@lab")].count("\n")
    assert cases[2].get("line") == str(lines + 1)
    facts = [{p.get("name"): p.get("value") for p in case.iter("property")} for case in cases]
    assert facts[2]["replay"] == facts[0]["replay"] != facts[1]["replay"]
    assert facts[0]["replay"].endswith(" three_of_five_are_a_majority")


def test_one_step_can_be_asked_for(tree: pathlib.Path) -> None:
    done = grade(tree, "--step", "2", text=WRONG_FOR_EVEN)
    assert (last_line(done), done.returncode) == ("lab 1 step 2: 3/3 points", 0)


def test_code_that_does_not_compile_is_told_with_its_line_and_gets_nothing(
    tree: pathlib.Path,
) -> None:
    text = small_lab.SOLUTION.replace("voters / 2 + 1", "voter / 2 + 1")
    done = grade(tree, text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1)
    line = text[: text.index("voter / 2")].count("\n") + 1
    assert f"labs/1-counting/quorum.c:{line}:12: error: " in done.stdout
    assert "Hint" not in done.stdout and "make" not in done.stdout


def test_refused_code_gets_nothing_and_the_reason(tree: pathlib.Path) -> None:
    print_it = '#include <stdio.h>\nvoid quorum_x(void);\nvoid quorum_x(void) { puts("{}"); }\n'
    done = grade(tree, "--junit", "refused.xml", text=small_lab.SOLUTION + print_it)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1)
    line = (small_lab.SOLUTION + print_it).count("\n")
    said = f"\nquorum.c:{line}: calls puts(), which is not for this lab: take your output"
    assert said in done.stdout
    suite = xml.parse(tree / "refused.xml").getroot()
    assert suite.get("failures") == suite.get("tests") == "3"
    assert last_line(grade(tree, text=None)) == "lab 1: 0/10 points"


def results(tree: pathlib.Path) -> list[str]:
    """The text of each file of results, which is taken away."""
    names = ("r.xml", "r.json", "r.classroom")
    texts = [(tree / name).read_text(encoding="utf-8") for name in names]
    for name in names:
        (tree / name).unlink()
    return texts


RESULTS = ("--junit", "r.xml", "--gradescope", "r.json", "--classroom", "r.classroom")


@pytest.mark.parametrize(
    "added, said",
    [
        (
            "void crash_tell(const char *p);\nvoid crash_tell(const char *p) { (void)p; }\n",
            "quorum.c:{line}: crash_tell() has the name of a function of the simulator "
            "(sim/tool/crash.h): make it static, or name it otherwise",
        ),
        (
            "void test_fail(int n);\nvoid test_fail(int n) { (void)n; }\n",
            "quorum.c:{line}: test_fail() has the name of a function of the tests "
            "(tests/test.h): make it static, or name it otherwise",
        ),
        (
            "int main(void);\nint main(void) { return 0; }\n",
            "quorum.c:{line}: quorum.c defines main(), a name that is not its own: make it "
            "static, or begin it with quorum_",
        ),
    ],
)
def test_a_helper_that_is_not_static_and_named_like_anothers_is_the_students_mistake(
    tree: pathlib.Path, added: str, said: str
) -> None:
    text = small_lab.SOLUTION + added
    done = grade(tree, *RESULTS, text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1), done.stderr
    said = said.format(line=text.count("\n"))
    assert said in " ".join(done.stdout.split()) and str(tree) not in done.stdout
    assert max(map(len, done.stdout.split("\n"))) <= 80
    assert all(said in told for told in results(tree))


def test_two_files_of_the_students_that_define_the_same_are_told_of(tree: pathlib.Path) -> None:
    twice = "int quorum_more_x(void);\nint quorum_more_x(void) { return 1; }\n"
    small_lab.submit(tree.parent / "two", small_lab.SOLUTION + twice)
    (tree.parent / "two" / "quorum_more.c").write_text(twice)
    stage = ("--submission", str(tree.parent / "two"), "--stage", str(tree.parent / "s2"))
    done = grade(tree, *stage)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1), done.stderr
    assert "multiple definition of `quorum_more_x'" in done.stdout
    assert str(tree.parent) not in done.stdout


def test_a_function_that_is_gone_is_named_once_with_its_file(tree: pathlib.Path) -> None:
    done = grade(tree, *RESULTS, text='#include "raft/quorum.h"\n')
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1), done.stderr
    assert done.stdout == (
        "Lab 1: Counting\n\nIt cannot be put together with the rest:\n\n"
        "quorum.c lacks quorum_size()\n\nlab 1: 0/10 points\n"
    )  # the simulator, which is linked first, needs only this one
    assert all("quorum.c lacks quorum_size()" in told for told in results(tree))


def test_bytes_that_are_no_text_reach_neither_the_terminal_nor_the_results(
    tree: pathlib.Path,
) -> None:
    text = small_lab.SOLUTION + '\x1b[2J\x07\x7f\x9b\u202e = "\x01\x0c";\n'
    done = grade(tree, *RESULTS, text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1), done.stderr
    assert "quorum.c" in done.stdout
    for told in (done.stdout, *results(tree)):
        bad = {c for c in told if not c.isprintable()} - {"\n", "\t"}
        assert not bad and not re.search(r"\\u00[019]|\\u007f", told), bad


@pytest.mark.parametrize(
    "instead, seen",
    [("printf(\"%d\\n\", count)", "calls printf()"), ("printf(\"no\\n\")", "calls printf()"),
     ("exit(0)", "calls exit()"), ("fprintf(stderr, \"no\\n\")", "calls fprintf()")],
)  # fmt: skip
def test_a_call_that_is_not_for_the_lab_is_told_as_it_is_written_with_its_line(
    tree: pathlib.Path, instead: str, seen: str
) -> None:
    text = small_lab.SOLUTION.replace("int latest = 0;", f"int latest = 0;\n    {instead};")
    text = text.replace("\n", "\n#include <stdio.h>\n#include <stdlib.h>\n", 1)
    done = grade(tree, text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 0/10 points", 1), done.stderr
    line = text[: text.index(instead)].count("\n") + 1
    assert f"\nquorum.c:{line}: {seen}, which is not for this lab" in done.stdout
    assert done.stdout.count(seen) == 1 and "puts" not in done.stdout


@pytest.mark.parametrize(
    "instead, seen",
    [
        ("*(volatile int *)0", "quorum.c:{line}"),
        ("({ for (volatile int i = 0;; i++) continue; 1; })", "an endless loop?"),
    ],
)
def test_a_crash_or_an_endless_loop_fails_its_claims_alone_and_has_a_line(
    tree: pathlib.Path, instead: str, seen: str
) -> None:
    text = small_lab.SOLUTION.replace("int latest = 0;", f"int latest = 0; {instead};")
    done = grade(tree, text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 7/10 points", 1), done.stdout
    line = text[: text.index(instead)].count("\n") + 1
    assert seen.format(line=line) in done.stdout
    report = tree / "build/lab1/report/the_latest_term_is_the_highest.txt"
    assert f"Where     quorum.c:{line}, in quorum_latest()" in report.read_text()
    again = seen_again(tree, report)
    assert again.returncode in (-signal.SIGXCPU, 1)  # a sanitizer's report ends in 1
    assert "#0 " in again.stderr, again.stderr


def seen_again(tree: pathlib.Path, report: pathlib.Path) -> subprocess.CompletedProcess:
    """What comes of the command of a report, with less time than a student has."""
    text = report.read_text()
    command = re.search(r"^Again((?: .*|\n)(?:.*\\\n)*.*)", text, re.MULTILINE)[1].strip()
    words = command.replace(f"{lab_failure.LIMIT} ", "prlimit --cpu=1:2 ")
    assert (words != command) == ("endless" in text), command
    scenario = report.with_suffix(".scenario")  # which this raftsim has to be given
    return subprocess.run(
        ["sh", "-c", f"exec {words}"], cwd=tree, capture_output=True, text=True, timeout=60,
        input=scenario.read_text() if scenario.exists() else "",
    )  # fmt: skip


@pytest.mark.parametrize(
    "instead, killed",
    [
        ("*(volatile int *)0 + 3", "raftsim is killed by SIGSEGV: "),
        ("({ for (volatile int i = 0;; i++) continue; 3; })", "an endless loop? "),
    ],
)
def test_a_crash_or_an_endless_loop_in_a_simulated_claim_has_a_line(
    tree: pathlib.Path, instead: str, killed: str
) -> None:
    text = small_lab.SOLUTION.replace("voters / 2 + 1", f"voters == 4 ? {instead} : voters / 2 + 1")
    done = grade(tree, "--junit", "died.xml", text=text)
    assert (last_line(done), done.returncode) == ("lab 1: 5/10 points", 1), done.stdout
    line = text[: text.index(instead)].count("\n") + 1
    reports = tree / "build/lab1/report"
    again = seen_again(tree, reports / "no_two_majorities_are_disjoint.txt")
    assert again.returncode == (-signal.SIGXCPU if "loop" in killed else -signal.SIGSEGV)
    assert "#0 " in again.stderr, again.stderr
    told = xml.parse(tree / "died.xml").getroot().find(".//failure").text
    assert f"{killed}quorum_size (quorum.c:{line}), called from main (main.c:" in " ".join(
        told.split()
    )


def test_a_terminal_gets_colours_unless_it_wants_none(tree: pathlib.Path) -> None:
    small_lab.submit(tree / "labs" / "1-counting")
    assert "\033[32mpass" in in_a_terminal(tree)
    assert "\033" not in in_a_terminal(tree, NO_COLOR="1")


def in_a_terminal(tree: pathlib.Path, **more: str) -> str:
    ours, theirs = pty.openpty()
    words = [sys.executable, "labs/tools/grade.py", "1", "--step", "2"]
    child = subprocess.Popen(words, cwd=tree, env=environment(**more), stdout=theirs)
    os.close(theirs)
    said = b""
    try:
        while more_said := os.read(ours, 4096):
            said += more_said
    except OSError:  # how a terminal ends
        pass
    assert child.wait(60) == 0
    os.close(ours)
    return said.decode()


# ---- what the platforms read -----------------------------------------------------


def test_junit_names_points_seed_and_the_command_that_comes_to_the_same(
    tree: pathlib.Path, wrong: subprocess.CompletedProcess
) -> None:
    top = xml.parse(tree / "j.xml").getroot()
    assert (top.get("tests"), top.get("failures")) == ("3", "1")
    cases = top.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == [
        "step 1: three of five are a majority",
        "step 2: the latest term is the highest",
        "step 3: no two majorities are disjoint",
    ]
    facts = {p.get("name"): p.get("value") for p in cases[2].findall("properties/property")}
    assert facts["points"] == "0/5" and facts["seed"] == "1" and facts["rules"] == "CAND-2"
    told = cases[2].find("failure").text
    assert facts["replay"].startswith("build/lab1/raftsim script ") and facts["replay"] in told
    replay = subprocess.run(facts["replay"].split(), cwd=tree, stdin=subprocess.DEVNULL)
    assert replay.returncode == 0


def test_classrooms_reporter_gets_each_claim_with_its_points(
    tree: pathlib.Path, wrong: subprocess.CompletedProcess
) -> None:
    result = json.loads((tree / "c.json").read_text())
    assert (result["version"], result["status"], result["max_score"]) == (1, "fail", FULL)
    assert [test["score"] for test in result["tests"]] == [2, 3, 0]
    assert [test["status"] for test in result["tests"]] == ["pass", "pass", "fail"]
    wanted = {"name", "status", "score", "message", "test_code", "filename", "line_no", "duration"}
    assert all(set(test) == wanted for test in result["tests"])
    line = (tree / "output").read_text().strip()
    assert json.loads(base64.b64decode(line.removeprefix("result="))) == result
    assert (tree / "c.b64").read_text().strip() == line.removeprefix("result=")


def test_a_student_who_changes_the_tests_is_judged_by_those_handed_out(
    archive: bytes, tmp_path: pathlib.Path
) -> None:
    tree = small_lab.unpack(archive, tmp_path / "raftlab")
    claims = tree / "tests" / "labs" / "lab1" / "test_counting.py"
    claims.write_text(claims.read_text().replace("2 * value <= voters", "False"))
    (tree / "tests" / "labs" / "conftest.py").write_text("import os; os._exit(0)\n")
    done = grade(tree, text=WRONG_FOR_EVEN)
    assert (last_line(done), done.returncode) == ("lab 1: 5/10 points", 1), done.stderr
    changed = "  tests/labs/conftest.py\n  tests/labs/lab1/test_counting.py\n"
    assert f"judged as they were handed out:\n{changed}" in done.stdout


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_lab_toml_is_restored_before_it_is_read(
    archive: bytes, tmp_path: pathlib.Path, how: str
) -> None:
    tree = small_lab.unpack(archive, tmp_path / "raftlab")
    toml = tree / "labs" / "1-counting" / "lab.toml"
    if how == "gone":
        toml.unlink()
    else:
        toml.write_text("garbage [\n")
    done = grade(tree)
    assert (last_line(done), done.returncode) == ("lab 1: 10/10 points", 0), done.stderr
    assert "as they were handed out:\n  labs/1-counting/lab.toml\n" in done.stdout


def test_what_is_wrong_with_another_lab_is_no_matter(
    archive: bytes, tmp_path: pathlib.Path
) -> None:
    for number, text in ((1, small_lab.TOML), (2, "garbage [\n")):
        (tmp_path / f"{number}-x").mkdir()
        (tmp_path / f"{number}-x" / "lab.toml").write_text(text)
    assert labs.numbered(1, tmp_path).title == "Counting"
    (tmp_path / "3-x").mkdir()
    with pytest.raises(labs.Unknown, match="3-x/lab.toml is not there"):
        labs.numbered(3, tmp_path)
    with pytest.raises(labs.Unknown, match="no lab 4; there are: 1, 2"):
        labs.numbered(4, tmp_path)
    with pytest.raises(labs.Unknown, match="2-x/lab.toml: "):
        labs.every(tmp_path)


def test_a_tree_that_has_lost_what_it_knows_itself_by_says_so(
    archive: bytes, tmp_path: pathlib.Path
) -> None:
    tree = small_lab.unpack(archive, tmp_path / "raftlab")
    claims = tree / "tests" / "labs" / "lab1" / "test_counting.py"
    claims.write_text(claims.read_text().replace("2 * value <= voters", "False"))
    (tree / "labs" / "dist" / "MANIFEST").unlink()
    done = grade(tree, text=WRONG_FOR_EVEN)  # the second copy is enough
    assert last_line(done) == "lab 1: 5/10 points" and "test_counting.py" in done.stdout
    shutil.rmtree(tree / "labs" / "dist")
    done = grade(tree, "--gradescope", "g.json", text=WRONG_FOR_EVEN)
    assert last_line(done) == "lab 1: 10/10 points"
    assert "labs/dist is missing: nobody can tell" in done.stdout
    assert "labs/dist is missing: nobody can tell" in (tree / "g.json").read_text()


def test_a_copy_is_not_made_from_what_was_changed(archive: bytes, tmp_path: pathlib.Path) -> None:
    tree = small_lab.unpack(archive, tmp_path / "raftlab")
    (tree / "labs" / "dist" / "pristine.tar.gz").unlink()
    (tree / "tests" / "labs" / "conftest.py").write_text("import os; os._exit(0)\n")
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    done = grade(tree)
    assert done.returncode == 2 and "there is nothing to restore from" in done.stderr


def test_a_grader_that_fails_is_no_zero(archive: bytes, tmp_path: pathlib.Path) -> None:
    tree = small_lab.unpack(archive, tmp_path / "raftlab")
    (tree / "Makefile").unlink()
    (tree / "labs" / "dist" / "pristine.tar.gz").write_bytes(b"no archive")
    done = grade(tree, RAFTLAB_DEBUG="")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    told = done.stderr.rstrip("\n").split("\n")[-1]
    assert told.startswith("The grader itself has failed: ReadError: ")
    done = grade(tree, RAFTLAB_DEBUG="1")
    assert done.returncode == 2 and "Traceback" in done.stderr and "staging.py" in done.stderr
    # Nor is one that cannot even begin.
    (tmp_path / "pytest.py").write_text("raise ModuleNotFoundError('no pytest here')\n")
    done = grade(tree, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "no pytest here" in done.stderr


def claim(step: int, name: str) -> grading.Claim:
    return grading.Claim(
        id=name, file="tests/x_test.c", line=1, name=name, step=step, points=1, rules="RV-1"
    )


def report_of(name: str, when: str, held: bool) -> types.SimpleNamespace:
    told = types.SimpleNamespace(nodeid=name, when=when)
    if when == "call":
        told.lab_result = {"held": held, "text": "" if held else "it failed"}
    return told


def test_a_slow_grading_tells_its_steps_as_they_end_and_keeps_what_it_knows(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "grade.json"
    grading.save([claim(1, "a"), claim(1, "b"), claim(2, "c"), claim(2, "d")], out)
    options = {"--lab": 1, "--lab-step": None, "--lab-out": out}
    judge = grading.Judge(types.SimpleNamespace(getoption=options.get))
    reader, writer = os.pipe()
    monkeypatch.setenv("RAFTLAB_PROGRESS", str(writer))
    for quiet, name, held in ((60, "a", True), (60, "b", False), (-1, "c", True)):
        monkeypatch.setattr(grading, "QUIET_SECONDS", quiet)
        judge.pytest_runtest_logreport(report_of(name, "call", held))
        judge.pytest_runtest_logreport(report_of(name, "teardown", True))
    os.close(writer)
    with open(reader, encoding="utf-8") as told:
        assert told.read() == "step 1: 1 of 2 claims hold\n"
    known = [(one.held, one.text) for one in grading.load(out)]
    assert known == [(True, ""), (False, "it failed"), (True, ""), (False, grading.NOT_RUN)]


# ---- the platforms ---------------------------------------------------------------


def called(*words: object, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in words], env=environment(**more), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip


def test_gradescope_gets_its_results_for_every_submission(
    archive: bytes, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "raftlab-lab1.tar.gz").write_bytes(archive)
    packer = AUTOGRADER / "gradescope" / "zip.py"
    zipped = called(sys.executable, packer, 1, tmp_path / "raftlab-lab1.tar.gz")
    assert zipped.returncode == 0, zipped.stdout
    root = tmp_path / "autograder"
    with zipfile.ZipFile(tmp_path / "gradescope-lab1.zip") as zip_file:
        zip_file.extractall(root / "source")
        assert zip_file.getinfo("setup.sh").external_attr >> 16 & 0o111
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    done = called("sh", root / "source" / "setup.sh", AUTOGRADER_ROOT=str(root))
    assert done.returncode == 0, done.stdout
    forged = '{"score": 100}'
    for text, score, statuses in (
        (WRONG_FOR_EVEN, 5, ["passed", "passed", "failed"]),
        (small_lab.SOLUTION, FULL, ["passed"] * 3),
        (None, 0, ["failed"] * 3),
    ):
        shutil.rmtree(root / "submission", ignore_errors=True)
        (root / "submission").mkdir()
        (root / "submission" / "results.json").write_text(forged)
        if text:
            small_lab.submit(root / "submission", text)
        done = called("sh", root / "run_autograder", AUTOGRADER_ROOT=str(root))
        assert done.returncode == 0, done.stdout
        result = json.loads((root / "results" / "results.json").read_text())
        assert result["score"] == score == sum(test["score"] for test in result["tests"])
        assert [test["status"] for test in result["tests"]] == statuses
        assert sum(test["max_score"] for test in result["tests"]) == FULL
        assert [test["number"] for test in result["tests"]] == ["1.1", "2.1", "3.1"]


def test_gradescope_hears_of_a_grader_that_fails(tmp_path: pathlib.Path) -> None:
    for name in ("raftlab", "source", "submission"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "lab").write_text("1\n")
    script = AUTOGRADER / "gradescope" / "run_autograder"
    assert called("sh", script, AUTOGRADER_ROOT=str(tmp_path)).returncode != 0
    result = json.loads((tmp_path / "results" / "results.json").read_text())
    assert result["score"] == 0 and "The grader itself has failed" in result["output"]


def test_github_classroom_gets_its_result_from_a_distribution_that_students_cannot_change(
    archive: bytes, tmp_path: pathlib.Path
) -> None:
    distribution = small_lab.unpack(archive, tmp_path / "distribution")
    submission = small_lab.unpack(archive, tmp_path / "submission")
    (submission / "tests" / "conftest.py").write_text("raise SystemExit(0)\n")
    small_lab.submit(submission / "labs" / "1-counting", WRONG_FOR_EVEN)
    output = tmp_path / "output"
    run = AUTOGRADER / "github-classroom" / "run.sh"
    done = called(
        *("sh", run, 1, distribution, submission),
        RUNNER_TEMP=str(tmp_path), GITHUB_OUTPUT=str(output),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    result = json.loads(base64.b64decode(output.read_text().removeprefix("result=")))
    assert [test["score"] for test in result["tests"]] == [2, 3, 0]
    assert "lab 1: 5/10 points" in done.stdout


def test_a_grader_that_leaves_without_a_result_is_no_zero(tmp_path: pathlib.Path) -> None:
    for name in ("tests/bootstrap.sh", "labs/tools/grade.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("exit(1)\n" if name.endswith(".py") else "exit 0\n")
    run = AUTOGRADER / "github-classroom" / "run.sh"
    done = called("sh", run, 1, tmp_path, tmp_path, RUNNER_TEMP=str(tmp_path))
    assert done.returncode != 0


def test_what_goes_to_classrooms_reporter_fits_into_a_variable() -> None:
    claims = [
        grading.Claim(
            id=str(n), file="a.py", line=n, name=f"test_{n}", step=1, points=1, rules="LEAD-1",
            text="\u2018x\u2019 " * 5000,
        )
        for n in range(60)
    ]  # fmt: skip
    result = formats.classroom(verdict.Verdict(labs.numbered(1), claims))
    line = formats.packed(result)
    subprocess.run(["true"], env={"GRADE_RESULTS": line}, check=True)
    assert [test["score"] for test in result["tests"]] == [0] * 60
    assert all(test["message"] for test in result["tests"])


def test_a_claim_without_a_scenario_is_run_again_by_make_with_the_python_that_it_found() -> None:
    claim = grading.Claim(
        id="", file="tests/labs/test_kit.py", line=1, name="test_a_lab_line_is_read", step=1,
        points=1, rules="LEAD-1",
    )  # fmt: skip
    told = verdict.Verdict(labs.numbered(8), [claim], seed_base=7).again(claim)
    assert told == "make again LAB=8 SEED=7 CLAIM=tests/labs/test_kit.py::test_a_lab_line_is_read"
    done = called(*told.split(), "-C", build.ROOT, f"PYTHON={sys.executable}")
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def lost(name: str = "test_x") -> verdict.Verdict:
    claim = grading.Claim(
        id=name, file="tests/x.py", line=1, name=name, step=1, points=1, rules="LEAD-1",
    )  # fmt: skip
    return verdict.Verdict(labs.numbered(1), [claim], reports="r")


def test_the_verdict_is_told_before_the_reports_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: pathlib.Path
) -> None:
    before = []

    def look(*_: object) -> None:
        before.extend([capsys.readouterr().out, (tmp_path / "j.xml").exists()])

    words = ["grade.py", "1", "--out", str(tmp_path), "--junit", str(tmp_path / "j.xml")]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(grader.staging, "changed", lambda root: [])
    monkeypatch.setattr(grader, "judged", lambda arguments: lost())
    monkeypatch.setattr(grader, "write_reports", look)
    assert grader.main() == 1
    assert before[0].endswith("\nlab 1: 0/1 points\n") and before[1]
    assert capsys.readouterr().out == ""


def die(*_: object) -> None:
    os._exit(9)


def test_reports_that_cannot_be_written_are_told_of_and_change_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(grader, "write_report", die)
    monkeypatch.setattr(grader.sandbox, "confine", lambda *_: tmp_path)
    monkeypatch.setenv("RAFTLAB_CONFINE", "")  # put back afterwards
    grader.write_reports(lost(), tmp_path, 1)
    assert "1 of 1 reports could not be written: BrokenProcessPool" in capsys.readouterr().err


def test_the_workflow_is_one_that_classrooms_reporter_finds() -> None:
    text = (AUTOGRADER / "github-classroom" / "workflow.yml").read_text()
    assert re.search(r"^jobs:\n(  #.*\n)*  run-autograding-tests:\n", text, re.MULTILINE)
    assert "id: grade\n" in text and "runners: grade\n" in text
    assert "GRADE_RESULTS: ${{ steps.grade.outputs.result }}" in text


def test_a_folder_that_is_a_link_is_left_where_it_is(tree: pathlib.Path) -> None:
    elsewhere = tree.parent / "elsewhere"
    (tree.parent / "linked" / "labs").mkdir(parents=True)
    small_lab.submit(elsewhere)
    (tree.parent / "linked" / "labs" / "1-counting").symlink_to(elsewhere)
    flags = ("--submission", str(tree.parent / "linked"), "--stage", str(tree.parent / "s"))
    done = grade(tree, *flags)
    assert last_line(done) == "lab 1: 0/10 points" and "quorum.c is missing" in done.stdout


@pytest.mark.parametrize("script", ["gradescope/setup.sh", "gradescope/run_autograder",
                                    "github-classroom/run.sh"])  # fmt: skip
def test_a_platforms_script_is_a_script(script: str) -> None:
    assert called("bash", "-n", AUTOGRADER / script).returncode == 0
    assert os.access(AUTOGRADER / script, os.X_OK)
