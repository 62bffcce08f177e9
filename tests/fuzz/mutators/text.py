"""Lines of text of any format: encodings, line ends, and tokens that are none."""

from __future__ import annotations

import re
from random import Random

from tests.fuzz.mutators.raw import flip
from tests.fuzz.mutators.values import CONTROLS, NAMES, NUMBERS, times

TOKEN = re.compile(r"[^\s,;:=\[\]{}\"'#]+")
MANY = 3000
DEEP = (50, 900, 5000, 60_000)


def utf16(data: bytes, rng: Random) -> bytes:
    return _text(data).encode(rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7")), "replace")


def latin1(data: bytes, rng: Random) -> bytes:
    """A letter of Latin-1 that UTF-8 has not, in one of the words."""
    found = list(TOKEN.finditer(_text(data)))
    if not found:
        return data + b"\xe9"
    place = len(_text(data)[: rng.choice(found).end()].encode())
    return data[:place] + rng.choice((b"\xe9", b"\xff", b"\x85", b"\xed\xa0\x80", b"\xc3", b"\xf8\x88")) + data[place:]


def marked(data: bytes, rng: Random) -> bytes:
    return rng.choice((b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b"\xff\xfe", b"\xfe\xff", b"\x0e\xfe\xff")) + data


def line_ends(data: bytes, rng: Random) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\r", b"\r\r\n", b"\x85", b"\x0b", b"\n\n", b"\0")))


def some_line_ends(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    return b"".join(line + rng.choice((b"\n", b"\n", b"\r", b"\r\n")) for line in lines)


def no_last_end(data: bytes, rng: Random) -> bytes:
    return data.rstrip(b"\n")


def control(data: bytes, rng: Random) -> bytes:
    return _inserted(data, rng.choice(CONTROLS).encode(), rng)


def repeat_line(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    lines[place:place] = [lines[place]] * times(len(lines[place]), rng.choice((1, 2, MANY)))
    return b"\n".join(lines)


def drop_line(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def shuffle_lines(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


def join_lines(data: bytes, rng: Random) -> bytes:
    return data.replace(b"\n", b"", rng.choice((1, 3, -1)))


def strange_number(data: bytes, rng: Random) -> bytes:
    return _replaced(data, rng.choice(NUMBERS), rng)


def strange_name(data: bytes, rng: Random) -> bytes:
    return _replaced(data, rng.choice(NAMES), rng)


def long_token(data: bytes, rng: Random) -> bytes:
    return _replaced(data, rng.choice(("a", "9", "é", '"', "\\")) * rng.choice((5000, 140_000)), rng)


def nested(data: bytes, rng: Random) -> bytes:
    """Brackets within brackets."""
    opening, closing = rng.choice((("[", "]"), ("{", "}"), ('{"a":', "}"), ("(", ")"), ("[[", "]]"), ('"', '"')))
    depth = rng.choice(DEEP)
    return _replaced(data, opening * depth + rng.choice(("", "1")) + closing * rng.choice((0, depth)), rng)


def unquoted(data: bytes, rng: Random) -> bytes:
    return _inserted(
        data, rng.choice((b'"', b"'", b'"""', b"'''", b"#", b"\\", b",", b";", b"=", b"[", b"]", b"}")), rng
    )


TEXT = (
    *(utf16, latin1, marked, line_ends, some_line_ends, no_last_end, control, repeat_line, drop_line, shuffle_lines),
    *(join_lines, strange_number, strange_number, strange_number, strange_name, strange_name, long_token, nested),
    *(unquoted, unquoted, flip),
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _replaced(data: bytes, token: str, rng: Random) -> bytes:
    text = _text(data)
    found = list(TOKEN.finditer(text))
    if not found:
        return data + token.encode("utf-8", "replace")
    old = rng.choice(found)
    return (text[: old.start()] + token + text[old.end() :]).encode("utf-8", "replace")


def _inserted(data: bytes, piece: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + piece + data[place:]
