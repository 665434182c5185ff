"""The labs: which there are, and which files of the reference each is about.

A lab is a folder labs/N-name with a lab.toml:

    title    a few words
    files    the files of the reference that a student writes, from the project's root
    minutes  how long it takes, about
    [steps]  number of a step -> its title
    [hints]  number of a step -> what to tell who fails there first"""

from __future__ import annotations

import dataclasses
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LABS = ROOT / "labs"


class Unknown(Exception):
    """There is no such lab; the text says which there are."""


@dataclasses.dataclass
class Lab:
    number: int
    folder: pathlib.Path
    title: str
    files: list[str]
    minutes: int = 0
    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    hints: dict[str, str] = dataclasses.field(default_factory=dict)

    def own(self, file: str) -> pathlib.Path:
        """Where the student's file stands that is built in the place of `file`."""
        return self.folder / pathlib.PurePath(file).name

    def before(self, file: str) -> pathlib.Path:
        """What stands in the place of `file` for those who have not taken this lab."""
        return self.folder / "before" / pathlib.PurePath(file).name

    def written(self) -> list[pathlib.Path]:
        """The student's own files, as they are now."""
        return sorted(p for s in ("*.c", "*.h") for p in self.folder.glob(s))


def load(folder: pathlib.Path) -> Lab:
    fields = tomllib.loads((folder / "lab.toml").read_text(encoding="utf-8"))
    return Lab(number=int(folder.name.split("-")[0]), folder=folder, **fields)


def every(labs: pathlib.Path = LABS) -> list[Lab]:
    """All labs that have a lab.toml, by their numbers."""
    folders = [path.parent for path in labs.glob("[0-9]-*/lab.toml")]
    return sorted(map(load, folders), key=lambda lab: lab.number)


def numbered(number: int, labs: pathlib.Path = LABS) -> Lab:
    there = every(labs)
    for lab in there:
        if lab.number == number:
            return lab
    known = ", ".join(str(lab.number) for lab in there) or "none"
    raise Unknown(f"there is no lab {number}; there are: {known}")
