"""Each fuzz target replays its corpus, so that what was found once stays found."""

import os
import pathlib
import subprocess

import pytest

from raftlab import build

CORPUS = build.ROOT / "tests" / "fuzz" / "corpus"
TARGETS = sorted(p.stem for p in (build.ROOT / "tests" / "fuzz").glob("*_fuzz.c"))
SECONDS_MAX = 120
BYTES_MAX = 300_000
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def files_of(target: str) -> list[pathlib.Path]:
    return sorted((CORPUS / target.removesuffix("_fuzz")).iterdir())


@pytest.mark.parametrize("sanitized", [False, True], ids=["plain", "sanitized"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_holds_for_its_corpus(target: str, sanitized: bool) -> None:
    program = build.program(f"tests/fuzz/{target}", sanitized=sanitized)
    done = subprocess.run(
        [str(program), str(CORPUS / target.removesuffix("_fuzz"))],
        env=os.environ | SANITIZER_OPTIONS,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) == len(files_of(target)) > 5


def test_the_corpus_is_small_enough_to_be_kept() -> None:
    sizes = [path.stat().st_size for target in TARGETS for path in files_of(target)]
    assert sum(sizes) <= BYTES_MAX
