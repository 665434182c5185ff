"""Judges a student's files before anything of them runs, and builds the fence behind
which they run (confine.c).

What they are compiled to may compute, call what the tree's headers declare and a few
functions of the C library. Whatever else the text asks for by its words (tokens.py), or
the objects of either build hold (objects.py), is refused: output, processes, assembly, a
way to run before or after the test, names in the place of others, memory that outlives a
call. That stops who tries; it proves nothing. A program's own memory cannot be hidden
from its own code, so whoever grades for marks also reads the code; all that a student
gets from a refusal is its reason."""

from __future__ import annotations

import functools
import itertools
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
import objects
import sites
import tokens

SIZE_MAX = 512 * 1024
PREPROCESS_SECONDS_MAX = 60
PREPROCESS_BYTES_MAX = 4 << 20
PROBLEMS_MAX = 20
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
# Who only watches a cluster makes none of its own, and asks nothing of a node but what it holds.
WATCHED = "sim/own/"
WATCHERS_HEADERS = ("raft/raft.h", "sim/own/own.h")
WATCHERS_CALLS = {
    *("raft_check", "raft_configuration_role_text", "raft_entry_at", "raft_member_find"),
    *("raft_observe", "raft_role_text", "raft_snapshot_meta_at", "raft_status_text"),
    "raft_term_at",
}
TOPS = {
    "raft": "the core",
    "rpc": "the transport",
    "kvserver": "the server",
    "sim": "the simulator",
    "tests": "the tests",
}
SHARED = "all nodes of a simulation would share it"
NOT_FOR_STUDENTS = {"raft/host/disk_posix.h"}
ATTRIBUTES = {
    *("access", "aligned", "alloc_size", "always_inline", "artificial", "assume_aligned"),
    *("cold", "const", "deprecated", "designated_init", "fallthrough", "flatten", "format"),
    *("format_arg", "gnu_inline", "hot", "leaf", "malloc", "maybe_unused", "may_alias"),
    *("mode", "nodiscard", "noinline", "nonnull", "nonstring", "noreturn", "nothrow"),
    *("packed", "pure", "returns_nonnull", "sentinel", "unused", "used", "vector_size"),
    "warn_unused_result",
}
# What computes. Others leave a function's own frame, or ask the machine.
BUILTINS = re.compile(
    r"expect(_with_probability)?|unreachable|trap|assume|assume_aligned|constant_p|choose_expr"
    r"|types_compatible_p|offsetof|(dynamic_)?object_size|prefetch|l?l?abs|imaxabs"
    r"|(clz|ctz|ffs|popcount|parity|clrsb)(l|ll|g|imax)?"
    r"|(bswap|bitreverse|rotate(left|right))\d+"
    r"|[su]?(add|sub|mul)(l|ll)?_overflow(_p)?|va_(start|arg|end|copy|list)|v?snprintf"
    r"|mem(cpy|set|move|cmp|chr)|str(len|n?cmp|chr|str|cspn)|__\w+_chk|shuffle(vector)?"
)
NEVER = re.compile(
    r"_GLOBAL_OFFSET_TABLE_|_*(GLOBAL__)?sub_[ID]_\w+|__(start|stop)_\w+"
    r"|__+(asan|ubsan|[lmt]san|hwasan|sanitizer)_\w+"
)
DIRECTIVES = {
    *("include", "define", "undef", "if", "ifdef", "ifndef", "elif", "else", "endif"),
    *("error", "warning", "pragma"),
}
HAS = re.compile(r"__has_(include|include_next|embed)$")  # what is there may change
MARKER = re.compile(r'^# \d+ "((?:[^"\\]|\\.)*)"((?: \d)*)$')


class Refused(Exception):
    """What a student has written is not run; the text has the reasons, a line each."""


# ---- what there is ---------------------------------------------------------------


def layer(file: str) -> tuple[str, ...]:
    return next(folders for prefix, folders in LAYERS.items() if file.startswith(prefix))


def headers(lab: labs.Lab, root: pathlib.Path) -> list[str]:
    """The tree's headers that the files of this lab may include."""
    if watches(lab):
        return [*WATCHERS_HEADERS, "labs/todo.h"]
    folders = sorted({folder for file in lab.files for folder in layer(file)})
    found = [
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).glob("*.h")
    ]
    return sorted(set(found) - NOT_FOR_STUDENTS) + ["labs/todo.h"]


def watches(lab: labs.Lab) -> bool:
    return any(file.startswith(WATCHED) for file in lab.files)


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
    if watches(lab):
        makers = {name for name in names if name.startswith("raft_")} - WATCHERS_CALLS
        names -= makers | {"malloc", "calloc", "realloc", "free"}
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
        elif not re.fullmatch(r"[a-z]\w*\.[ch]", path.name, re.ASCII):
            yield f"{path.name}: a name is of letters, digits and _"
        else:
            yield from judge_raw(path, lab, root)
    for path in (lab.folder / name for name in lab.start):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            yield f"{path.name} is a link or no file"
        elif path.exists() and path.stat().st_size > SIZE_MAX:
            yield f"{path.name} has more than {SIZE_MAX // 1024} KiB"


def judge_raw(path: pathlib.Path, lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """Before a compiler opens anything that is named there, or believes where it stands."""
    text = path.read_bytes().decode(errors="replace")
    if tokens.CONTROL.search(text):
        yield f"{path.name} has control characters"
    allowed = set(headers(lab, root)) | {p.name for p in lab.written() if p.suffix == ".h"}
    lines = text.split("\n")
    found = tokens.tokens(text)
    for words in tokens.directives(found):
        if words and not judge_directive(words, allowed):
            line = words[0].line
            yield f"{path.name}:{line}: {lines[line - 1].strip()[:80]}: that is not for this lab"
    for at, token in enumerate(found):
        said = found[at + 2].text.strip('"') if found[at + 2 :] else ""
        if HAS.match(token.text):
            yield f"{path.name}:{token.line}: {token.text} is not for this lab"
        elif token.text == "_Pragma" and not is_harmless(tokens.tokens(said)):
            yield f"{path.name}:{token.line}: #pragma {said} is not for this lab"


def judge_directive(words: list[tokens.Token], allowed: set[str]) -> bool:
    name, *rest = (word.text for word in words)
    if name == "pragma":
        return is_harmless(words[1:])  # a preprocessor keeps some to itself
    if name != "include":
        return name in DIRECTIVES
    if len(rest) == 1 and rest[0].startswith('"'):
        return rest[0][1:-1] in allowed | STANDARD
    return rest[:1] == ["<"] and rest[-1] == ">" and "".join(rest[1:-1]) in STANDARD


def judge_macros(lab: labs.Lab, entered: set[pathlib.Path]) -> Iterator[str]:
    """No macro of the student's own is a word of a header that is not: what it stands
    for would be read as that header's text."""
    words = {word: path.name for path in sorted(entered) for word in names_in(path)}
    for path in lab.written():
        found = tokens.tokens(path.read_bytes().decode(errors="replace"))
        for directive in tokens.directives(found):
            kind, *rest = (token.text for token in directive) if directive else ("",)
            if kind in ("define", "undef") and rest and rest[0] in words:
                yield (f"{path.name}:{directive[0].line}: the macro {rest[0]} is a word of "
                       f"{words[rest[0]]}: choose another")  # fmt: skip


@functools.lru_cache(maxsize=None)
def names_in(path: pathlib.Path) -> frozenset[str]:
    """The words of a header, without the parameters of macros: those stand for others."""
    found = tokens.tokens(path.read_text(encoding="utf-8", errors="replace"))
    names, inside = [], set()
    for directive in tokens.directives(found):
        parameters = tokens.parameters(directive)
        names += [token for token in directive if token.text not in parameters]
        inside |= {id(token) for token in directive}
    names += [token for token in found if id(token) not in inside]
    return frozenset(token.text for token in names if token.kind == "name")


def compilers() -> list[list[str]]:
    """As the Makefile compiles: without and with sanitizers."""
    plain = os.environ.get("CC", "gcc").split()
    sanitized = ["clang"] if shutil.which("clang") else plain
    return [plain, [*sanitized, "-fsanitize=address,undefined"]]


def judge_sources(lab: labs.Lab, root: pathlib.Path) -> Iterator[str]:
    """What the compilers will see of the student's own lines."""
    entered: set[pathlib.Path] = set()
    for path in (p for p in lab.written() if p.suffix == ".c"):
        found: dict[str, None] = {}
        for compiler, level in zip(compilers(), ("-O2", "-O1")):  # macros know of both
            text = preprocessed(preprocess_words([*compiler, level], path, root), root)
            if text is None:
                yield f"{path.name}: its macros and includes come to no end"
                return
            found |= dict.fromkeys(judge_text(text, lab, root, entered))
        yield from found
    yield from judge_macros(lab, entered)


def preprocess_words(
    compiler: list[str], path: pathlib.Path, root: pathlib.Path
) -> list[str]:
    name = path.relative_to(root).as_posix()
    return [*compiler, "-std=c11", "-D_GNU_SOURCE", "-I.", "-E", name]


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


def judge_text(
    text: str, lab: labs.Lab, root: pathlib.Path, entered: set[pathlib.Path]
) -> Iterator[str]:
    """Preprocessed text: the lines that come from the student's own files. `entered` gets
    the files that it has other lines from."""
    allowed = {root / header for header in headers(lab, root)} | set(lab.written())
    own, where, number, kept, places = False, "", 0, [], []
    for line in text.split("\n"):
        marker = MARKER.match(line)
        if marker is None:
            if own:
                kept.append(line)
                places.append(f"{where}:{number}")
            number += 1
            continue
        if marker[1].startswith("<"):  # what the compiler itself puts in front
            continue
        path = pathlib.Path(os.path.normpath(root / marker[1]))
        if own and " 1" in marker[2] and path not in allowed and path.name not in SYSTEM:
            yield f"{where}:{number}: includes {marker[1]}: that is not for this lab"
        own = path.parent == lab.folder
        if not own and path.is_file():
            entered.add(path)
        where, number = path.name, int(line.split()[1])
    found = tokens.tokens("\n".join(kept), spliced=False)
    for token, problem in itertools.islice(judge_tokens(found), PROBLEMS_MAX):
        yield f"{places[token.line - 1]}: {problem}"


def judge_tokens(found: list[tokens.Token]) -> Iterator[tuple[tokens.Token, str]]:
    for words in tokens.directives(found):
        if words and (words[0].text != "pragma" or not is_harmless(words[1:])):
            said = " ".join(word.text for word in words)
            yield words[0], f"#{said} is not for this lab"
    for at, token in enumerate(found):
        word = token.text
        if token.kind == "mark":
            if word == "[" and found[at + 1 : at + 2] and found[at + 1].text == "[":
                yield from judge_attributes(found, at)
            continue
        if word in ("asm", "__asm", "__asm__"):
            yield token, "assembly is not for this lab"
        elif word in ("__attribute__", "__attribute"):
            yield from judge_attributes(found, at + 1)
        elif word.startswith("__builtin_") and not BUILTINS.fullmatch(word[10:]):
            yield token, f"{word} is not for this lab"
        elif token.kind == "name" and NEVER.fullmatch(word):
            yield token, f"{word} is not for this lab"


def is_harmless(pragma: list[tokens.Token]) -> bool:
    first, second = [*(word.text for word in pragma), "", ""][:2]
    return first in ("once", "STDC") or first in ("GCC", "clang") and second == "diagnostic"


def judge_attributes(
    found: list[tokens.Token], at: int
) -> Iterator[tuple[tokens.Token, str]]:
    """Those in the two brackets that open there."""
    inside = list(tokens.bracketed(found, at))
    if len(inside) < 2 or inside[1][0] != 2 or inside[-1][0] != 0:
        yield found[at - 1], "an attribute that is none"
    for depth, token in inside:
        name = re.sub(r"^__(\w+)__$", r"\1", token.text)
        if depth == 2 and token.kind == "name" and name not in ATTRIBUTES | {"gnu", "clang"}:
            yield token, f"the attribute {name} is not for this lab"


# ---- the objects -----------------------------------------------------------------


def judge_objects(
    lab: labs.Lab, root: pathlib.Path, out: pathlib.Path, *, linked: bool = True
) -> list[str]:
    """What the linker sees, in both builds; what did not link may have only the first."""
    calls = may_call(lab, root)
    own = own_names(lab, root)
    sources = [path for path in lab.written() if path.suffix == ".c"]
    between = {
        name
        for path in sources
        for kind, name in symbols(built(path, root, out)[0])
        if kind in "TDBRVWC"
    }
    found: dict[str, None] = {}
    for path in sources:
        words: set[str] = set()
        for place in built(path, root, out)[: None if linked else 1]:
            at = sites.Sites(place, path, root, lambda path=path: as_built(path, root))
            told = judge_object(path.name, place, calls | between, own, at, words)
            if watches(lab):
                told = (line.replace(SHARED, "it outlives the run") for line in told)
            found |= dict.fromkeys(told)
    return sorted(found, key=sites.order)


def as_built(path: pathlib.Path, root: pathlib.Path) -> str:
    """What the compiler of the plain build makes of a file at first."""
    return preprocessed(preprocess_words([*compilers()[0], "-O2"], path, root), root) or ""


def built(path: pathlib.Path, root: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    name = path.relative_to(root).with_suffix(".o")
    return [p for p in (out / "obj" / name, out / "sanitized" / "obj" / name) if p.exists()]


def symbols(place: pathlib.Path) -> list[tuple[str, str]]:
    """(nm's letter, name) of each; a table of constant pointers counts as constant."""
    lines = objects.tool("nm", "-fsysv", str(place))
    rows = ([part.strip() for part in line.split("|")] for line in lines)
    found = [(row[2], row[0], row[6]) for row in rows if len(row) == 7]
    return [
        ({"d": "r", "D": "R"}.get(kind, kind) if ".rel.ro" in section else kind, name)
        for kind, name, section in found
    ]


def own_names(lab: labs.Lab, root: pathlib.Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """How the names that a lab's files export may begin, and name -> whose it is of those
    that are taken."""
    stems = tuple(f"{path.stem}_" for path in lab.written() if path.suffix == ".c")
    reference = tuple(f"{pathlib.PurePath(file).stem}_" for file in lab.files)
    taken: dict[str, str] = {}
    for top, whose in TOPS.items():
        for path in sorted((root / top).rglob("*.h")):
            names = declared(path.read_text(encoding="utf-8"))
            taken = dict.fromkeys(names, f"{whose} ({path.relative_to(root)})") | taken
    library = subprocess.run(
        ["gcc", "-print-file-name=libc.so.6"], capture_output=True, text=True
    ).stdout.strip()
    rows = (line.split() for line in objects.tool("nm", "-D", "--defined-only", library))
    taken = dict.fromkeys((row[-1].split("@")[0] for row in rows), "the C library") | taken
    kept = {name: whose for name, whose in taken.items() if not name.startswith(reference)}
    return stems, kept


def judge_object(
    name: str, place: pathlib.Path, calls: set[str],
    own: tuple[tuple[str, ...], dict[str, str]], at: sites.Sites, words: set[str],
) -> Iterator[str]:  # fmt: skip
    """`words` are what was told of the other build."""
    sanitized = "sanitized" in place.parts
    stems, taken = own
    for kind, symbol in symbols(place):
        plain = re.sub(r"^__(\w+)_chk$", r"\1", symbol)
        if sanitized and is_sanitizers(kind, symbol):
            continue
        if kind in "Uwv" and plain not in calls and not ARITHMETIC.match(plain):
            where, word = at.call(symbol)
            if word not in words:
                words.add(word)
                use = f"uses {word}" if word in sites.VARIABLES else f"calls {word}()"
                also = at.also(where, word)
                yield f"{where}: {use}{also}, which is not for this lab{why(plain)}"
        elif kind in "TDBRVWCGSA" and (not symbol.startswith(stems) or symbol in taken):
            if symbol in words:
                continue
            words.add(symbol)
            where, what = at.defined(symbol), f"{symbol}()" if kind in "TW" else symbol
            if symbol in taken:
                yield (f"{where}: {what} has the name of a function of {taken[symbol]}: make "
                       "it static, or name it otherwise")  # fmt: skip
            else:
                yield (f"{where}: {name} defines {what}, a name that is not its own: make it "
                       f"static, or begin it with {place.stem}_")  # fmt: skip
        elif kind in "iuvVwW":
            yield f"{name}: {symbol} is a symbol of a kind that is not for this lab"
        elif kind in "dDbBC":
            where, what = at.kept(symbol)
            if what not in words:
                words.add(what)
                yield f"{where}: keeps {what}: {SHARED}"
    for problem in objects.judge(place, sanitized, (CORE_CALLS | MORE_CALLS) - COMPILERS):
        yield f"{name} {problem}"


def is_sanitizers(kind: str, symbol: str) -> bool:
    """Whether it is what a sanitizer adds; a name with a dot is no one else's."""
    if kind == "U":
        return objects.SANITIZERS_CALL.match(symbol) is not None
    if kind in "dbtr":
        return objects.SANITIZERS_DATA.match(symbol) is not None
    return objects.SANITIZERS_OWN.fullmatch(symbol) is not None


def why(symbol: str) -> str:
    if re.search(r"print|puts|putc|write|stderr|stdout", symbol):
        return ": take your output out (raftsim's trace shows what a node does)"
    if re.search(r"alloc|free", symbol):
        return ": all memory is handed in"
    if symbol.startswith("raft_"):
        return ": watch the nodes, and let them do what they do"
    if re.search(r"rand|time|clock", symbol):
        return ": time and chance come with the events"
    return ""


# ---- all of it -------------------------------------------------------------------


def before_the_build(lab: labs.Lab, root: pathlib.Path) -> None:
    if not lab.files and (written := lab.written()):
        raise Refused(f"{written[0].relative_to(root)}: no C is written in this lab")
    for judge in (judge_files, judge_sources):
        if problems := list(itertools.islice(judge(lab, root), PROBLEMS_MAX)):
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
