"""10,000 mutated and random Scala files: each is a scale or the one error, and never anything else."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.theory.keyboard import keyboard_frequencies
from gradmidi.theory.scala import read_kbm, read_scl
from gradmidi.theory.scale import Scale

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
ROUNDS = 5000  # of each kind
CHARACTERS = b"0123456789./-+ \t\n\r!xeE,#\0\x1a\x85\xe9\xff"
TOKENS = [
    b"0",
    b"1/1",
    b"2/1",
    b"-1",
    b"1e308",
    b"0.0",
    b"127",
    b"128",
    b"x",
    b"nan",
    b"9" * 30,
    b"1/0",
    b"0/0",
    b"",
    b"1e-9.",
]


def mutated(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        lines = data.split(b"\n")
        place, line = rng.randrange(len(data) + 1), rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                data = data[:place] + bytes([rng.choice(CHARACTERS)]) + data[place:]
            case 1:
                data = data[:place] + data[place + 1 :]
            case 2:
                data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
            case 3:
                data = data[:place]
            case 4:
                lines.insert(line, rng.choice(lines))
                data = b"\n".join(lines)
            case 5:
                lines[line] = rng.choice(TOKENS)
                data = b"\n".join(lines)
            case _:
                rng.shuffle(lines)
                data = b"\n".join(lines)
    return data


def attempt(scl: Path, kbm: Path | None) -> bool:
    """Read, build, use and show; True if there is a scale, False if it was refused in one line."""
    try:
        scale = Scale.from_scala(scl, kbm)
        keyboard_frequencies(read_scl(scl), read_kbm(kbm) if kbm else None)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(scl.parent) in str(error)
        return False
    tones = scale.quantize([20.0, 440.0, 20_000.0, np.nan])
    assert np.isfinite(tones[:3]).all()
    assert np.isnan(tones[3])
    assert repr(scale)
    return True


def run(kind: str, folder: Path) -> int:
    rng = random.Random(f"gradmidi {kind}")
    sources = [path.read_bytes() for path in sorted(DATA.glob(f"*.{kind}")) if path.stat().st_size < 1000]
    scl, kbm = folder / "x.scl", folder / "x.kbm"
    scl.write_bytes((DATA / "just-major.scl").read_bytes())
    accepted = 0
    for number in range(ROUNDS):
        random_bytes = bytes(rng.choice(CHARACTERS) for _ in range(rng.randrange(120)))
        text = random_bytes if number % 10 == 0 else mutated(rng.choice(sources), rng)
        (folder / f"x.{kind}").write_bytes(text)
        try:
            accepted += attempt(scl, kbm if kind == "kbm" else None)
        except Exception as error:
            raise AssertionError(f"{kind} number {number}, {text!r}") from error
    return accepted


def test_mutated_files(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("scl", "kbm"):
            accepted = run(kind, tmp_path)
            # Both ways out have to be taken often, or this would test nothing.
            assert ROUNDS / 20 < accepted < ROUNDS * 19 / 20, (kind, accepted)
