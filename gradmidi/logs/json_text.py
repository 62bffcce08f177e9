"""JSON as loggers write it, read so that any text, however nested or long its numbers, is at worst refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gradmidi.errors import InputError

# An empty list or object takes some 70 bytes where its text takes three. Beyond so many, at most one in eight letters.
FREE_BRACKETS = 2**19
MOST_DIGITS = 308  # of a whole number that a float can hold
SOME = 12  # names of histograms, for a message
TOO_DEEP = "the JSON is nested too deeply; it is not the log of a run"
EXACT_DIGITS = 18  # of a whole number that 64 bits hold in any case


def parse(text: str, name: str, line: int = 1) -> Any:
    """The value of a JSON text.

    Args:
        text: one value.
        name: the file's name in messages.
        line: the number of its line that the text begins with.

    Raises:
        InputError: it is not JSON, nested too deeply or too densely, or has a number that is too large.
    """
    where = f"{name}, line {line}"
    if text.count("[") + text.count("{") > FREE_BRACKETS + len(text) // 8:
        raise InputError(f"{where}: the JSON holds hardly anything but brackets; it is not the log of a run")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        at = line + text.rstrip().count("\n", 0, error.pos)  # what is missing at the end is missing in the last line
        raise InputError(f"{name}, line {at} is not JSON: {what}") from None
    except RecursionError:
        raise InputError(f"{where}: {TOO_DEEP}") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def numbers(value: Mapping[str, Any], where: str, histograms: list[str]) -> Iterator[tuple[str, float]]:
    """The numbers of an object by the path of their keys, joined by ``/``.

    ``"NaN"`` and ``"Infinity"`` count as well, which JSON has no numbers for. Lists and other text do not.

    Args:
        value: the object.
        where: it is, for messages.
        histograms: gets the paths of what Weights & Biases logged as histograms, some of them.

    Raises:
        InputError: it is nested too deeply.
    """
    try:
        yield from _numbers(value, "", histograms)
    except RecursionError:
        raise InputError(f"{where}: {TOO_DEEP}") from None


def _numbers(value: Mapping[str, Any], prefix: str, histograms: list[str]) -> Iterator[tuple[str, float]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            if inner.get("_type") == "histogram" and len(histograms) < SOME:
                histograms.append(f"{prefix}{key}")
            yield from _numbers(inner, f"{prefix}{key}/", histograms)
        elif _is_number(inner):
            yield f"{prefix}{key}", float(inner)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value.lstrip("+-").lower() in ("nan", "inf", "infinity")
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(digits: str) -> int | float:
    """Python's own conversion takes time quadratic in the number of digits."""
    if len(digits) <= EXACT_DIGITS:
        return int(digits)
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"the number {digits[:12]}… of {len(digits):,} digits is too large")
    return float(digits)


_DECODER = json.JSONDecoder(parse_int=_whole)
