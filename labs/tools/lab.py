"""The labs: which there are, and which files of the reference each is about.

A lab is a folder labs/N-name with a lab.toml:

    title    a few words
    files    the files of the reference that a student writes, from the project's root
    start    names of what else a student writes (answers.txt, some.scenario): it begins
             as a copy of labs/N-name/start/, and labs/N-name/solution/ has it solved
    minutes  how long it takes, about
    [steps]  number of a step -> its title
    [hints]  number of a step -> what to tell who fails there first"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LABS = ROOT / "labs"
START_SUFFIXES = (".txt", ".scenario")  # which nothing compiles or imports


def git_files(root: pathlib.Path, *where: str) -> list[str]:
    listed = subprocess.run(
        ["git", *where, "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    return sorted(name for name in listed.stdout.splitlines() if (root / name).is_file())


def project_files(root: pathlib.Path = ROOT) -> list[str]:
    """What belongs to the project, as git knows it, with what is not committed yet. In a
    tree that is no checkout (an exported one) all counts as not committed yet, so that
    .gitignore keeps out what is built and what is a student's. Nothing without git."""
    if shutil.which("git") is None:
        return []
    top = subprocess.run(
        ["git", "rev-parse", "--show-cdup"], cwd=root, capture_output=True, text=True
    )
    if top.returncode == 0 and not top.stdout.strip():
        return git_files(root)
    with tempfile.TemporaryDirectory() as empty:
        subprocess.run(["git", "init", "-q", "--bare", empty], check=True, capture_output=True)
        return git_files(root, f"--git-dir={empty}", f"--work-tree={root}")


class Unknown(Exception):
    """There is no such lab, or what it asks for; the text says so."""


@dataclasses.dataclass
class Lab:
    number: int
    folder: pathlib.Path
    title: str
    files: list[str]
    start: list[str] = dataclasses.field(default_factory=list)
    minutes: int = 0
    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    hints: dict[str, str] = dataclasses.field(default_factory=dict)

    def own(self, file: str) -> pathlib.Path:
        """Where the student's file stands that is built in the place of `file`."""
        return self.folder / pathlib.PurePath(file).name

    def before(self, file: str) -> pathlib.Path:
        """What stands in the place of `file` for those who have not taken this lab."""
        return self.folder / "before" / pathlib.PurePath(file).name

    def template(self, name: str) -> pathlib.Path:
        """What `make labN` begins that file of `start` with."""
        return self.folder / "start" / name

    def solution(self, name: str) -> pathlib.Path:
        """That file of `start` as the project itself would hand it in."""
        return self.folder / "solution" / name

    def judged_by(self) -> list[str]:
        """From the project's root, the files whose mistakes cost points here."""
        return [*self.files, *(str(self.solution(n).relative_to(ROOT)) for n in self.start)]

    def written(self) -> list[pathlib.Path]:
        """The student's own files, as they are now."""
        return sorted(p for s in ("*.c", "*.h") for p in self.folder.glob(s))


def load(folder: pathlib.Path) -> Lab:
    """Unknown where its lab.toml cannot be read."""
    file = folder / "lab.toml"
    try:
        fields = tomllib.loads(file.read_text(encoding="utf-8"))
        lab = Lab(number=int(folder.name.split("-")[0]), folder=folder, **fields)
    except (OSError, ValueError, TypeError) as problem:
        raise Unknown(f"{folder.name}/lab.toml: {problem}") from problem
    for name in lab.start:
        if pathlib.PurePath(name).name != name or not name.endswith(START_SUFFIXES):
            raise Unknown(f"{folder.name}/lab.toml: start takes no {name}")
    return lab


def folders(labs: pathlib.Path = LABS) -> dict[int, pathlib.Path]:
    """number -> folder of all labs that have a lab.toml, in order."""
    found = sorted(path.parent for path in labs.glob("[0-9]-*/lab.toml"))
    return {int(folder.name.split("-")[0]): folder for folder in found}


def every(labs: pathlib.Path = LABS) -> list[Lab]:
    return [load(folder) for folder in folders(labs).values()]


def numbered(number: int, labs: pathlib.Path = LABS) -> Lab:
    """That lab; what is wrong with another one is no matter."""
    there = folders(labs)
    if number not in there:
        for folder in sorted(labs.glob(f"{number}-*")):
            raise Unknown(f"{folder.name}/lab.toml is not there: take it from where you got this")
        known = ", ".join(map(str, there)) or "none"
        raise Unknown(f"there is no lab {number}; there are: {known}")
    return load(there[number])
