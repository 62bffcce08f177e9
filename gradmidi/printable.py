"""Text from anywhere → text that is safe to show, as a name in a file must not steer a terminal, a table or a DAW."""

from __future__ import annotations

import re

LONGEST = 4_000  # characters of one message; a path of the greatest length that systems allow still fits
# What moves a cursor, starts an escape sequence, breaks a line, turns the reading direction, shows as nothing, or fits
# neither UTF-8 nor XML. Joiners (U+200C, U+200D) stay, as Persian words and emoji are written with them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: object, limit: int = LONGEST) -> str:
    """``text`` on one line, with each unsafe character as its escape (``\\x1b``, ``\\n``, ``\\u202e``).

    Args:
        text: anything that has a ``str``.
        limit: characters at most. Of longer text the middle is replaced by "…", as a message ends with what to do and
            names differ at their ends.
    """
    whole = str(text)
    safe = _UNSAFE.sub(_escape, whole[: limit + 1])
    if len(safe) <= limit:
        return safe
    ending = limit // 3
    last = _UNSAFE.sub(_escape, whole[len(whole) - ending :])
    return f"{safe[: limit - 1 - ending]}…{last[len(last) - ending :]}"


def shown(value: object, limit: int = 40) -> str:
    """``value`` as one short line for an error message; text stands in quotes."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "a very large integer"
    if isinstance(value, str):
        return printable(repr(" ".join(value[: 10 * limit].split())), limit)
    try:
        return printable(" ".join(repr(value).split()), limit)
    except (ValueError, RecursionError):  # a number of thousands of digits within, or lists within lists
        return f"a {type(value).__name__}"


def counted(number: int, noun: str) -> str:
    """``"1 note"``, ``"2 notes"``."""
    return f"{number:d} {noun}{'' if number == 1 else 's'}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0])
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
