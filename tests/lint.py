"""Checks the project's Python with the standard library alone: every file compiles,
imports nothing that it does not use, and names nothing that does not exist. What its own
head calls as a command can be called so."""

import ast
import builtins
import os
import pathlib
import re
import symtable
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULE_NAMES = {"__file__", "__name__", "__doc__", "__path__", "__spec__"}


def python_files() -> list[pathlib.Path]:
    folders = [ROOT / name for name in ("tests", "labs", "docs")]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield (alias.asname or alias.name.split(".")[0]), node.lineno


def used(tree: ast.Module) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):  # what __all__ lists is used by others
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__"
            for target in node.targets
        ):
            names.update(ast.literal_eval(node.value))
    # A name in a quoted annotation is used as well.
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.isidentifier():
                names.add(node.value)
    return names


def free_names(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        at_module_level = table.get_type() == "module"
        if symbol.is_referenced() and (symbol.is_global() or at_module_level):
            yield symbol.get_name()
    for child in table.get_children():
        yield from free_names(child)


def defined(table: symtable.SymbolTable) -> set[str]:
    names = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    for child in table.get_children():  # `global x` in a function defines x as well
        names |= {s.get_name() for s in child.get_symbols() if s.is_declared_global()}
    return names


def cannot_be_called(path: pathlib.Path, source: str, head: str) -> Iterator[str]:
    name = path.relative_to(ROOT)
    runs, begins = os.access(path, os.X_OK), source.startswith("#!/usr/bin/env python3\n")
    if re.search(rf"^ +{re.escape(str(name))}\b", head, re.MULTILINE) and not (runs and begins):
        yield f"{name}: its head calls it as a command, which takes a #! line and chmod +x"
    if runs != begins:
        yield f"{name}: only one of two: a #! line for python3, and permission to be run"


def problems(path: pathlib.Path) -> Iterator[str]:
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    try:
        tree = ast.parse(source, str(name))
        compile(tree, str(name), "exec")
        table = symtable.symtable(source, str(name), "exec")
    except SyntaxError as error:
        yield f"{name}:{error.lineno}: {error.msg}"
        return
    yield from cannot_be_called(path, source, ast.get_docstring(tree) or "")
    uses = used(tree)
    for imported_name, line in imported(tree):
        if imported_name == "*":
            yield f"{name}:{line}: imports * and hides where its names come from"
        elif imported_name not in uses:
            yield f"{name}:{line}: '{imported_name}' is imported and not used"
    known = defined(table) | set(dir(builtins)) | MODULE_NAMES
    for unknown in sorted(set(free_names(table)) - known):
        yield f"{name}: '{unknown}' is not defined"
    for number, text in enumerate(source.splitlines(), 1):
        if len(text) > 100:
            yield f"{name}:{number}: longer than 100 columns"


def main() -> int:
    found = [problem for path in python_files() for problem in problems(path)]
    print("\n".join(found) if found else f"{len(python_files())} Python files are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
