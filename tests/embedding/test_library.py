"""The installed library: its symbols, its headers, and that it can be taken away."""

import pathlib
import re
import shutil

import pytest

from raftlab import build, installed
from raftlab.installed import Prefix, run

HEADERS = "disk disk_posix driver host raft trace transport version".split()
C11 = "-std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only -xc -".split()
CXX = "-std=c++11 -Wall -Wextra -Werror -pedantic -fsyntax-only -xc++ -".split()


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    return Prefix(tmp_path_factory.mktemp("prefix"))


def listed() -> set[str]:
    text = (build.ROOT / "raft/library/libraftlab.symbols").read_text(encoding="utf-8")
    return {line for line in text.splitlines() if line and not line.startswith("#")}


# ---- symbols ------------------------------------------------------------------------


def test_the_shared_library_exports_the_list_and_nothing_else(prefix: Prefix) -> None:
    names = installed.exported("-D", "--defined-only", prefix.path / "lib/libraftlab.so")
    assert names == listed()


def test_the_static_library_exports_the_list_and_nothing_else(prefix: Prefix) -> None:
    names = installed.exported("-g", "--defined-only", prefix.path / "lib/libraftlab.a")
    assert names == listed()


def test_the_list_is_what_the_installed_headers_declare(prefix: Prefix) -> None:
    names: set[str] = set()
    for header in prefix.headers():
        names |= installed.declared(header.read_text(encoding="utf-8"))
    assert names == listed()


def test_the_reference_in_the_document_has_each_function_once() -> None:
    text = (build.ROOT / "docs/embedding.md").read_text(encoding="utf-8")
    reference = text[text.index("## Reference") :]
    rows = re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE)
    assert sorted(rows) == sorted(listed())


def test_the_soname_says_with_which_versions_a_program_runs(prefix: Prefix) -> None:
    version = run("pkg-config", "--modversion", "raftlab", env=prefix.environment())
    assert version.stdout.strip() == re.search(
        r'RAFT_VERSION "(.*)"', (build.ROOT / "raft/version.h").read_text(encoding="utf-8")
    )[1]
    major, minor, _ = version.stdout.strip().split(".")
    soname = f"libraftlab.so.{major}" if major != "0" else f"libraftlab.so.0.{minor}"
    done = run("readelf", "-d", prefix.path / "lib/libraftlab.so")
    assert f"soname: [{soname}]" in done.stdout
    assert (prefix.path / "lib" / soname).resolve().name.endswith(version.stdout.strip())


# ---- headers ------------------------------------------------------------------------


def test_these_headers_are_installed_and_no_others(prefix: Prefix) -> None:
    assert [header.stem for header in prefix.headers()] == HEADERS


@pytest.mark.parametrize("language", [C11, CXX], ids=["C11", "C++11"])
@pytest.mark.parametrize("header", HEADERS)
def test_an_installed_header_compiles_alone(
    prefix: Prefix, header: str, language: list[str]
) -> None:
    compiler = "gcc" if language is C11 else "g++"
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    run(compiler, *prefix.flags("--cflags"), *language, input=f"#include <raftlab/{header}.h>\n")


def test_a_program_in_cpp_links(prefix: Prefix, tmp_path: pathlib.Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    source = tmp_path / "version.cpp"
    source.write_text(
        "#include <raftlab/driver.h>\n#include <raftlab/version.h>\n#include <cstring>\n"
        "int main() { struct driver_config c; driver_config_default(&c);\n"
        "return std::strcmp(raft_version_text(), RAFT_VERSION); }\n"
    )
    program = tmp_path / "version"
    run("g++", source, "-o", program, *prefix.flags("--cflags", "--libs"))
    run(program, env=prefix.environment())


# ---- the pieces of the static library -----------------------------------------------


def test_a_program_that_uses_only_the_core_needs_no_other_library(
    prefix: Prefix, tmp_path: pathlib.Path
) -> None:
    source = build.ROOT / "docs/examples/core/core.c"
    program = tmp_path / "core"
    include, library = prefix.path / "include", prefix.path / "lib/libraftlab.a"
    run("gcc", *"-Wall -Wextra -Werror".split(), f"-I{include}", source, library, "-o", program)
    assert "-> leader" in (said := run(program).stdout) and "applied hello\n" in said


# ---- installing ---------------------------------------------------------------------


def test_uninstall_leaves_nothing(tmp_path: pathlib.Path) -> None:
    stage, home = tmp_path / "stage", "/opt/raftlab-test"
    arguments = [f"OUT={build.relative(build.OUT)}", f"DESTDIR={stage}", f"PREFIX={home}"]
    build.make("install", *arguments)
    there = stage / home[1:]
    assert (there / "bin/raftkv").exists() and (there / "lib/libraftlab.so").exists()
    pc = (there / "lib/pkgconfig/raftlab.pc").read_text(encoding="utf-8")
    assert str(stage) not in pc and f"prefix={home}" in pc
    other = there / "lib/libother.a"
    other.write_text("not ours")
    build.make("uninstall", *arguments)
    left = [path for path in stage.rglob("*") if not path.is_dir() or path.name == "raftlab"]
    assert left == [other]


def test_the_installed_programs_run(prefix: Prefix) -> None:
    for name in ("raftkv", "raftsim"):
        assert run(prefix.path / "bin" / name, "--version").stdout.strip()
