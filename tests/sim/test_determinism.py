"""The check of determinism itself: it passes on what is equal and names what is not."""

import subprocess
import sys

from raftlab import build

SCRIPT = build.ROOT / "tests" / "determinism.py"


def judge(*programs: object) -> subprocess.CompletedProcess[str]:
    named = [word for program in programs for word in ("--program", str(program))]
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--seeds", "1..6", "--duration", "2s", *named],
        cwd=build.ROOT, capture_output=True, text=True, timeout=120,
    )


def test_a_sanitized_build_runs_the_same_runs() -> None:
    done = judge(build.program("raftsim"), build.program("raftsim", sanitized=True))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("6 runs, 0 differ") == 2


def test_a_run_that_differs_is_named_with_its_first_event(tmp_path) -> None:
    other = tmp_path / "raftsim"
    other.write_text(
        "#!/bin/sh\n# takes more clients, as if it counted them otherwise\n"
        f'exec {build.program("raftsim")} "$@" --clients 9\n'
    )
    other.chmod(0o755)
    done = judge(build.program("raftsim"), other)
    assert done.returncode == 1
    assert "6 runs, 6 differ" in done.stdout
    assert "seed 1 (" in done.stdout and "of the trace" in done.stdout
