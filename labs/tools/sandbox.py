"""Judges a student's files before anything of them runs, and builds the fence behind
which they run (confine.c).

What they are compiled to may compute, call what the tree's headers declare and a few
functions of the C library, and nothing else: no output, no processes, no way to run
before or after the test, no names in the place of others. A program's own memory cannot
be hidden from its own code, so whoever grades for marks also reads the code; all that a
student gets from a refusal is its reason."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Optional

import lab as labs

SIZE_MAX = 512 * 1024
PREPROCESS_SECONDS_MAX = 60
PREPROCESS_BYTES_MAX = 32 << 20
STANDARD = {
    *("assert.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h"),
    *("stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h"),
    "string.h",
}
SYSTEM = STANDARD | {"stdc-predef.h"}  # which gcc reads before all else
COMPILERS = {"__assert_fail", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
ARITHMETIC = re.compile(r"__[a-z]+[sdt]i[234]$")  # what a compiler's library computes
CORE_CALLS = COMPILERS | {
    *("memcpy", "memset", "memmove", "memcmp", "strlen", "strcmp"),
    *("snprintf", "vsnprintf"),  # a trace is text
}
MORE_CALLS = CORE_CALLS | {
    *("strncmp", "memchr", "strchr", "strstr", "strcspn", "strerror"),
    *("malloc", "calloc", "realloc", "free"),
}
# Folder of a file of the reference -> folders whose headers it may use. The first that
# fits: what stands in the place of the core knows only the core.
LAYERS = {
    "raft/host/": ("raft", "raft/host"),
    "raft/": ("raft",),
    "sim/own/": ("raft", "sim/own"),
    "kvserver/": ("raft", "raft/host", "kvserver/service", "kvserver/engine"),
    "": ("raft", "raft/host", "kvserver/service", "kvserver/engine", "sim", "sim/checker"),
}
NOT_FOR_STUDENTS = {"raft/host/disk_posix.h"}
EARLY = re.compile(r"\.(preinit_array|init_array|fini_array|ctors|dtors|init|fini)\b")
ASSEMBLY = re.compile(r"\b(asm|__asm|__asm__)\b")
ATTRIBUTE = re.compile(
    r"\b_*(constructor|destructor|init_priority|ifunc|section|alias|weak|weakref|naked)_*\b"
)
PRAGMA = re.compile(r"#\s*pragma\s+(?!once\b|STDC\b|(GCC|clang)\s+diagnostic\b)(.*)")
INCLUDE = re.compile(
    r"^\s*(?:#|%:|\?\?=)\s*(/\*|\w*include\w*|import|embed)(.*)$", re.MULTILINE
)
MARKER = re.compile(r'^# \d+ "((?:[^"\\]|\\.)*)"((?: \d)*)$')


class Refused(Exception):
    """What a student has written is not run; the text has the reasons, a line each."""


# ---- what there is ---------------------------------------------------------------


def layer(file: str) -> tuple[str, ...]:
    return next(folders for prefix, folders in LAYERS.items() if file.startswith(prefix))


def headers(lab: labs.Lab, root: pathlib.Path) -> list[str]:
    """The tree's headers that the files of this lab may include."""
    folders = sorted({folder for file in lab.files for folder in layer(file)})
    found = [
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).glob("*.h")
    ]
    return sorted(set(found) - NOT_FOR_STUDENTS) + ["labs/todo.h"]


def declared(text: str) -> set[str]:
    """The functions and variables that a header declares, apart from macros."""
    text = re.sub(r"//[^\n]*|/\*[\s\S]*?\*/|^\s*#(?:\\\n|.)*", "", text, flags=re.MULTILINE)
    if text.count("{") != text.count("}"):
        return set()
    while "{" in text:  # bodies and structs, from the inside
        text = re.sub(r"\{[^{}]*\}", ";", text)
    names = set()
    for statement in text.split(";"):
        statement = re.sub(r"__attribute__\s*\(\(.*\)\)", "", statement, flags=re.DOTALL)
        function = re.search(r"\b(\w+)\s*\(", statement)
        variable = re.match(r"\s*extern\b[^(]*?\b(\w+)\s*(\[[^]]*\]\s*)*$", statement)
        names |= {match[1] for match in (function, variable) if match}
    return names


def may_call(lab: labs.Lab, root: pathlib.Path) -> set[str]:
    names = set(CORE_CALLS)
    if any(not file.startswith("raft/") or file.count("/") > 1 for file in lab.files):
        names |= MORE_CALLS
    for header in headers(lab, root):
        names |= declared((root / header).read_text(encoding="utf-8"))
    return names


def sources_of_the_tree(root: pathlib.Path) -> set[str]:
    tops = ("raft", "rpc", "kvserver", "sim", "tests")
    return {path.name for top in tops for path in (root / top).rglob("*.[ch]")}


# ---- the files -------------------------------------------------------------------


def judge_files(lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """Files that are there, plain, and named so that they stand in no other's place."""
    own = {pathlib.PurePath(file).name for file in lab.files}
    taken = (sources_of_the_tree(root) | STANDARD) - own
    for name in sorted(own - {path.name for path in lab.written()}):
        yield f"{name} is missing: `make lab{lab.number}` writes it anew"
    for path in lab.written():
        if path.is_symlink() or not path.is_file():
            yield f"{path.name} is a link or no file"
        elif path.stat().st_size > SIZE_MAX:
            yield f"{path.name} has more than {SIZE_MAX // 1024} KiB"
        elif path.name in taken:
            yield f"{path.name} has the name of another file; choose one of its own"
        elif not re.fullmatch(r"[a-z]\w*\.[ch]", path.name):
            yield f"{path.name}: a name is of letters, digits and _"
        else:
            yield from judge_includes(path, lab, root)
    for path in (lab.folder / name for name in lab.start):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            yield f"{path.name} is a link or no file"
        elif path.exists() and path.stat().st_size > SIZE_MAX:
            yield f"{path.name} has more than {SIZE_MAX // 1024} KiB"


def judge_includes(path: pathlib.Path, lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """Before a compiler opens anything that is named there."""
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", "")
    allowed = set(headers(lab, root)) | {p.name for p in lab.written() if p.suffix == ".h"}
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        what = re.fullmatch(r'\s*(?:"([^"]+)"|<([^>]+)>)\s*(//.*|/\*.*)?', match[2])
        name = what and (what[1] or what[2])
        fits = match[1] == "include" and what and (
            name in allowed if what[1] else name in STANDARD
        )  # fmt: skip
        if not fits and not (what and what[1] in STANDARD):
            yield f"{path.name}:{line}: {match[0].strip()}: that is not for this lab"


def compilers() -> list[list[str]]:
    """As the Makefile compiles: without and with sanitizers."""
    plain = os.environ.get("CC", "gcc").split()
    sanitized = ["clang"] if shutil.which("clang") else plain
    return [plain, [*sanitized, "-fsanitize=address,undefined"]]


def judge_sources(lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """What the compilers will see of the student's own lines."""
    for path in (p for p in lab.written() if p.suffix == ".c"):
        found: dict[str, None] = {}
        for compiler in compilers():
            name = path.relative_to(root).as_posix()
            words = [*compiler, "-std=c11", "-D_GNU_SOURCE", "-I.", "-E", name]
            text = preprocessed(words, root)
            if text is None:
                yield f"{path.name}: its macros and includes come to no end"
                return
            found |= dict.fromkeys(judge_text(text, lab, root))
        yield from found


def preprocessed(words: list[str], root: pathlib.Path) -> Optional[str]:
    """What a compiler makes of a file at first: nothing where it finds fault with it, which
    it will tell when it builds; None where that is too long, or takes too long."""
    process = subprocess.Popen(
        words, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)  # also what the compiler has started

    timer = threading.Timer(PREPROCESS_SECONDS_MAX, end)
    timer.start()
    with process:
        text = process.stdout.read(PREPROCESS_BYTES_MAX + 1)
        if len(text) > PREPROCESS_BYTES_MAX:
            end()
    timer.cancel()
    if late.is_set():
        return None
    return text.decode(errors="replace") if process.returncode == 0 else ""


def judge_text(text: str, lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """Preprocessed text: the lines that come from the student's own files."""
    allowed = {root / header for header in headers(lab, root)} | set(lab.written())
    own, where, number, kept = False, "", 0, []
    for line in text.split("\n"):
        marker = MARKER.match(line)
        if marker is None:
            if own:
                kept.append(line)
                yield from judge_line(line, f"{where}:{number}")
            number += 1
            continue
        if marker[1].startswith("<"):  # what the compiler itself puts in front
            continue
        path = pathlib.Path(os.path.normpath(root / marker[1]))
        entered = " 1" in marker[2]
        if own and entered and path not in allowed and path.name not in SYSTEM:
            yield f"{where}:{number}: includes {marker[1]}: that is not for this lab"
        own = path.parent == lab.folder
        where, number = path.name, int(line.split()[1])


def judge_line(line: str, where: str) -> Iterator[str]:
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line).replace("<:", "[").replace(":>", "]")
    if ASSEMBLY.search(line):
        yield f"{where}: assembly is not for this lab"
    if ("__attribute" in line or "[[" in line) and (bad := ATTRIBUTE.search(line)):
        yield f"{where}: the attribute {bad[1]} is not for this lab"
    if bad := PRAGMA.match(line.strip()):
        yield f"{where}: #pragma {bad[2]} is not for this lab"


# ---- the objects -----------------------------------------------------------------


def tool(*words: str) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def judge_objects(lab: labs.Lab, root: pathlib.Path, out: pathlib.Path) -> list[str]:
    """What the linker sees, in both builds."""
    calls = may_call(lab, root)
    own = own_names(lab, root)
    sources = [path for path in lab.written() if path.suffix == ".c"]
    between = {
        name
        for path in sources
        for kind, name in symbols(objects(path, root, out)[0])
        if kind in "TDBRVWC"
    }
    found: dict[str, None] = {}
    for path in sources:
        for place in objects(path, root, out):
            found |= dict.fromkeys(judge_object(path.name, place, calls | between, own))
    return list(found)


def objects(path: pathlib.Path, root: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    name = path.relative_to(root).with_suffix(".o")
    return [p for p in (out / "obj" / name, out / "sanitized" / "obj" / name) if p.exists()]


def symbols(place: pathlib.Path) -> list[tuple[str, str]]:
    """(nm's letter, name) of each; a table of constant pointers counts as constant."""
    rows = ([part.strip() for part in line.split("|")] for line in tool("nm", "-fsysv", str(place)))
    found = [(row[2], row[0], row[6]) for row in rows if len(row) == 7]
    return [
        ({"d": "r", "D": "R"}.get(kind, kind) if ".rel.ro" in section else kind, name)
        for kind, name, section in found
    ]


def own_names(lab: labs.Lab, root: pathlib.Path) -> tuple[tuple[str, ...], set[str]]:
    """How the names that a lab's files export may begin, and those that are the tree's."""
    stems = tuple(f"{path.stem}_" for path in lab.written() if path.suffix == ".c")
    reference = tuple(f"{pathlib.PurePath(file).stem}_" for file in lab.files)
    taken: set[str] = set()
    for top in ("raft", "rpc", "kvserver", "sim"):
        for path in (root / top).rglob("*.h"):
            taken |= declared(path.read_text(encoding="utf-8"))
    library = subprocess.run(
        ["gcc", "-print-file-name=libc.so.6"], capture_output=True, text=True
    ).stdout.strip()
    rows = (line.split() for line in tool("nm", "-D", "--defined-only", library))
    taken |= {row[-1].split("@")[0] for row in rows}
    return stems, {name for name in taken if not name.startswith(reference)}


def judge_object(
    name: str, place: pathlib.Path, calls: set[str], own: tuple[tuple[str, ...], set[str]]
) -> Iterator[str]:
    sanitized = "sanitized" in place.parts
    stems, taken = own
    for kind, symbol in symbols(place):
        plain = re.sub(r"^__(\w+)_chk$", r"\1", symbol)
        if sanitized and re.match(r"__(asan|ubsan)_|asan\.|_?_sub_[ID]_|__unnamed|\.L", symbol):
            continue
        if kind in "Uwv" and plain not in calls and not ARITHMETIC.match(plain):
            yield f"{name} calls {plain}(), which is not for this lab{why(plain)}"
        elif kind in "iu":
            yield f"{name}: {symbol} is a symbol of a kind that is not for this lab"
        elif kind in "TDBRVWCGS" and (not symbol.startswith(stems) or symbol in taken):
            yield (f"{name} defines {symbol}, a name that is not its own: make it static, or "
                   f"begin it with {place.stem}_")  # fmt: skip
        elif kind in "dDbBC" and not sanitized:
            yield (f"{name} keeps {symbol} in a variable outside of all functions: all nodes "
                   "of a simulation would share it")  # fmt: skip
    if not sanitized:
        for line in tool("objdump", "-h", str(place)):
            if early := EARLY.search(line):
                yield f"{name} has code that runs before or after the program ({early[0]})"


def why(symbol: str) -> str:
    if re.search(r"print|puts|putc|write|stderr|stdout", symbol):
        return ": take your output out (raftsim's trace shows what a node does)"
    if re.search(r"alloc|free", symbol):
        return ": the core's memory is handed in"
    if re.search(r"rand|time|clock", symbol):
        return ": time and chance come with the events"
    return ""


# ---- all of it -------------------------------------------------------------------


def before_the_build(lab: labs.Lab, root: pathlib.Path) -> None:
    if not lab.files and (written := lab.written()):
        raise Refused(f"{written[0].relative_to(root)}: no C is written in this lab")
    if problems := list(judge_files(lab, root)):
        raise Refused("\n".join(problems))
    if problems := list(judge_sources(lab, root)):
        raise Refused("\n".join(problems))


def before_it_runs(lab: labs.Lab, root: pathlib.Path, out: pathlib.Path) -> None:
    if not lab.files:
        return
    if problems := judge_objects(lab, root, out):
        raise Refused("\n".join(problems))


def confine(root: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    """The program behind which a student's code runs, built where it is not."""
    source, program = root / "labs" / "tools" / "confine.c", out / "confine"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        out.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(f".{os.getpid()}")
        words = [*compilers()[0], "-std=c11", "-D_GNU_SOURCE", "-O2", "-o", str(new), str(source)]
        subprocess.run(words, check=True, cwd=root)
        os.replace(new, program)
    return program


def fence_problem(program: pathlib.Path) -> str:
    """Why nothing can be run behind the fence on this machine, if that is so."""
    words = [str(program), "alone", "1", "64", "/bin/true"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr or f"exit code {done.returncode}"
