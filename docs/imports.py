"""Which room of gradmidi imports which, read from the code, as a picture for ``docs/architecture.md``.

    python docs/imports.py              # prints the floors
    python docs/imports.py --write      # draws docs/imports.svg anew

A room is a folder under ``gradmidi/``, or ``score.py``; the small files there that everybody stands on are one room,
the ground. Every import counts, those inside functions too, but for what is under ``if TYPE_CHECKING`` and never runs.
``tests/test_architecture.py`` compares picture and code.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "imports.svg"
# The two façades: methods that people look for on the value itself. They import when they are called.
FACADES = {
    ("gradmidi.recording.from_logs", "logs"): "Recording.load",
    ("gradmidi.score", "outputs"): "Score.save_midi and its kin",
}
GROUND = "ground"
ON_THE_GROUND = {"checks", "errors", "forking", "printable", "requirements", "saying", "signatures"}
BOX, GAP, FLOOR, MARGIN = (112, 28), 26, 66, 20  # px


class Import(NamedTuple):
    """One import that leads out of its room: by which module, from where to where, and whether it waits for a call."""

    module: str
    room: str
    needs: str
    lazy: bool


def imports(source: Path = ROOT / "gradmidi") -> list[Import]:
    """Every import from one room into another."""
    found = []
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        if parts in (("__init__",), ("__main__",)):
            continue  # the front door, which leads to every room when asked
        module = ".".join(["gradmidi", *parts]).removesuffix(".__init__")
        for needed, lazy in _imported(ast.parse(file.read_text(encoding="utf-8")), lazy=False):
            here, there = _room(parts[0]), _room(needed.partition(".")[2].partition(".")[0])
            if there not in ("", here):
                found.append(Import(module, here, there, lazy))
    return found


def _room(name: str) -> str:
    """The room of a file or folder; empty for the front door, of which a room reads the version."""
    return GROUND if name in ON_THE_GROUND else "" if name.startswith("__") else name


def _imported(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module:
            names = [f"{child.module}.{alias.name}" for alias in child.names]
        yield from ((name, lazy) for name in names if name.split(".")[0] == "gradmidi")
        yield from _imported(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def is_facade(found: Import) -> bool:
    """Whether it is one of the two that may lead upward."""
    return found.lazy and (found.module, found.needs) in FACADES


def arrows(found: list[Import]) -> dict[str, set[str]]:
    """From each room to the rooms that it imports, the façades left out."""
    rooms = {room for one in found for room in (one.room, one.needs)}
    return {room: {one.needs for one in found if one.room == room and not is_facade(one)} for room in sorted(rooms)}


def floors(needs: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room: one above the highest that it imports; 1 is the ground.

    Raises:
        ValueError: rooms that import each other in a circle.
    """
    placed: dict[str, int] = {}
    while len(placed) < len(needs):
        ready = {room: below for room, below in needs.items() if room not in placed and below <= placed.keys()}
        if not ready:
            raise ValueError(f"a circle among {', '.join(sorted(needs.keys() - placed))}")
        placed |= {room: 1 + max((placed[one] for one in below), default=0) for room, below in ready.items()}
    return placed


def drawing() -> str:
    """The picture: floors from the cellar up, and an arrow where no way over other rooms says the same."""
    found = imports()
    needs = arrows(found)
    floor = floors(needs)
    top = max(floor.values())
    rows = {level: sorted(room for room in floor if floor[room] == level) for level in range(top, 0, -1)}
    width = 2 * MARGIN + max(len(row) for row in rows.values()) * (BOX[0] + GAP) - GAP
    place: dict[str, tuple[float, float]] = {}
    for level, row in rows.items():
        left = (width - len(row) * (BOX[0] + GAP) + GAP) / 2
        place |= {room: (left + i * (BOX[0] + GAP), MARGIN + (top - level) * FLOOR) for i, room in enumerate(row)}
    lines = [_line(place[room], place[one], "") for room in needs for one in sorted(_direct(room, needs))]
    lazily = sorted({(one.room, one.needs) for one in found if is_facade(one)})
    lines += [_line(place[needed], place[room], ' class="facade"') for room, needed in lazily]
    boxes = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="5"/>'
        f'<text x="{x + BOX[0] / 2:.0f}" y="{y + 18:.0f}">{room}</text>'
        for room, (x, y) in sorted(place.items())
    ]
    height = 2 * MARGIN + (top - 1) * FLOOR + BOX[1]
    return "\n".join([_HEAD.format(width=width, height=height), *lines, *boxes, "</svg>\n"])


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<title>Which room of gradmidi imports which</title>
<style>
rect {{ fill: #eef0fb; stroke: #4051b5 }} text {{ text-anchor: middle; fill: #1b1f3a }}
path {{ stroke: #8a8fa3; fill: none }} .facade {{ stroke: #d9822b; stroke-dasharray: 5 4 }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
<path d="M0 0 8 4 0 8z" style="fill: #8a8fa3"/></marker></defs>"""


def _line(upper: tuple[float, float], lower: tuple[float, float], kind: str) -> str:
    """From a box's lower edge to another's upper edge; a façade's tip is at the upper end.

    One that passes a floor leaves and arrives aside, and goes around the box that would be in its way.
    """
    aside = (0.35 if lower[0] > upper[0] else -0.35) * BOX[0] if lower[1] - upper[1] > FLOOR else 0.0
    x0, y0, x1, y1 = upper[0] + BOX[0] / 2 + aside, upper[1] + BOX[1], lower[0] + BOX[0] / 2 + aside, lower[1]
    around, bend = (1.6 * aside if x0 == x1 else 0), (y1 - y0) / 2
    curve = f"M{x0:.0f} {y0:.0f}C{x0 + around:.0f} {y0 + bend:.0f} {x1 + around:.0f} {y1 - bend:.0f} {x1:.0f} {y1:.0f}"
    return f'<path{kind} marker-{"start" if kind else "end"}="url(#tip)" d="{curve}"/>'


def _direct(room: str, needs: dict[str, set[str]]) -> set[str]:
    """What a room imports and does not reach over another room that it imports."""
    return needs[room] - {further for one in needs[room] for further in _reached(one, needs)}


def _reached(room: str, needs: dict[str, set[str]]) -> set[str]:
    return needs[room] | {further for one in needs[room] for further in _reached(one, needs)}


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PICTURE.write_text(drawing(), encoding="utf-8")
    for room, level in sorted(floors(arrows(imports())).items(), key=lambda pair: (-pair[1], pair[0])):
        print(level, room)
