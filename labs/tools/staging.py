"""What is judged is the distribution and the student's own files, and nothing else that a
student has changed. A class archive knows itself: labs/dist/MANIFEST has the sum of each
of its files, labs/dist/pristine.tar.gz holds them all (handout.py). The project's own
repository has neither, and nothing is restored there.

A copy keeps what did not change as it is, with its times, so that make builds little."""

from __future__ import annotations

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile

import lab as labs

DIST = pathlib.PurePath("labs/dist")
NOT_OURS = {".git", "build", "__pycache__", ".pytest_cache"}
ALIVE = {
    *(".c", ".h", ".gch", ".S", ".s", ".so", ".mk", ".sh"),
    *(".py", ".pth", ".ini", ".toml", ".cfg"),
}
FILE_BYTES_MAX = 1 << 20


class Unable(Exception):
    """There is nothing to make a copy from."""


def is_students(name: str) -> bool:
    path = pathlib.PurePath(name)
    in_lab = len(path.parts) == 3 and path.parts[0] == "labs" and path.parts[1][:1].isdigit()
    return in_lab and path.suffix in (".c", ".h")


def manifest(root: pathlib.Path) -> dict[str, str]:
    """name -> sum, of what was handed out; empty where nothing was."""
    path = root / DIST / "MANIFEST"
    if not path.exists():
        return {name: sum_of(data) for name, (data, _) in handed_out(root).items()}
    rows = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {name: sum_ for sum_, name in rows}


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_unchecked(root: pathlib.Path) -> bool:
    """Whether this is a class archive that has lost what it knows itself by."""
    there = ((root / DIST / name).exists() for name in ("MANIFEST", "pristine.tar.gz"))
    return not any(there) and not (root / "labs" / "mutants").exists()


def files(root: pathlib.Path) -> list[str]:
    """What a build, a test or the grader could come to see of this tree."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        for name in names:
            path = pathlib.Path(folder, name)
            if path.suffix in ALIVE or "makefile" in name.lower():
                found.append(path.relative_to(root).as_posix())
    return found


def changed(root: pathlib.Path) -> list[str]:
    """The names of files that are not as they were handed out, or were not there."""
    sums = manifest(root)
    names = {
        name
        for name, wanted in sums.items()
        if not (root / name).is_file()
        or sum_of((root / name).read_bytes()) != wanted
    }
    if sums:
        names |= {name for name in files(root) if name not in sums and not is_students(name)}
    return sorted(names)


def handed_out(root: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    """name -> (bytes, mode), from the archive beside the MANIFEST; nothing without it."""
    archive = root / DIST / "pristine.tar.gz"
    if not archive.exists():
        return {}
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {
            member.name.partition("/")[2]: (tar.extractfile(member).read(), member.mode)
            for member in members
        }


def distribution(root: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    """What was handed out, or where nothing was, the project's own files."""
    if there := handed_out(root):
        return there
    names = [] if (root / DIST / "MANIFEST").exists() else labs.project_files(root)
    if not names:
        archive = root / DIST / "pristine.tar.gz"
        raise Unable(f"{archive} is missing: there is nothing to restore from")
    return {name: ((root / name).read_bytes(), (root / name).stat().st_mode) for name in names}


def put(path: pathlib.Path, data: bytes, mode: int = 0o644) -> None:
    """Writes what is not there yet."""
    if path.is_symlink():
        path.unlink()
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path.chmod(0o755 if mode & 0o100 else 0o644)


def lay_out(root: pathlib.Path, folder: pathlib.Path) -> None:
    """The distribution in that folder, and nothing beside it but what was built there."""
    there = distribution(root)
    for name, (data, mode) in there.items():
        put(folder / name, data, mode)
    for kept in ("MANIFEST", "pristine.tar.gz"):
        if (root / DIST / kept).exists():
            put(folder / DIST / kept, (root / DIST / kept).read_bytes())
    for name in files(folder):
        if name not in there and not is_students(name):
            (folder / name).unlink()


def handed_in(lab: labs.Lab, folder: pathlib.Path) -> list[pathlib.Path]:
    """What of that folder may be the student's."""
    paths = sorted(folder.iterdir())
    return [path for path in paths if path.suffix in (".c", ".h") or path.name in lab.start]


def hand_in(lab: labs.Lab, submission: pathlib.Path, folder: pathlib.Path) -> None:
    """The student's files of a lab: they lie flat in the submission, or in a tree like
    this one. Links are left where they are."""
    name = lab.folder.name
    places = [submission / "labs" / name, submission / name, submission]
    real = submission.resolve()
    places = [p for p in places if p.is_dir() and p.resolve() == real / p.relative_to(submission)]
    found = next((place for place in places if any(handed_in(lab, place))), None)
    to = folder / "labs" / name
    wanted = {
        path.name: path.read_bytes()
        for path in (handed_in(lab, found) if found else ())
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= FILE_BYTES_MAX
    }
    for file, data in wanted.items():
        put(to / file, data)
    for path in handed_in(lab, to) if to.is_dir() else ():
        if path.name not in wanted:
            path.unlink()


def judged_elsewhere(arguments: argparse.Namespace, names: list[str]) -> int:
    """Makes the copy and has its own grader judge it; the exit code is that one's. Which
    labs there are says the copy: a lab.toml may have been changed, too."""
    root = labs.ROOT
    folder = arguments.stage or root / "build" / f"lab{arguments.lab}" / "stage"
    lay_out(root, folder)
    lab = labs.numbered(arguments.lab, folder / "labs")
    every = labs.every(folder / "labs") if arguments.own else []
    for each in [*(other for other in every if other.number < lab.number), lab]:
        hand_in(each, arguments.submission or root, folder)
    out = arguments.out or root / "build" / f"lab{lab.number}"
    words = ["--restored=" + "\n".join(names), f"--out={out}", f"--seed-base={arguments.seed_base}"]
    words += [f"--jobs={arguments.jobs}", *(["--own"] if arguments.own else [])]
    for name in ("step", "junit", "gradescope", "classroom"):
        if value := getattr(arguments, name):
            words.append(f"--{name}={value}")
    program = str(folder / "labs" / "tools" / "grade.py")
    return subprocess.run([sys.executable, program, str(lab.number), *words]).returncode
