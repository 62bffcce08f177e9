"""JSON and TOML as objects: leaves of other types, keys that are missing or strange, depth."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.mutators.text import strange_number
from tests.fuzz.mutators.values import NAMES, NUMBERS, times

Path = tuple[Any, ...]
HUGE = 10**4000  # is written and read; a float of it overflows
HEX = 16**5000  # is read by TOML, as hexadecimal digits; Python refuses to print it
LEAVES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        127,
        128,
        2**31,
        2**53 + 1,
        2**63,
        -(2**63) - 1,
        HUGE,
        -HUGE,
        HEX,
        [HEX],
        0.5,
        -0.0,
        1e308,
    ),
    *(float("nan"), float("inf"), -float("inf"), 5e-324, "", "1", "nan", "Infinity", "a", "none", "2/1", "C4", [], {}),
    *([[]], [1], ["a"], {"a": 1}, [1, "a", None], "a" * 5000, list(range(3000)), [[1, 2], [3]], {"": {"": {}}}),
)
DEPTHS = (3, 200, 900)


def leaf(value: Any, rng: Random) -> Any:
    """One value is another."""
    return _changed(value, rng, lambda old: rng.choice(LEAVES))


def listed(value: Any, rng: Random) -> Any:
    return _changed(value, rng, lambda old: [old] * times(_size(old), rng.choice((1, 2, 300))))


def deeper(value: Any, rng: Random) -> Any:
    def wrap(old: Any) -> Any:
        for _ in range(rng.choice(DEPTHS)):
            old = {"a": old} if wrapped else [old]
        return old

    wrapped = rng.random() < 0.7
    return _changed(value, rng, wrap)


def without_key(value: Any, rng: Random) -> Any:
    return _changed(value, rng, lambda old: dict(list(old.items())[1:]) if isinstance(old, dict) else None)


def more_keys(value: Any, rng: Random) -> Any:
    count = rng.choice((1, 2000))
    return _changed(
        value, rng, lambda old: {**(old if isinstance(old, dict) else {}), **{f"k{n}": n for n in range(count)}}
    )


def renamed(value: Any, rng: Random) -> Any:
    def rename(old: Any) -> Any:
        if not isinstance(old, dict) or not old:
            return old
        key = rng.choice(list(old))
        return {rng.choice(NAMES) if name == key else name: inner for name, inner in old.items()}

    return _changed(value, rng, rename, parents=True)


def shuffled(value: Any, rng: Random) -> Any:
    def shuffle(old: Any) -> Any:
        if isinstance(old, dict):
            return dict(rng.sample(list(old.items()), len(old)))
        return rng.sample(old, len(old)) if isinstance(old, list) else old

    return _changed(value, rng, shuffle, parents=True)


def as_text(value: Any, rng: Random) -> Any:
    return _changed(
        value,
        rng,
        lambda old: rng.choice((json.dumps(old, default=str)[:2000], rng.choice(NUMBERS), rng.choice(NAMES))),
    )


OBJECT = (leaf, leaf, leaf, listed, deeper, without_key, more_keys, renamed, renamed, shuffled, as_text)


def json_lines(data: bytes, rng: Random) -> bytes:
    """One of OBJECT on one line, or on every line, or the lines in another form."""
    lines = data.decode("utf-8", "replace").split("\n")
    full = [n for n, line in enumerate(lines) if line.strip()]
    if not full:
        return data + b'{"step": 0, "grad_norm/a": 1.0}\n'
    form = rng.randrange(8)
    try:
        if form == 0:
            return "\n".join(json.dumps(json.loads(lines[n]), indent=2) for n in full).encode()
        if form == 1:
            return ("[" + ",\n".join(lines[n] for n in full) + "]").encode()
        if form == 2:
            return "".join(lines[n] for n in full).encode()
        chosen = full if form == 3 else [rng.choice(full)]
        for n in chosen:
            lines[n] = _dumped(rng.choice(OBJECT)(json.loads(lines[n]), rng), rng)
        return "\n".join(lines).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return strange_number(data, rng)


def dllogger_lines(data: bytes, rng: Random) -> bytes:
    """As :func:`json_lines`, behind the mark of DLLogger, which may be missing, doubled or elsewhere."""
    if rng.random() < 0.2:
        return data.replace(b"DLLL ", rng.choice((b"", b"DLLL", b"DLLL DLLL ", b"0: DLLL ", b"\tDLLL ")), 1)
    changed = json_lines(data.replace(b"DLLL ", b""), rng)
    return b"\n".join(b"DLLL " + line if line.strip() else line for line in changed.split(b"\n"))


def json_whole(data: bytes, rng: Random) -> bytes:
    """One of OBJECT on a file that is one JSON document."""
    try:
        return _dumped(rng.choice(OBJECT)(json.loads(data), rng), rng).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return strange_number(data, rng)


def toml(data: bytes, rng: Random) -> bytes:
    """One of OBJECT on a TOML document."""
    try:
        table = rng.choice(OBJECT)(tomllib.loads(data.decode("utf-8")), rng)
        return _toml(table if isinstance(table, dict) else {"a": table}).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return strange_number(data, rng)


def _dumped(value: Any, rng: Random) -> str:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return text.replace(": ", ":", 1) if rng.random() < 0.1 else text


def _toml(table: dict[str, Any]) -> str:
    """Every value inline, which TOML allows and no one writes."""
    return "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and value > HUGE:
        return hex(value)
    return json.dumps(value) if isinstance(value, bool | int | str) else "1979-05-27T07:32:00Z"


def _changed(value: Any, rng: Random, change: Callable[[Any], Any], parents: bool = False) -> Any:
    """``value`` with one of its places changed; of ``parents`` only dicts and lists are places."""
    places = [path for path in _places(value) if not parents or isinstance(_at(value, path), dict | list)]
    return _put(value, rng.choice(places or [()]), change)


def _places(value: Any) -> list[Path]:
    found: list[Path] = [()]
    for path in found:
        inner = _at(value, path)
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        found += [(*path, key) for key in keys][:50]
        if len(found) > 500:
            break
    return found


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _size(value: Any) -> int:
    """About how many characters it is written in."""
    if isinstance(value, dict):
        return sum(len(key) + _size(inner) for key, inner in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else len(value) if isinstance(value, str) else 8


def _put(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = value.copy()
    copy[path[0]] = _put(value[path[0]], path[1:], change)
    return copy
