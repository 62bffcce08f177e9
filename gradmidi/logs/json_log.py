"""JSON as a log: an object per line, an array of objects, or what the Hugging Face Trainer saves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.json_text import numbers, parse
from gradmidi.logs.row_log import RowLog
from gradmidi.logs.text import lines_of, text_of

ENDINGS = (".jsonl", ".ndjson", ".json")
HISTORY = "log_history"  # where a Trainer's state keeps what was logged
CHECKPOINT = "checkpoint-"  # begins the name of the folder of one, which lies in that of the run

Row = tuple[int, Iterator[tuple[str, float]]]


def is_json(source: Source, begin: bytes) -> bool:
    """Whether a file with this beginning is one of JSON."""
    return source.path.suffix.lower() in ENDINGS or begin.lstrip()[:1] in (b"{", b"[")


def open_json(source: Source, step: str | None = None) -> RowLog:
    """The log that a file of JSON holds, whatever its ending.

    Numbers are points, named by the path of their keys, joined by ``/``. A row without a step is skipped. A last line
    that a killed run did not finish is skipped as well, with a notice.

    Raises:
        InputError: the file holds something else, or has no column of steps.
    """
    entries, title = _entries(source)
    return _lines(source, step) if entries is None else _document(source, entries, step, title)


def _entries(source: Source) -> tuple[list[Any] | None, str]:
    """The rows of a document, and the title; ``None`` for an object per line, which are not kept all at once."""
    number, line = next(lines_of(source), (0, ""))
    if not number:
        raise InputError(f"{source.name} is empty: it holds no numbers")
    try:
        found = parse(line, source.name, number)
    except InputError:  # a document of several lines, or no JSON at all
        found = parse(text_of(source), source.name)
        if isinstance(found, dict) and HISTORY not in found:
            what = f"neither a Trainer's state with its {HISTORY!r} nor one object per line"
            raise InputError(f"{source.name}: the JSON is a single object, {what}; give the log of a run") from None
    if isinstance(found, dict) and isinstance(found.get(HISTORY), list):
        return found[HISTORY], _title(source)
    return (found if isinstance(found, list) else None), source.path.stem


def _document(source: Source, entries: list[Any], step: str | None, title: str) -> RowLog:
    histograms: list[str] = []
    rows = (_row(entry, source.name, f"entry {number}", number, histograms) for number, entry in enumerate(entries, 1))
    meta = {"title": title, "source": source.path.name}
    return RowLog(source.name, source.size, meta, rows, step, "entry", histograms=histograms)


def _lines(source: Source, step: str | None) -> RowLog:
    notices: list[str] = []
    histograms: list[str] = []
    meta = {"title": source.path.stem, "source": source.path.name}
    rows = _rows(source, notices, histograms)
    return RowLog(source.name, source.size, meta, rows, step, notices=notices, histograms=histograms)


def _rows(source: Source, notices: list[str], histograms: list[str]) -> Iterator[Row]:
    for number, line in lines_of(source):
        try:
            found = parse(line, source.name, number)
        except InputError:
            if number == 1 or line.endswith("\n"):
                raise
            notices.append(f"{source.path.name}, line {number} is cut short; the lines before it are kept")
            return
        yield _row(found, source.name, f"line {number}", number, histograms)


def _row(found: Any, name: str, where: str, number: int, histograms: list[str]) -> Row:
    if not isinstance(found, dict):
        raise InputError(f'{name}, {where} is not a JSON object such as {{"step": 0, "loss": 2.3}}')
    return number, numbers(found, f"{name}, {where}", histograms)


def _title(source: Source) -> str:
    """The title of a Trainer's state: the folder of the run, as all states have the same name."""
    state = source.path.resolve()
    return (state.parent.parent if state.parent.name.startswith(CHECKPOINT) else state.parent).name or state.stem
