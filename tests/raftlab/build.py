"""Where the built programs are, and how to have them built.

Under `make test` all is built before pytest starts. Where pytest is run by hand the
harness calls make for each program it is about to use."""

import fcntl
import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUT = ROOT / os.environ.get("RAFTLAB_OUT", "build")
BUILT = "RAFTLAB_BUILT" in os.environ
BUILD_SECONDS_MAX = 900


class BuildFailed(Exception):
    """make could not build what a test needs; the text is what it said."""


def environment() -> dict[str, str]:
    """Without what an outer make would tell an inner one."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
    return {k: v for k, v in os.environ.items() if k not in outer}


def make(*arguments: str) -> None:
    """Runs make once for these arguments, while no other worker does."""
    if problem := tried(*arguments):
        raise BuildFailed(problem)


@functools.cache
def tried(*arguments: str) -> str:
    """What make said where it failed, or nothing."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=ROOT,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS_MAX,
        )
    return "" if done.returncode == 0 else f"make {' '.join(arguments)}\n{done.stdout}"


def relative(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def lab_folder() -> str:
    """Where the build with a student's files is, within build/: RAFTLAB_LAB=1 says lab1."""
    lab = os.environ.get("RAFTLAB_LAB", "")
    return f"lab{int(lab)}" if lab else ""


def program(name: str, *, sanitized: bool = False) -> pathlib.Path:
    """The path of build/NAME (or its sanitized twin), which is there on return. With
    RAFTLAB_LAB=1 it is build/lab1/NAME (build/sanitized/lab1/NAME)."""
    folder = lab_folder()
    lab = [f"LAB={folder.removeprefix('lab')}"] if folder else []
    path = OUT / ("sanitized" if sanitized else "") / folder / name
    if BUILT and path.exists():
        return path
    if sanitized:
        make("sanitized", *lab, f"OUT={relative(OUT)}", f"SANITIZED={name}")
    else:
        make(*lab, f"OUT={relative(OUT)}", relative(path))
    return path
