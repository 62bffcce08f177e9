"""The forms of text accepted after ``--scale``: a file, ratios, semitones, an equal division or a name."""

import re
from dataclasses import dataclass
from typing import Literal

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.theory.pitch import parse_pitch

Kind = Literal["toml", "scala", "ratios", "semitones", "equal", "name"]

_FILE_KINDS: dict[str, Kind] = {".toml": "toml", ".scl": "scala"}
_RATIO = r"\d+(?:/\d+|\.\d+)?"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_EQUAL = re.compile(rf"(\d{{1,9}})[ -]?(?:edo|tet|et|ed({_RATIO}))", re.IGNORECASE)


@dataclass(frozen=True)
class ScaleText:
    """A scale as text: its kind, the values of that kind, and its tonic in Hz if one was written."""

    kind: Kind
    values: tuple[str, ...]
    tonic: float | None = None


def read_scale_text(text: str, a4: float) -> ScaleText:
    """Distinguish the forms of :meth:`gradmidi.theory.scale.Scale.parse`, without looking anything up.

    Raises:
        InputError: empty text, or a single number.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            "scale: nothing given; name one ('D dorian'), a file, semitones '0 2 3.5 7' or ratios '1/1 5/4'"
        )
    text = text.strip()
    whole = _without_tonic(text)
    first, _, rest = text.partition(" ")
    # Numbers are looked at whole, for "0 2 4" does not begin with MIDI key 0; names and files may follow a tonic.
    if whole.kind not in ("name", "toml", "scala") or not rest.strip():
        return whole
    try:
        tonic = parse_pitch(first, a4)
    except InputError:
        return whole
    body = _without_tonic(rest.strip())
    return ScaleText(body.kind, body.values, tonic)


def _without_tonic(text: str) -> ScaleText:
    for ending, kind in _FILE_KINDS.items():
        if text.lower().endswith(ending):
            return ScaleText(kind, (text,))
    if equal := _EQUAL.fullmatch(text):
        return ScaleText("equal", (equal[1], equal[2] or "2"))
    parts = tuple(text.replace(",", " ").split())
    if "/" in text and all(re.fullmatch(_RATIO, part) for part in parts):
        return ScaleText("ratios", parts)
    if all(re.fullmatch(_NUMBER, part) for part in parts):
        if len(parts) == 1:
            raise InputError(
                f"scale {shown(text)}: one number is not a scale; write '19edo' for an equal division, or '0 2 3.5 7'"
            )
        return ScaleText("semitones", parts)
    return ScaleText("name", (text,))
