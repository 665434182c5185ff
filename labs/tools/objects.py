"""What an object file holds besides the names that it exports: its sections, where data
and code lie, what runs early, and what its code says to the machine."""

from __future__ import annotations

import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

# What compilers make of plain C. What is not here came by an attribute or by assembly.
SECTION = re.compile(
    r"\.(data|bss|comment|eh_frame|symtab|strtab|shstrtab|symtab_shndx|group|llvm_addrsig|sframe"
    r"|note\.GNU-stack|note\.gnu\.property|rodata(\.(str|cst)[\d.]+)?|data\.rel(\.ro)?(\.local)?"
    r"|text(\.(unlikely|hot|startup|exit)\.?)?|debug_\w+|rela?\..+)$|$"
)
# What the sanitizers add: gcc's to the first, clang's to the others.
SANITIZERS_SECTION = re.compile(
    r"\.(init|fini)_array(\.00099|\.1)?$|\.text\.asan\.module_[cd]tor$|asan_globals$"
)
SANITIZERS_CALL = re.compile(
    r"__asan_(init|version_mismatch_check_v\d+|handle_no_return|mem(cpy|move|set)"
    r"|option_detect_stack_use_after_return|report_(load|store)_?n?\d*(_noabort)?"
    r"|(load|store)(N|\d+)(_noabort)?|(un)?register_(elf_|image_)?globals"
    r"|stack_(malloc|free)(_always)?_\d+|set_shadow_\w\w|(un)?poison_stack_memory"
    r"|alloca_poison|allocas_unpoison)$|__ubsan_handle_\w+$"
)
SANITIZERS_OWN = re.compile(
    r"(\.text\.)?asan\.module_[cd]tor|_*(GLOBAL__)?sub_[ID]_00099_\w+|___asan_globals_registered"
)
SANITIZERS_DATA = re.compile(r"\.L|__unnamed|___?asan_")
EARLY = re.compile(r"\.(preinit_array|init_array|fini_array|ctors|dtors|init|fini)(\.|$)")

PREFIX = re.compile(r"(rep\w*|lock|data16|addr32|[c-gs]s|bnd|notrack|x(acquire|release)|rex\S*)$")
# Into the kernel, to another mode of the processor, or to its clocks and dice.
PRIVILEGED = re.compile(
    r"sys(call|enter|exit|ret)[lq]?|int[13o]?|icebp|iret[lqw]?|l(call|jmp|ret)[lqw]?|hlt|[cs]ti"
    r"|(in|out)([bwl]|s[bwl]?)?|rdtscp?|rdrand|rdseed|rdpid|rdpmc|cpuid|xgetbv|(rd|wr)(msr|pkru)"
    r"|(rd|wr)[fg]sbase[lq]?|swapgs|encl[uv]|vmcall|vmmcall|s[gil]dt|\(bad\)|\.byte"  # x86-64
    r"|svc|hvc|smc|msr|sysl?|eret\w*|dc|ic|at|tlbi|\.inst|\.word|udf|undefined"  # aarch64
    r"|swi|ecall|sc"
)
TYPE_BYTES = 8
TYPE_MARK = re.compile(r"dec +%dl$|\.(inst|word)\s+0xc105cafe")
CALL = re.compile(r"(call|jmp)[lq]?|bl?")


class Section(NamedTuple):
    name: str
    kind: str
    flags: str
    size: int


class Symbol(NamedTuple):
    name: str
    kind: str
    section: str  # a number, UND, ABS, COM
    value: int


def tool(*words: str) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def sections(place: pathlib.Path) -> dict[str, Section]:
    """By their numbers."""
    row = re.compile(
        r" *\[ *(\d+)\] (\S*) +(\S+) +[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) +[0-9a-f]+ +([A-Za-z]*) "
        r"+\d+ +\d+ +\d+$"
    )
    found = {}
    for line in tool("readelf", "-SW", str(place)):
        if match := row.match(line):
            found[match[1]] = Section(match[2], match[3], match[5], int(match[4], 16))
        elif re.match(r" *\[ *\d+\]", line):  # a name that is made to be misread
            found[line] = Section(line.strip(), "", "", 0)
    return found


def symbols(place: pathlib.Path) -> list[Symbol]:
    found = []
    for line in tool("readelf", "-sW", str(place)):
        row = line.split()
        if len(row) >= 7 and row[0].endswith(":") and row[0][:-1].isdigit():
            found.append(Symbol(row[7] if len(row) > 7 else "", row[3], row[6], int(row[1], 16)))
    return found


def judge(place: pathlib.Path, sanitized: bool, library: set[str]) -> Iterator[str]:
    """What is wrong with it; `library` are functions of the C library, for calls alone."""
    there = sections(place)
    yield from judge_sections(list(there.values()), sanitized)
    for symbol in symbols(place):
        section = there.get(symbol.section)
        if section is None or symbol.kind not in ("FUNC", "OBJECT", "TLS", "IFUNC", "GNU_IFUNC"):
            continue
        if (symbol.kind == "FUNC") != ("X" in section.flags):
            yield f"has data among its code, or code among its data ({symbol.name})"
    yield from judge_early(place, sanitized)
    yield from judge_code(place, sanitized, library)


def judge_sections(there: list[Section], sanitized: bool) -> Iterator[str]:
    for section in there:
        name = section.name
        early = EARLY.match(name) and section.size
        if sanitized and SANITIZERS_SECTION.match(name):
            if early and section.size != 8:
                yield f"has code that runs before or after the program ({name})"
        elif early:
            yield f"has code that runs before or after the program ({name})"
        elif not SECTION.match(name) or "X" in section.flags and not name.startswith(".text"):
            yield f"has a section of its own ({name})"
    stacks = [section for section in there if section.name == ".note.GNU-stack"]
    if len(stacks) != 1 or "X" in stacks[0].flags:
        yield "wants a stack that can be executed (a function within a function?)"


def judge_early(place: pathlib.Path, sanitized: bool) -> Iterator[str]:
    """In a sanitized object one constructor and one destructor, which are not its own."""
    if not sanitized:
        return
    there, names, inside = sections(place), {}, ""
    for symbol in symbols(place):
        if symbol.kind == "FUNC" and symbol.section in there:
            names[there[symbol.section].name, symbol.value] = symbol.name
    for line in tool("readelf", "-rW", str(place)):
        if match := re.match(r"Relocation section '\.rela?(\S+)'", line):
            inside = match[1]
        elif EARLY.match(inside) and (row := line.split()) and re.match("[0-9a-f]{8}", row[0]):
            target = " ".join(row[4:])
            base, _, offset = target.partition(" + ")
            name = names.get((base, int(offset or "0", 16)), base)
            if not SANITIZERS_OWN.fullmatch(name):
                yield f"has code that runs before or after the program ({name})"


def judge_code(place: pathlib.Path, sanitized: bool, library: set[str]) -> Iterator[str]:
    """Each instruction, and what the linker will write into it."""
    told = set()
    for function, line in instructions(place, sanitized):
        words = line.split("#")[0].split()
        while len(words) > 1 and PREFIX.match(words[0]):
            words = words[1:]
        problem = judge_instruction(words[0] if words else "", line, library)
        if problem and (function, problem) not in told:
            told.add((function, problem))
            yield f"{function}() {problem}"
    for line in tool("objdump", "-r", str(place)):  # of addresses that are data
        match = re.match(r"[0-9a-f]+ R_\w+_(?:64|ABS64|32) +(\w+)", line)
        if match and match[1] in library:
            yield f"keeps the address of {match[1]}"


def instructions(place: pathlib.Path, sanitized: bool) -> Iterator[tuple[str, str]]:
    """(function, instruction) of all. A sanitizer may put eight bytes that tell a
    function's type in front of it, which are none."""
    function, last = "", []
    for line in [*tool("objdump", "-drw", "--no-show-raw-insn", str(place)), "0 <>:"]:
        if match := re.match(r"([0-9a-f]+) <(.*)>:$", line):
            begin = int(match[1], 16) - TYPE_BYTES
            kept = [told for at, told in last if at < begin]
            typed = [told for at, told in last if at >= begin]
            if not (sanitized and typed and TYPE_MARK.match(typed[0])):
                kept += typed
            yield from ((function, told) for told in kept)
            function, last = match[2], []
        elif match := re.match(r"\s*([0-9a-f]+):\t(.*)$", line):
            last.append((int(match[1], 16), match[2]))


def judge_instruction(word: str, line: str, library: set[str]) -> str:
    if PRIVILEGED.fullmatch(word):
        return f"has an instruction that is not for this lab: {word}"
    relocation = re.search(r"\bR_\w+\s+(\w+)", line)
    name = relocation[1] if relocation else ""
    if name == "_GLOBAL_OFFSET_TABLE_" or name in library and not CALL.fullmatch(word):
        return f"takes the address of {name}"
    return ""
