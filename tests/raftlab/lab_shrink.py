"""A seed that fails, shrunk by raftsim to a scenario of a few lines."""

import pathlib
import subprocess
import tempfile

from raftlab import confine

CPU_SECONDS_MAX = 60


def shrunk(program: pathlib.Path, flags: list[str], seconds: int) -> list[str]:
    """The lines of the shortest scenario that is found within that time for the failure of
    `raftsim run FLAGS`; none where none is found."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "shrunk.scenario"
        bounds = ("--seconds", str(seconds), "--out", str(path))
        words = confine.command(
            program, "shrink", *flags, *bounds, mode=confine.CREW, scratch=path.parent
        )
        limit = [] if confine.wanted() else ["prlimit", f"--cpu={CPU_SECONDS_MAX}"]
        try:
            subprocess.run(
                [*limit, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=2 * seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return []
        if not path.exists():
            return []
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
