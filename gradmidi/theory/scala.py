"""Scala files: ``.scl`` scales, read and written, and ``.kbm`` keyboard mappings, read.

The formats are described at https://www.huygens-fokker.org/scala/scl_format.html and, for mappings, in
https://www.huygens-fokker.org/scala/help.htm#mappings.
"""

import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.files.small import decode, read_bytes
from gradmidi.printable import shown
from gradmidi.theory.degrees import MAX_DEGREES
from gradmidi.theory.interval import Interval
from gradmidi.theory.keyboard import KeyboardMap, ScalaScale
from gradmidi.theory.pitch import HIGHEST_KEY, LOWEST_KEY

_LARGEST_WRITTEN = 2**31 - 1  # what every reader of ratios has to support

_COUNT = re.compile(r"[ \t]*(\d{1,9})(?:\s.*)?", re.ASCII)
_CENTS = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)", re.ASCII)
_RATIO = re.compile(r"([+-]?\d+)(?:[ \t]*/[ \t]*([+-]?\d+))?", re.ASCII)
# Free text may follow a pitch, unless it shows that a different number was meant.
_MISREAD = re.compile(r"[ \t]*/|[.,]|[eE][+-]?\d", re.ASCII)

# The seven numbers at the head of a .kbm file, in their order, with the lowest and highest that make sense.
_HEADER: dict[str, tuple[float, float]] = {
    "size of the map": (0, MAX_DEGREES),
    "first key": (LOWEST_KEY, HIGHEST_KEY),
    "last key": (LOWEST_KEY, HIGHEST_KEY),
    "middle key": (LOWEST_KEY, HIGHEST_KEY),
    "reference key": (LOWEST_KEY, HIGHEST_KEY),
    "reference frequency": (1e-3, 1e6),
    "formal octave": (0, MAX_DEGREES),
}
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,30}\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def read_scl(path: str | PathLike[str]) -> ScalaScale:
    """Read an ``.scl`` file.

    Raises:
        InputError: the file breaks the format; the message names file, line and reason.
    """
    return parse_scl(decode(read_bytes(path)), str(path))


def read_kbm(path: str | PathLike[str]) -> KeyboardMap:
    """Read a ``.kbm`` file.

    Raises:
        InputError: the file breaks the format; the message names file, line and reason.
    """
    return parse_kbm(decode(read_bytes(path)), str(path))


def write_scl(path: str | PathLike[str], description: str, pitches: Sequence[Interval]) -> None:
    """Write an ``.scl`` file of ``pitches``, the last one being the period, so that reading it gives them back.

    Exact ratios are written as ratios, all others as cents with every digit.

    Raises:
        InputError: the file cannot be written.
    """
    # A description that begins with "!" would be read as a comment.
    title = " " + description if description.startswith("!") else description
    file_name = " ".join(Path(path).name.split())
    lines = [f"! {file_name}", "!", title, f" {len(pitches)}", "!", *(f" {_written(pitch)}" for pitch in pitches)]
    text = "\n".join(lines) + "\n"
    data = text.encode("latin-1", "ignore")
    with whole_file(Path(path)) as file:
        # Scala reads Latin-1; UTF-8 is for names that Latin-1 lacks or that would be taken for UTF-8 on reading.
        file.write(data if decode(data) == text else text.encode("utf-8", "replace"))


def parse_scl(text: str, where: str) -> ScalaScale:
    """The scale in the text of an ``.scl`` file; ``where`` names it in errors.

    Raises:
        InputError: the text breaks the format.
    """
    lines = _content_lines(text)
    description = next(lines, None)
    if description is None:
        raise InputError(f"{where}: empty; an .scl file has a description, a count and that many pitches")
    numbered = _without_blanks(lines)
    number, line = next(numbered, (description[0] + 1, ""))
    count = _COUNT.fullmatch(line)
    if not count:
        raise InputError(f"{where}, line {number}: expected the number of notes, {_found(line)}")
    pitches = [_parse_pitch_line(line, f"{where}, line {number}") for number, line in numbered]
    if len(pitches) != int(count[1]):
        raise InputError(f"{where}, line {number}: says {int(count[1])} notes but {len(pitches)} pitches follow")
    return ScalaScale(" ".join(description[1].split()), tuple(pitches))


def parse_kbm(text: str, where: str) -> KeyboardMap:
    """The mapping in the text of a ``.kbm`` file; ``where`` names it in errors.

    Raises:
        InputError: the text breaks the format.
    """
    numbered = _without_blanks(_content_lines(text))
    header = {name: _header_value(numbered, name, where) for name in _HEADER}
    size = int(header["size of the map"])
    degrees = [_parse_map_entry(line, f"{where}, line {number}") for number, line in numbered]
    if len(degrees) > size:
        raise InputError(f"{where}: the map has {len(degrees)} entries but its size is {size}")
    first, last = int(header["first key"]), int(header["last key"])
    if first > last:
        raise InputError(f"{where}: the first key, {first}, is above the last one, {last}")
    return KeyboardMap(
        degrees=tuple(degrees) + (None,) * (size - len(degrees)),
        first=first,
        last=last,
        middle=int(header["middle key"]),
        reference=int(header["reference key"]),
        frequency=header["reference frequency"],
        formal_octave=int(header["formal octave"]),
    )


def _header_value(numbered: Iterator[tuple[int, str]], name: str, where: str) -> float:
    number, line = next(numbered, (None, ""))
    if number is None:
        raise InputError(f"{where}: ends before the {name}; a .kbm file begins with seven numbers")
    word = (line.split() or [""])[0]
    pattern = _DECIMAL if name == "reference frequency" else _WHOLE
    low, high = _HEADER[name]
    if not pattern.fullmatch(word):
        raise InputError(f"{where}, line {number}: expected the {name}, {_found(line)}")
    if not low <= float(word) <= high:
        raise InputError(f"{where}, line {number}: the {name} is {word[:40]}, outside {low:g} to {high:g}")
    return float(word)


def _parse_map_entry(line: str, where: str) -> int | None:
    word = (line.split() or [""])[0]
    if word in ("x", "X"):
        return None
    if not _WHOLE.fullmatch(word) or abs(int(word)) > MAX_DEGREES:
        raise InputError(f"{where}: expected a degree or x, {_found(line)}")
    return int(word)


def _parse_pitch_line(line: str, where: str) -> Interval:
    text = line.strip()
    cents, ratio = _CENTS.match(text), _RATIO.match(text)
    value = cents or ratio
    if value is None or _MISREAD.match(text, value.end()):
        raise InputError(f"{where}: expected cents with a point (386.3) or a ratio (5/4), {_found(line)}")
    try:
        if ratio is None or cents:
            return Interval.from_cents(float(value[0]))
        if "-" in ratio[0]:
            raise InputError(f"negative ratio {shown(ratio[0])}; write a ratio above 0, or cents with a point")
        return Interval.from_ratio("/".join(part for part in ratio.groups() if part is not None))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without the comments. Not ``splitlines``: it also breaks at Latin-1's next-line character."""
    lines = re.split(r"\r\n|\r|\n", text)
    if lines and not lines[-1].strip("\0\x1a "):
        lines.pop()
    return ((number, line) for number, line in enumerate(lines, 1) if not line.startswith("!"))


def _without_blanks(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in lines if line.strip("\0\x1a \t\f\v"))


def _found(line: str) -> str:
    return f"found {shown(line)}" if line.strip() else "found nothing"


def _written(pitch: Interval) -> str:
    exact = pitch.fraction
    if exact is not None and max(exact.numerator, exact.denominator) <= _LARGEST_WRITTEN:
        return f"{exact.numerator}/{exact.denominator}"
    return np.format_float_positional(pitch.cents, trim="0")
