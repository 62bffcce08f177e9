"""Names and metadata at the top of a recording's file: whatever characters they contain, they are read back unchanged.

``# layers:`` lists the layers' exact names. Names that a line or column cannot hold unchanged, such as a line break or
a duplicate, get a readable column, and their exact form is in one more line, ``#json:``, which old files never have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.printable import printable, shown
from gradmidi.recording.columns import twice

FORMAT = "gradmidi recording 1"
STEP = "step"
OWN_KEYS = ("format", "layers")
EXACT = "#json: "
CLASH = " (layer{})"  # appended to the column of a layer whose name another column has
METRIC_CLASH = " (metric{})"
LONGEST_CELL = 200  # characters of a column's name
# Far beyond any model; so that reading a hostile file takes memory in proportion to its size.
MOST_COLUMNS = 500_000
MOST_META = 10_000  # lines
LONGEST_LINE = 2**23  # bytes of a line at the top

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # two surrogates, which JSON would make one character


class Columns(NamedTuple):
    """The column of each metric and each layer, in their order; all differ from each other and from ``step``."""

    metrics: list[str]
    layers: list[str]


class Exact(NamedTuple):
    """The contents of the ``#json:`` line: names by column, and metadata."""

    metrics: dict[str, str]
    layers: dict[str, str]
    meta: dict[str, str]


def head_text(layers: Sequence[str], metrics: Sequence[str], meta: Mapping[str, object]) -> str:
    """The lines above the numbers, including the line of column names.

    Raises:
        InputError: no layer, a duplicate name, or more or longer names than readers accept.
    """
    layers, metrics = list(map(str, layers)), list(map(str, metrics))
    texts = {str(key): str(value) for key, value in meta.items()}
    if not layers:
        raise InputError("a recording needs at least one layer")
    for kind, names in (("layer", layers), ("metric", metrics)):
        if len(set(names)) < len(names):
            raise InputError(f"the {kind} {shown(twice(names))} appears twice; give each a different name")
    if len(layers) + len(metrics) > MOST_COLUMNS or len(meta) > MOST_META:
        most = f"at most {MOST_COLUMNS:,} layers and metrics and {MOST_META:,} lines of metadata"
        raise InputError(f"a recording holds {most}; leave some out")
    columns = columns_of(layers, metrics)
    plain = {key: value for key, value in texts.items() if _is_plain(key, value)}
    odd = {
        "metrics": _odd(columns.metrics, metrics),
        "layers": _odd(columns.layers, layers),
        "meta": [[exact_json(key), exact_json(value)] for key, value in texts.items() if key not in plain],
    }
    lines = [f"# format: {FORMAT}", f"# layers: {_json([exact_json(name) for name in layers])}"]
    if any(odd.values()):
        lines.append(EXACT + _json({key: value for key, value in odd.items() if value}))
    lines += [f"# {key}: {value}" for key, value in plain.items()]
    lines.append(",".join(map(_cell, (STEP, *columns.metrics, *columns.layers))))
    if max(map(len, lines)) * 4 > LONGEST_LINE and any(len(line.encode()) > LONGEST_LINE for line in lines):
        raise InputError(f"the names or metadata of a recording take more than {LONGEST_LINE:,} bytes; shorten them")
    return "\n".join(lines) + "\n"


def columns_of(layers: Sequence[str], metrics: Sequence[str]) -> Columns:
    """The columns of a file: the names themselves where they can be, else readable ones that differ from all others."""
    wanted = [(name, METRIC_CLASH) for name in metrics] + [(name, CLASH) for name in layers]
    taken, chosen = {STEP}, [""] * len(wanted)
    for i, (name, _) in enumerate(wanted):
        if name and name not in taken and _one_line(name) == name:
            chosen[i] = name
            taken.add(name)
    counts: dict[str, int] = {}
    for i, (name, clash) in enumerate(wanted):
        if not chosen[i]:
            chosen[i] = _free_column(_one_line(name), clash, taken, counts)
            taken.add(chosen[i])
    return Columns(chosen[: len(metrics)], chosen[len(metrics) :])


def read_layers(text: str) -> list[str]:
    """The names in a ``# layers:`` line.

    Raises:
        ValueError: it is not a list of names.
    """
    found = _from_json(text)
    if not isinstance(found, list):
        raise ValueError("not a list")
    return [text_of_json(value) for value in found]


def read_exact(text: str) -> Exact:
    """The contents after ``#json:``.

    Raises:
        ValueError: it is not in the form that we write.
    """
    found = _from_json(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    metrics, layers, meta = found.get("metrics", {}), found.get("layers", {}), found.get("meta", [])
    if not isinstance(metrics, dict) or not isinstance(layers, dict) or not isinstance(meta, list):
        raise ValueError("not names by column")
    pairs = [pair for pair in meta if isinstance(pair, list) and len(pair) == 2]
    return Exact(
        {column: text_of_json(name) for column, name in metrics.items()},
        {column: text_of_json(name) for column, name in layers.items()},
        {text_of_json(key): text_of_json(value) for key, value in pairs},
    )


def old_columns(layers: Sequence[str], columns: Collection[str]) -> dict[str, str]:
    """Column by layer in files without a ``#json:`` line, which fold white space and tell layers from metrics.

    The layer ``loss`` has the column ``loss (layer)`` next to a metric ``loss``, unless a layer has that name.
    """
    folded = {layer: " ".join(layer.split()) for layer in layers}
    names = set(folded.values())
    apart = {layer: name + CLASH.format("") for layer, name in folded.items()}
    return {
        layer: apart[layer] if apart[layer] in columns and apart[layer] not in names else name
        for layer, name in folded.items()
    }


def exact_json(text: str) -> object:
    """A value that JSON reads back exactly: the text, or its code points if JSON would not preserve it."""
    return list(map(ord, text)) if _PAIR.search(text) else text


def text_of_json(value: object) -> str:
    """The text that was passed to :func:`exact_json`; other plain values as text.

    Raises:
        ValueError: it is an object, or a list of anything other than code points.
    """
    if isinstance(value, list):
        return "".join(_letters(value))
    if isinstance(value, dict):
        raise ValueError("an object is not a name")
    return str(value)


def _free_column(name: str, clash: str, taken: set[str], counts: dict[str, int]) -> str:
    """``name``, or ``name`` with its kind, and if needed a number, so that no other column has it."""
    if name and name not in taken:
        return name
    while True:
        number = counts[name + clash] = counts.get(name + clash, 0) + 1
        column = (name + clash.format("" if number == 1 else f" {number}")).strip()
        if column not in taken:
            return column


def _one_line(name: str) -> str:
    return printable(" ".join(name.split()), LONGEST_CELL)


def _is_plain(key: str, value: str) -> bool:
    """Whether ``# key: value`` preserves both."""
    is_key = key and ":" not in key and not key.startswith("#") and key not in OWN_KEYS
    return bool(is_key) and all(" ".join(text.split()) == text and _is_safe(text) for text in (key, value))


def _is_safe(text: str) -> bool:
    """Whether text can be written unchanged: it has no control characters, and all of it can be encoded in UTF-8."""
    return printable(text, len(text)) == text


def _cell(column: str) -> str:
    """A column's name in the header; also quoted if it contains ``#``, with which pandas begins a comment."""
    return '"' + column.replace('"', '""') + '"' if re.search('[",#;\t]', column) else column


def _odd(columns: Sequence[str], names: Sequence[str]) -> dict[str, object]:
    return {column: exact_json(name) for column, name in zip(columns, names, strict=True) if column != name}


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if _is_safe(text) else json.dumps(value)


def _from_json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


def _letters(numbers: list[object]) -> Iterator[str]:
    for number in numbers:
        if not isinstance(number, int) or not 0 <= number < 0x110000:
            raise ValueError("not a code point")
        yield chr(number)
