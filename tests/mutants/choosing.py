"""Which mutants of some files are tried: Cosmic Ray's, without those that nothing can tell from the original."""

from __future__ import annotations

import ast
import difflib
import tomllib
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import cosmic_ray.plugins
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import WorkItem

# Judged by hand: per line of code, what a mutant makes of it and why no test can notice.
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
Span = tuple[tuple[int, int], tuple[int, int]]


class Mutant(NamedTuple):
    """One change of one file. Lines are numbered from 1."""

    file: Path
    line: int
    before: str
    after: str

    @property
    def diff(self) -> str:
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
        return "\n".join([f"{self.file}:{self.line}", *list(lines)[3:]])

    @property
    def change(self) -> tuple[str, str, str]:
        """File, lines before and lines after, without indentation and comments: the same wherever the line moves."""
        old, new = self.before.splitlines(), self.after.splitlines()
        removed, added = [], []
        for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                removed += old[a:b]
                added += new[c:d]
        return str(self.file), " ".join(map(_code, removed)), " ".join(map(_code, added))


def _code(line: str) -> str:
    return line.partition("  # ")[0].strip()


def all_mutants(files: list[Path]) -> list[WorkItem]:
    """Every mutant of some files, in an order of their own; those in type hints are left out, as nothing runs them."""
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init(files, database, {})
    hints = {file: hint_spans(file) for file in files}
    found = [item for item in database.work_items if not _in_hint(item, hints)]
    database.close()
    return sorted(found, key=lambda item: str(item.mutations))


def hint_spans(file: Path) -> list[Span]:
    """Begin and end, as line and column, of each type hint."""
    hints = []
    for node in ast.walk(ast.parse(file.read_text())):
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.expr):
                hints.append(((hint.lineno, hint.col_offset), (hint.end_lineno or 0, hint.end_col_offset or 0)))
    return hints


def _in_hint(item: WorkItem, hints: dict[Path, list[Span]]) -> bool:
    mutation = item.mutations[0]
    return any(start <= mutation.start_pos < end for start, end in hints[mutation.module_path])


def made(item: WorkItem) -> Mutant | None:
    """The mutant that Cosmic Ray describes, or None if it does not compile; its file stays as it is."""
    mutation = item.mutations[0]
    operator = cosmic_ray.plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
    before = mutation.module_path.read_text()
    after = mutate_code(before, operator, mutation.occurrence)
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(after or "(", "", "exec")
    except SyntaxError:  # such as a ** of keyword arguments that becomes a <<
        return None
    return Mutant(mutation.module_path, mutation.start_pos[0], before, after)


def equivalents() -> dict[tuple[str, str, str], str]:
    """Why nothing can notice a mutant, for each change that was judged so."""
    table: dict[str, list[dict[str, Any]]] = tomllib.loads(EQUIVALENT.read_text())
    return {
        (file, entry["line"], becomes): entry["why"]
        for file, entries in table.items()
        for entry in entries
        for becomes in entry["becomes"]
    }


def outdated() -> list[tuple[str, str]]:
    """File and line of the entries whose line is not in the file any more, so that it must be judged again."""
    table: dict[str, list[dict[str, Any]]] = tomllib.loads(EQUIVALENT.read_text())
    code = {file: " ".join(map(_code, Path(file).read_text().splitlines())) for file in table if Path(file).is_file()}
    return [(file, entry["line"]) for file in table for entry in table[file] if entry["line"] not in code.get(file, "")]


def statement_lines(source: str, line: int) -> range:
    """The lines of the innermost statement that ``line`` belongs to, without the statements within it."""
    holding = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not holding:
        return range(line, line + 1)
    node = max(holding, key=lambda node: (node.lineno, -(node.end_lineno or 0)))
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if body and body[0].lineno > node.lineno else node.end_lineno or node.lineno
    return range(node.lineno, last + 1)
