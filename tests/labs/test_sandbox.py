"""Whoever cheats gets no points: each way is refused before it runs."""

import pathlib
import subprocess
import sys

import pytest

from raftlab import build

TOOLS = build.ROOT / "labs" / "tools"
sys.path.insert(0, str(TOOLS))

import lab as labs  # noqa: E402
import sandbox  # noqa: E402
import tokens  # noqa: E402

HONEST = """
#include "raft/quorum.h"
#include <assert.h>
#include <string.h>
int quorum_value(const int *values, int count)
{
    assert(count > 0);
    int copy[8];
    memcpy(copy, values, sizeof(copy));
    return copy[count - 1] + quorum_other(count);
}
"""


@pytest.fixture()
def lab(tmp_path: pathlib.Path) -> labs.Lab:
    """A small tree with one lab, whose file is raft/quorum.c."""
    texts = {
        "raft/quorum.h": "int quorum_value(const int *, int);\nint quorum_other(int);\n",
        "raft/quorum.c": "",
        "raft/raft.h": "struct raft { int term; };\n",
        "raft/host/disk_posix.h": "int disk_posix_open(const char *name);\n",
        "sim/checker.h": "void checker_pass(void);\n",
        "labs/todo.h": "",
        "labs/1-quorum/quorum.c": HONEST,
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = tmp_path / "labs" / "1-quorum"
    return labs.Lab(number=1, folder=folder, title="Quorum", files=["raft/quorum.c"])


def root_of(lab: labs.Lab) -> pathlib.Path:
    return lab.folder.parent.parent


def compiled(lab: labs.Lab) -> pathlib.Path:
    """As `make LAB=1` would, without and with sanitizers."""
    root, out = root_of(lab), root_of(lab) / "build"
    for compiler, variant in zip(sandbox.compilers(), ("", "sanitized")):
        for source in lab.folder.glob("*.c"):
            place = out / variant / "obj" / source.relative_to(root).with_suffix(".o")
            place.parent.mkdir(parents=True, exist_ok=True)
            name = source.relative_to(root).as_posix()
            words = [*compiler, "-w", "-g", "-O1", "-I.", "-c", "-o", str(place), name]
            subprocess.run(words, cwd=root, check=True)
    return out


def verdict(lab: labs.Lab) -> str:
    try:
        sandbox.before_the_build(lab, root_of(lab))
        sandbox.before_it_runs(lab, root_of(lab), compiled(lab))
    except sandbox.Refused as refusal:
        return str(refusal)
    return ""


def test_an_honest_file_may_run(lab: labs.Lab) -> None:
    assert verdict(lab) == ""


def test_helpers_of_the_students_own_may_stand_in_other_files(lab: labs.Lab) -> None:
    (lab.folder / "tally.h").write_text("int tally_sum(int a, int b);\n")
    (lab.folder / "tally.c").write_text(
        '#include "tally.h"\nint tally_sum(int a, int b) { return a + b; }\n'
    )
    more = '#include "tally.h"\nint quorum_other(int n) { return tally_sum(n, 1); }\n'
    (lab.folder / "quorum.c").write_text(HONEST + more)
    assert verdict(lab) == ""


CHEATS = {
    "leaves at once": ("void exit(int); void quorum_x(void) { exit(0); }", "calls exit()"),
    "leaves harder": ("void _exit(int); void quorum_x(void) { _exit(0); }", "calls _exit()"),
    "runs first": (
        "__attribute__((constructor)) static void first(void) { }",
        "the attribute constructor",
    ),
    "runs first by its section": (
        'static void go(void) { }\n'
        'static void (*p)(void) __attribute__((section(".init_array"), used)) = go;',
        "the attribute section",
    ),
    "runs first by a pragma": (
        "#pragma clang attribute push(__attribute__((constructor)), apply_to = function)\n"
        "#pragma clang attribute pop",
        "#pragma",
    ),
    "hides it from one compiler": (
        "#ifdef __clang__\n__attribute__((__constructor__)) static void f(void) { }\n#endif",
        "the attribute constructor",
    ),
    "hides it in a macro": (
        "#define QUIET(x) __attribute__((x))\nQUIET(destructor) static void f(void) { }",
        "the attribute destructor",
    ),
    "writes results": (
        "int open(const char *, int, ...); int quorum_x(void) { return open(\"r.json\", 1); }",
        "calls open()",
    ),
    "prints answers": (
        '#include <stdio.h>\nvoid quorum_x(void) { puts("{\\"ok\\":true}"); }',
        "calls puts()",
    ),
    "forks": ("int fork(void); void quorum_x(void) { for (;;) fork(); }", "calls fork()"),
    "allocates": (
        "#include <stdlib.h>\nvoid quorum_x(void) { while (malloc(1 << 20)) ; }",
        "calls malloc()",
    ),
    "reads what the test knows": (
        "extern void *test_first; void *quorum_x(void) { return test_first; }",
        "calls test_first()",
    ),
    "stands in another's place": (
        "int strcmp(const char *a, const char *b) { return 0; }", "strcmp"
    ),
    "stands in the library's place": ("int write(int a, void *b, long c) { return c; }", "write"),
    "changes how sanitizers report": (
        'const char *__asan_default_options(void) { return "exitcode=0"; }',
        "__asan_default_options",
    ),
    "speaks to the machine": ('void quorum_x(void) { __asm__("syscall"); }', "assembly"),
    "speaks to it by a macro": (
        '#define A(x) as##x\nvoid quorum_x(void) { A(m)("syscall"); }', "assembly"
    ),
    "keeps state of its own": (
        "static int votes; int quorum_x(void) { return ++votes; }",
        "votes in a variable outside",
    ),
    "includes a password": ('#include "/etc/passwd"', "that is not for this lab"),
    "includes what a name hides": (
        '#define NAME "sim/checker.h"\n#include NAME', "that is not for this lab"
    ),
    "includes another layer": ('#include "sim/checker.h"', "that is not for this lab"),
    "includes the disk": ('#include "raft/host/disk_posix.h"', "that is not for this lab"),
    "includes the system": ("#include <unistd.h>", "that is not for this lab"),
    "splits the word": ("#incl\\\nude <unistd.h>", "that is not for this lab"),
    "says that it is another's": (
        'static void f(void);\n#line 1 "x.c"\nstatic void f(void) { __asm__("nop"); }\n'
        '#line 9 "labs/1-quorum/quorum.c"\nvoid quorum_x(void) { f(); }',
        '#line 1 "x.c": that is not for this lab',
    ),
    "says it as a preprocessor does": ('# 1 "x.c" 3', "that is not for this lab"),
    "says it with what a macro stands for": (
        '#define H #\nH 1 "x.c" 3\nvoid quorum_x(void) { __asm__("nop"); }', "assembly"
    ),
    "says it with an empty macro before": (
        '#define E\nE # 1 "x.c" 3\nvoid quorum_x(void) { __asm__("nop"); }', "assembly"
    ),
    "includes what comes next": ("#include_next <unistd.h>", "that is not for this lab"),
    "pushes a macro": ('#pragma push_macro("assert")', "#pragma push_macro"),
    "pops one in a word": ('_Pragma("pop_macro(\\"assert\\")") struct x;', "#pragma pop_macro"),
    "poisons a word": ("#pragma GCC poison quorum_other", "#pragma GCC poison"),
    "has no warnings": ("#pragma GCC system_header", "#pragma GCC system_header"),
    "says it with a digraph": ('%:line 1 "x.c"', "that is not for this lab"),
    "says it with a trigraph": ('??=line 1 "x.c"', "that is not for this lab"),
    "says it on two lines": ('#\\\nline 1 "x.c"', "that is not for this lab"),
    "says it on two lines, the first with a space": (
        '# \\ \nline 1 "x.c"', "that is not for this lab"
    ),
    "says it on two lines with a trigraph": ('#??/\nline 1 "x.c"', "that is not for this lab"),
    "says it between comments": (
        '/* a\n */ # /* b\n */ line 1 "x.c"', "that is not for this lab"
    ),
    "says it on a line of its own kind": ('\r#line 1 "x.c"', "control characters"),
    "hides it behind a character": (
        """char quorum_x(void) { char q = '"'; __asm__("nop"); char w = '"'; return q + w; }""",
        "assembly",
    ),
    "hides it behind an escaped one": (
        r"""char quorum_x(void) { char q = '\''; __asm__("nop"); char w = '\"'; return q + w; }""",
        "assembly",
    ),
    "has another compiler's flags": (
        '#ifdef __OPTIMIZE__\nvoid quorum_x(void) { __asm__("nop"); }\n#endif', "assembly"
    ),
    "looks whether it is being judged": (
        '#if __has_include("build/obj/raft/quorum.o")\n#endif', "__has_include"
    ),
    "speaks through another's header": (
        "#define quorum_other(x) f(void) { } int quorum_other(int)", "the macro quorum_other"
    ),
    "undoes a word of the system's": (
        "#include <string.h>\n#undef memcpy", "the macro memcpy"
    ),
    "splits an attribute": (
        "__attribute__((\nconstructor\n)) static void f(void) { }", "the attribute constructor"
    ),
    "splits it where only one compiler looks": (
        "#if defined(__has_feature) || defined(__SANITIZE_ADDRESS__)\n"
        "__attribute__((\n__constructor__\n(101))) static void f(void) { }\n#endif",
        "the attribute constructor",
    ),
    "has two attributes": (
        "__attribute__((unused,\n weak)) int quorum_x(void) { return 1; }", "the attribute weak"
    ),
    "has an attribute of C23": (
        "[[gnu::\nconstructor]] static void f(void) { }", "the attribute constructor"
    ),
    "has one in digraphs": (
        "<:<:gnu::constructor:>:> static void f(void) { }", "the attribute constructor"
    ),
    "is out of the sanitizers' sight": (
        '__attribute__((no_sanitize("address"))) int quorum_x(int *p) { return p[99]; }',
        "the attribute no_sanitize",
    ),
    "has a pragma in a word": (
        '_Pragma("weak quorum_x = abort") void quorum_x(void);', "#pragma weak"
    ),
    "has another's name by a pragma": (
        "#pragma redefine_extname quorum_y abort", "#pragma redefine_extname"
    ),
    "leaves the test's frame": (
        "void quorum_x(void)\n"
        "{ void *to[5] = {__builtin_frame_address(2)}; __builtin_longjmp(to, 1); }",
        "__builtin_",
    ),
    "changes how one build's sanitizer reports": (
        "#ifndef __SANITIZE_ADDRESS__\n#if defined(__clang__)\n"
        'const char *__asan_default_options(void) { return "exitcode=0"; }\n#endif\n#else\n'
        'const char *__asan_default_options(void) { return "exitcode=0"; }\n#endif',
        "__asan_default_options is not for this lab",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", CHEATS)
def test_code_that_does_more_than_compute_is_refused_with_its_reason(
    lab: labs.Lab, way: str
) -> None:
    text, reason = CHEATS[way]
    (lab.folder / "quorum.c").write_text(f"{HONEST}{text}\n")
    said = verdict(lab)
    assert reason in said and "quorum.c" in said, said


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "int quorum_x(void)\n{\n    static int calls;\n    return ++calls;\n}\n",
            "quorum.c:{at}: keeps calls, a static variable in quorum_x(): ",
        ),
        (
            "static int votes;\nint quorum_x(void)\n{\n    return ++votes;\n}\n",
            "quorum.c:{at}: keeps votes in a variable outside of all functions: ",
        ),
        (
            "#include <stdio.h>\n"
            "#define LOG(...) fprintf(stderr, __VA_ARGS__)\n"
            'void quorum_x(void)\n{\n    LOG("x");\n}\n',
            "quorum.c:{at}: calls fprintf(), which",
        ),
        (
            "#include <stdio.h>\nint quorum_x(int n)\n{\n"
            '    printf("a\\n");\n    return printf("%d\\n", n);\n}\n',
            "quorum.c:{at}: calls printf() (and in line {next}), which",
        ),
        (
            "#include <stdio.h>\nint quorum_x(int n)\n{\n"
            "    if (n == '\"') printf(\"a\\n\");\n    return printf(\"%d\\n\", n);\n}\n",
            "quorum.c:{at}: calls printf() (and in line {next}), which",
        ),
    ],
)
def test_what_is_refused_is_named_as_it_is_written_and_where(
    lab: labs.Lab, text: str, said: str
) -> None:
    (lab.folder / "quorum.c").write_text(HONEST + text)
    marks = ("static int", 'LOG("', 'printf("a')
    line = next(n for n, line in enumerate((HONEST + text).split("\n"), 1) if any(
        mark in line for mark in marks))  # fmt: skip
    told = verdict(lab)
    said = said.format(at=line, next=line + 1)
    assert any(one.startswith(said) for one in told.split("\n")), told
    assert told.count("keeps") + told.count("calls f") + told.count("calls p") == 1, told


def test_constant_tables_and_arithmetic_are_everyones(lab: labs.Lab) -> None:
    more = (
        'static const char *const words[] = {"no", "yes"};\n'
        "int quorum_other(int n)\n{\n"
        "    unsigned __int128 wide = (unsigned __int128)n << 70;\n"
        "    return words[n & 1][0] + (int)(wide / ((unsigned)n | 1))\n"
        "        + __builtin_popcountll((unsigned)n);\n}\n"
    )
    (lab.folder / "quorum.c").write_text(HONEST + more)
    assert verdict(lab) == ""


SANITIZED = "#if !defined(__OPTIMIZE__) || defined(__clang__) || defined(__SANITIZE_ADDRESS__)\n"
CALL = "static void f(void) { quorum_other(1); }"


@pytest.mark.parametrize(
    "text, reason",
    [
        (f"__attribute__((constructor)) {CALL}", "before or after the program"),
        (f"__attribute__((destructor)) {CALL}", "before or after the program"),
        (
            "static void f(void) { } static void (*r(void))(void) { return f; }\n"
            'void quorum_i(void) __attribute__((ifunc("r")));',
            "a symbol of a kind",
        ),
        ("__attribute__((weak)) int main(void) { return 0; }", "quorum.c defines main"),
        ("int quorum_votes;", "keeps quorum_votes in a variable"),
        ('void quorum_x(void) { __asm__("syscall"); }', r"quorum_x\(\) has an instruction"),
        ('void quorum_x(void) { __asm__("lock; sysenter"); }', "not for this lab: sysenter"),
        ('void quorum_x(void) { __asm__("int $0x80"); }', "not for this lab: int"),
        ("int quorum_x(void) { return (int)__builtin_ia32_rdtsc(); }", "not for this lab: rdtsc"),
        ('__asm__(".pushsection .text; .byte 0x06; .popsection");', "instruction"),
        ('__attribute__((section(".text.mine"))) int quorum_x(void) { return 1; }',
         "a section of its own"),
        ('__attribute__((section("mine"))) const int quorum_x[] = {1};', "a section of its own"),
        ('__asm__(".pushsection .text; .type x, @object; .size x, 8; x: .quad 0; .popsection");',
         "data among its code"),
        (f"{SANITIZED} __attribute__((constructor)) {CALL}\n#endif", "before or after"),
        (f"{SANITIZED} __attribute__((constructor(1))) {CALL}\n#endif", "before or after"),
        (f"{SANITIZED} __attribute__((constructor(99))) {CALL}\n#endif", "before or after"),
        (f"{SANITIZED} static int votes; int quorum_x(void) {{ return ++votes; }}\n#endif",
         "keeps .*votes in a variable"),
        (f'{SANITIZED} const char *__asan_default_options(void) {{ return ""; }}\n#endif',
         "defines __asan_default_options"),
        (f"{SANITIZED} void __asan_set_error_report_callback(void (*)(const char *));\n"
         "void quorum_x(void) { __asan_set_error_report_callback(0); }\n#endif",
         "calls __asan_set_error_report_callback"),
        ("__attribute__((weak)) int quorum_x(void) { return 1; }", "a symbol of a kind"),
        ("#ifndef __clang__\nint quorum_apply(int (*f)(int));\nint quorum_x(int n)\n"
         "{ int more(int a) { return a + n; } return quorum_apply(more); }\n#endif",
         "a stack that can be executed"),
        ("void *quorum_x(void) { return (void *)((char *)memcpy + 8); }", "address of memcpy"),
        ("void *(*const quorum_x)(void *, const void *, unsigned long) = memcpy;",
         "address of memcpy"),
    ],
)
def test_what_words_could_hide_the_linker_sees(lab: labs.Lab, text: str, reason: str) -> None:
    (lab.folder / "quorum.c").write_text(f"{HONEST}{text}\n")
    with pytest.raises(sandbox.Refused, match=reason):
        sandbox.before_it_runs(lab, root_of(lab), compiled(lab))


def test_words_are_cut_as_a_compiler_cuts_them() -> None:
    text = 'a /* "b */ "c\\"d" \'"\' // e\n??=define f\\\n g %:%: <:h\\\ni\n#/**/if 0\ndon\'t "\n#'
    found = tokens.tokens(text)
    assert [(token.text, token.line) for token in found] == [
        *(("a", 1), ('"c\\"d"', 1), ("'\"'", 1), ("#", 2), ("define", 2), ("f", 2), ("g", 3)),
        *(("##", 3), ("[", 3), ("hi", 3), ("#", 5), ("if", 5), ("0", 5), ("don", 6), ("'t \"", 6)),
        ("#", 7),
    ]
    words = [[token.text for token in words] for words in tokens.directives(found)]
    assert words == [["define", "f", "g", "##", "[", "hi"], ["if", "0"], []]


def test_the_parameters_of_a_headers_macro_are_everyones_words(lab: labs.Lab) -> None:
    header = root_of(lab) / "raft" / "raft.h"
    header.write_text(
        "#define LEAST(min, max) (min < max ? min : max + MOST)\n#define BOTH (max)\n"
    )
    macros = "#define min(a, b) ((a) < (b) ? (a) : (b))\n#define MOST 1\n#define max 2\n"
    (lab.folder / "quorum.c").write_text(f'{macros}#include "raft/raft.h"\n{HONEST}')
    assert verdict_before_the_build(lab).splitlines() == [
        "quorum.c:2: the macro MOST is a word of raft.h: choose another",
        "quorum.c:3: the macro max is a word of raft.h: choose another",
    ]


def test_an_attribute_that_never_ends_is_none(lab: labs.Lab) -> None:
    (lab.folder / "quorum.c").write_text(f"{HONEST}{'__attribute__((' * 9999}\n")
    said = verdict_before_the_build(lab)
    assert "an attribute that is none" in said and said.count("\n") < sandbox.PROBLEMS_MAX


def verdict_before_the_build(lab: labs.Lab) -> str:
    with pytest.raises(sandbox.Refused) as refusal:
        sandbox.before_the_build(lab, root_of(lab))
    return str(refusal.value)


@pytest.mark.parametrize(
    "line, refused",
    [
        ("syscall", True), ("int    $0x80", True), ("in     (%dx),%al", True),
        ("ljmp   *(%rax)", True), ("rdrand %eax", True), ("(bad)", True), ("svc\t#0x0", True),
        ("mrs\tx0, tpidr_el0", False), ("msr\ttpidr_el0, x0", True), ("brk\t#0x3e8", False),
        ("ud2", False), ("inc    %eax", False), ("jmp    8 <f+0x8>", False), ("sti", True),
        ("call   5 <f>\t1: R_X86_64_PLT32\tmemcpy-0x4", False),
        ("mov    0x0(%rip),%rax\t3: R_X86_64_REX_GOTPCRELX\tmemcpy-0x4", True),
        ("bl\t0 <memcpy>\t4: R_AARCH64_CALL26\tmemcpy", False),
        ("adrp\tx0, 0 <f>\t8: R_AARCH64_ADR_GOT_PAGE\tmemcpy", True),
        ("lea    0x0(%rip),%rcx\tcf: R_X86_64_GOTPC32\t_GLOBAL_OFFSET_TABLE_-0x4", True),
    ],
)  # fmt: skip
def test_instructions_compute_and_call_and_no_more(line: str, refused: bool) -> None:
    problem = sandbox.objects.judge_instruction(line.split()[0], line, {"memcpy"})
    assert (problem != "") == refused, problem


def test_what_a_sanitizer_tells_of_a_functions_type_is_no_code(lab: labs.Lab) -> None:
    told = '__asm__(".balign 16; .long 0xc105cafe, 0xf4f4f4f4; .type x, @function; x: ret");'
    (lab.folder / "quorum.c").write_text(HONEST + told)
    out = compiled(lab)
    found = [
        sandbox.objects.judge(place, "sanitized" in place.parts, set())
        for place in sandbox.built(lab.folder / "quorum.c", root_of(lab), out)
    ]
    assert "hlt" in "".join(found[0]) and list(found[1]) == []


@pytest.mark.parametrize("name", ["raft.h", "string.h", "checker.h", "sim.s.c", "Quorum.h"])
def test_a_file_that_is_named_like_anothers_is_refused(lab: labs.Lab, name: str) -> None:
    (lab.folder / name).write_text("\n")
    assert name in verdict(lab)


def test_a_header_in_a_folder_below_is_not_taken_for_the_trees(lab: labs.Lab) -> None:
    (lab.folder / "raft").mkdir()
    (lab.folder / "raft" / "quorum.h").write_text("int quorum_value(const int *, int);\n")
    assert "that is not for this lab" in verdict(lab)


def test_macros_that_double_for_ever_are_told_as_that(
    lab: labs.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "PREPROCESS_SECONDS_MAX", 2)
    doubled = [f"#define X{n} X{n - 1} X{n - 1}" for n in range(1, 60)]
    (lab.folder / "quorum.c").write_text("\n".join(["#define X0 ;", *doubled, "X59", ""]))
    assert verdict(lab) == "quorum.c: its macros and includes come to no end"


def test_a_link_is_no_file(lab: labs.Lab, tmp_path: pathlib.Path) -> None:
    (lab.folder / "more.c").symlink_to(tmp_path / "raft" / "quorum.c")
    assert "more.c is a link" in verdict(lab)


def test_a_missing_file_is_named(lab: labs.Lab) -> None:
    (lab.folder / "quorum.c").unlink()
    assert verdict(lab) == "quorum.c is missing: `make lab1` writes it anew"
