"""Answers and their CSV: one row per trial, written as soon as it is given; nothing personal is in it."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from gradmidi.errors import InputError
from gradmidi.files import cannot_write, open_raw
from gradmidi.files.small import decode, read_bytes
from gradmidi.printable import shown
from gradmidi.quiz.bank import KINDS
from gradmidi.quiz.trials import PROTOCOLS

ALL_LAYERS = "all"
CODE = re.compile(r"[A-Za-z0-9_-]{0,32}")
MAX_BYTES = 10_000_000  # of a CSV; a session of a thousand trials has 200,000


class Answer(NamedTuple):
    """A trial and what was answered; the columns of the CSV.

    Attributes:
        code: of the participant, as given; empty without one.
        trial: counted from 1 in the order in which they are heard.
        clip: the run that was heard.
        truth, answer: names in :data:`gradmidi.quiz.bank.KINDS`.
        reaction_s: s. Single protocol: from the beginning of the (last) playing to the answer. Dual protocol: from the
            change in the sound to the report of it. None where nobody knows, or no change was reported after it came.
        onset_s: s from the clip's beginning to the change; None in a healthy run.
        reported_s: dual protocol, s from the clip's beginning to the report that it changed; None if there was none.
        repeats: how often the clip was played again.
        layers: those affected, separated by spaces, or ``all``; empty in a healthy run.
        layer_answer: the same as answered; empty if it was not asked.
        sums, sums_right: dual protocol, how many sums were answered, and how many of them rightly.
        protocol: ``single`` or ``dual``.
        sound: name of the sound preset.
        kinds: those that could be answered, separated by spaces.
        seconds: length of the clip.
        player: the program that played it; ``files`` if the listener did.
        seed: of the session.
        order: the trial's place before the order was drawn.
        version: of gradmidi.
    """

    code: str
    trial: int
    clip: str
    truth: str
    answer: str
    reaction_s: float | None
    onset_s: float | None
    reported_s: float | None
    repeats: int
    layers: str
    layer_answer: str
    sums: int
    sums_right: int
    protocol: str
    sound: str
    kinds: str
    seconds: float
    player: str
    seed: int
    order: int
    version: str

    @property
    def right(self) -> bool:
        """Whether the kind was told."""
        return self.answer == self.truth

    @property
    def early(self) -> bool:
        """Whether a change was reported before it came."""
        return self.reported_s is not None and self.onset_s is not None and self.reported_s < self.onset_s


def check_code(code: str) -> str:
    """The participant's code.

    Raises:
        InputError: it could be a name or an address, which do not belong into the file.
    """
    if not CODE.fullmatch(code):
        raise InputError(f"--code {shown(code)}: use at most 32 letters, digits, - and _, and no name, such as P07")
    return code


class AnswerFile:
    """The CSV of a session, written one row after another; what is written stays if the session ends at once.

    Attributes:
        path: the file.
        rows: how many answers it has.

    Raises:
        InputError: the file exists, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise InputError(f"{path} exists, and answers are never overwritten; give another name with --out")
        self.path, self.rows = path, 0
        self._file = os.fdopen(open_raw(path), "w", encoding="utf-8", newline="")
        self._write(Answer._fields)

    def append(self, answer: Answer) -> None:
        """Write a row.

        Raises:
            InputError: the disk is full.
        """
        self._write([f"{value:.3f}" if isinstance(value, float) else value for value in answer])
        self.rows += 1

    def close(self) -> None:
        """Close the file; one without answers is removed."""
        self._file.close()
        if not self.rows:
            self.path.unlink(missing_ok=True)

    def _write(self, cells: Any) -> None:
        try:
            csv.writer(self._file, lineterminator="\n").writerow(cells)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error


def load_answers(path: Path) -> list[Answer]:
    """The answers of a file.

    Raises:
        InputError: it cannot be read or is not such a file; the line and the column are named.
    """
    text = decode(read_bytes(path, "the answers of a quiz", MAX_BYTES))
    rows = csv.reader(text.splitlines())
    if tuple(next(rows, ())) != Answer._fields:
        head = ",".join(Answer._fields)
        raise InputError(f"{path} does not hold the answers of a quiz; its first line must be {head}")
    found = [_answer(row, f"{path}, line {rows.line_num}") for row in rows if row]
    if not found:
        raise InputError(f"{path} holds no answers")
    return found


def _answer(row: list[str], where: str) -> Answer:
    if len(row) != len(Answer._fields):
        raise InputError(f"{where}: there are {len(row)} cells, not {len(Answer._fields)}")
    values = {}
    for name, text in zip(Answer._fields, row, strict=True):
        try:
            values[name] = READERS.get(name, str)(text)
        except ValueError as error:
            raise InputError(f"{where}: {name} is {shown(text)}; it must be {error}") from None
    return Answer(**values)


def _one_of(names: Any) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text

    return read


def _kinds(text: str) -> str:
    if not text or set(text.split()) - KINDS.keys():
        raise ValueError(f"some of {', '.join(KINDS)}, with spaces between")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise ValueError("a number of seconds")
    return value


def _maybe(text: str) -> float | None:
    return _seconds(text) if text else None


READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("truth", "answer"), _one_of(KINDS)),
    **dict.fromkeys(("trial", "repeats", "sums", "sums_right", "seed", "order"), _count),
    **dict.fromkeys(("reaction_s", "onset_s", "reported_s"), _maybe),
    "kinds": _kinds,
    "protocol": _one_of(PROTOCOLS),
    "seconds": _seconds,
}
