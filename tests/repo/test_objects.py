"""What the linker sees: pure libraries, no mutable globals, names that say their file."""

import pathlib
import re
import subprocess

import pytest

from raftlab import build, tree

CORE_NEEDS = {
    *("memcpy", "memset", "memmove", "memcmp", "strlen", "strcmp"),
    *("snprintf", "vsnprintf"),  # traces are text
    *("__assert_fail", "__stack_chk_fail"),
    "_GLOBAL_OFFSET_TABLE_",  # of the compiler: tables of words
}
HOST_NEEDS = CORE_NEEDS | {
    *("strncmp", "strerror", "strtoull"),
    *("malloc", "realloc", "free"),  # for one call each: its state holds no pointer
    *("__cpu_model", "__cpu_indicator_init"),  # the compiler's table: is there a CRC32?
}
SERVICE_NEEDS = HOST_NEEDS | {
    *("calloc", "abort", "fprintf", "fputs", "stderr"),
    *("strcasecmp", "strncasecmp", "memchr", "strchr", "strstr", "strcspn"),
    *("fwrite", "exit"),
}
PURE = {
    "libcore.a": ([], CORE_NEEDS),
    "libhost.a": (["libcore.a"], HOST_NEEDS),
    "libservice.a": ([], SERVICE_NEEDS),
}


def nm(library: str, *options: str) -> str:
    path = build.program(library)
    done = subprocess.run(
        ["nm", *options, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout


def defined(library: str) -> set[str]:
    lines = nm(library, "-g", "--defined-only").splitlines()
    return {line.split()[2] for line in lines if len(line.split()) == 3}


def unfortified(name: str) -> str:
    """Distributions that fortify call __memcpy_chk for memcpy."""
    return re.sub(r"^__(\w+)_chk$", r"\1", name)


@pytest.mark.parametrize("library", PURE)
def test_a_pure_library_asks_only_for_what_needs_no_machine(library: str) -> None:
    beside, allowed = PURE[library]
    lines = [line.split() for line in nm(library, "-u").splitlines()]
    wanted = {line[1] for line in lines if len(line) == 2 and line[0] == "U"}
    for other in [library, *beside]:
        wanted -= defined(other)
    excess = {unfortified(name) for name in wanted} - allowed
    assert not excess, f"{library} calls {sorted(excess)}"


@pytest.mark.parametrize("library", PURE)
def test_a_pure_library_has_no_mutable_globals(library: str) -> None:
    rows = [line.split("|") for line in nm(library, "-f", "sysv").splitlines()]
    symbols = [(row[0].strip(), row[6].strip()) for row in rows if len(row) == 7]
    mutable = [
        f"{name} in {section}"
        for name, section in symbols
        if re.match(r"\.(data|bss|tdata|tbss)|\*COM\*|COMMON", section)
        and not section.startswith(".data.rel.ro")
    ]
    assert symbols and not mutable, f"{library}: {mutable}"


# Files whose exported names begin otherwise, and why.
OTHER_NAMES = {
    "raft/raft.c": ("raft_",),  # the interface of the whole folder
    "sim/client.c": ("clients_",),  # its struct is all of them at once
}


def told_by(name: str, source: pathlib.Path) -> bool:
    """x.c exports x_*; in folder f, or below it, also f_x_*, as engine_memory_new; and a
    file of one function has its name."""
    stem = source.stem
    own = (f"{stem}_", *(f"{folder.name}_{stem}_" for folder in source.parents))
    return name == stem or name.startswith(own + OTHER_NAMES.get(str(source), ()))


@pytest.mark.parametrize("layer", ["core", "host", "posix", "service", "rpc", "sim"])
def test_a_file_exports_only_names_that_say_where_they_live(layer: str) -> None:
    library = f"lib{layer}.a"
    objects = {source.stem + ".o": source for source in sources_of(layer)}
    member, wrong = "", []
    for line in nm(library, "-g", "--defined-only").splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line and not told_by(line.split()[2], objects[member]):
            wrong.append(f"{objects[member]} exports {line.split()[2]}")
    assert not wrong, "\n".join(wrong)


# All but the command line, which is a program and no library.
SIM_ROOMS = sorted({f"{n.parent}" for n in tree.named(".c", under="sim/")} - {"sim/tool"})


def sources_of(layer: str) -> list[pathlib.Path]:
    folders = {
        "core": ["raft"],
        "host": ["raft/host"],
        "posix": ["raft/host"],
        "service": ["kvserver/service", "kvserver/engine"],
        "sim": SIM_ROOMS,
    }.get(layer, [layer])
    return [n for n in tree.named(".c") if str(n.parent) in folders]
