"""Names and metadata on top of a recording's file: whatever letters they hold, they come back as they were.

``# layers:`` lists the layers' exact names. What a line or a column cannot hold as it is, such as a line break, or one
name twice, gets a readable column and stands exactly in one further line, ``#json:``, which old files never have.
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
CLASH = " (layer{})"  # behind the column of a layer whose name another column has
METRIC_CLASH = " (metric{})"
LONGEST_CELL = 200  # letters of a column's name
# Far beyond any model; so that reading a hostile file takes memory in proportion to its size.
MOST_COLUMNS = 500_000
MOST_META = 10_000  # lines
LONGEST_LINE = 2**23  # bytes of a line on top

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # two surrogates, which JSON would make one letter


class Columns(NamedTuple):
    """The column of each metric and each layer, in their order; all differ from each other and from ``step``."""

    metrics: list[str]
    layers: list[str]


class Exact(NamedTuple):
    """What the ``#json:`` line says: names by column, and metadata."""

    metrics: dict[str, str]
    layers: dict[str, str]
    meta: dict[str, str]


def head_text(layers: Sequence[str], metrics: Sequence[str], meta: Mapping[str, object]) -> str:
    """The lines above the numbers, that with the columns' names included.

    Raises:
        InputError: no layer, a name twice, more names than any reader takes, or longer ones.
    """
    layers, metrics = list(map(str, layers)), list(map(str, metrics))
    texts = {str(key): str(value) for key, value in meta.items()}
    if not layers:
        raise InputError("a recording needs at least one layer")
    for kind, names in (("layer", layers), ("metric", metrics)):
        if len(set(names)) < len(names):
            raise InputError(f"the {kind} {shown(twice(names))} appears twice; give each a name of its own")
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
    """What stands behind ``#json:``.

    Raises:
        ValueError: it is not what we write there.
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

    The layer ``loss`` has the column ``loss (layer)`` beside a metric ``loss``, but not where a layer is called so.
    """
    folded = {layer: " ".join(layer.split()) for layer in layers}
    names = set(folded.values())
    apart = {layer: name + CLASH.format("") for layer, name in folded.items()}
    return {
        layer: apart[layer] if apart[layer] in columns and apart[layer] not in names else name
        for layer, name in folded.items()
    }


def exact_json(text: str) -> object:
    """What JSON gives back exactly: the text, or the numbers of its letters where JSON would not give them back."""
    return list(map(ord, text)) if _PAIR.search(text) else text


def text_of_json(value: object) -> str:
    """The text that :func:`exact_json` was given; other plain values as text.

    Raises:
        ValueError: it is an object, or a list of something else than letters' numbers.
    """
    if isinstance(value, list):
        return "".join(_letters(value))
    if isinstance(value, dict):
        raise ValueError("an object is no name")
    return str(value)


def _free_column(name: str, clash: str, taken: set[str], counts: dict[str, int]) -> str:
    """``name``, or it with what it is, or with a number as well, whichever no other column has."""
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
    """Whether ``# key: value`` gives both back."""
    is_key = key and ":" not in key and not key.startswith("#") and key not in OWN_KEYS
    return bool(is_key) and all(" ".join(text.split()) == text and _is_safe(text) for text in (key, value))


def _is_safe(text: str) -> bool:
    """Whether text can stand in a file as it is: nothing steers a terminal, and all of it fits into UTF-8."""
    return printable(text, len(text)) == text


def _cell(column: str) -> str:
    """A column's name in the header; in quotes also where it holds ``#``, with which pandas begins a comment."""
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
            raise ValueError("not a letter's number")
        yield chr(number)
