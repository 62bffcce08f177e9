"""The Hz of all 128 keys against the tuning-library of the Surge synthesizer team, an independent reader.

Where a mapping's formal octave is neither the number of notes nor the size of the map, that library departs from Scala
(its issue 68); those mappings are checked by hand in test_scala.py instead.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.theory import scala
from gradmidi.theory.keyboard import KeyboardMap, ScalaScale, keyboard_frequencies

pytestmark = pytest.mark.slow

oracle = pytest.importorskip("tuning_library", reason="the independent reader: pip install tuning-library")

DATA = Path(__file__).parent / "data"
SCALES = sorted(DATA.glob("*.scl"))
MAPPINGS = sorted(DATA.glob("*.kbm"))
CLOSE = 0.001  # cents


def oracle_frequencies(tuning: Any) -> NDArray[np.float64]:
    keys = range(128)
    return np.array([tuning.frequency_for_midi_note(k) if tuning.is_midi_note_mapped(k) else np.nan for k in keys])


def largest_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """In cents; infinite if different keys are mapped."""
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return np.inf
    return float(np.nanmax(np.abs(1200 * np.log2(ours / theirs))))


def comparable(scale: ScalaScale, keyboard: KeyboardMap) -> bool:
    return not keyboard.degrees or keyboard.formal_octave in (len(scale.pitches), len(keyboard.degrees), 0)


def read_by_oracle(path: Path) -> Any:
    return oracle.parse_scl_data(path.read_bytes().decode("latin-1"))


def test_there_are_enough_files() -> None:
    assert len(SCALES) >= 40
    assert len(MAPPINGS) >= 10


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_scales(path: Path) -> None:
    theirs = oracle_frequencies(oracle.Tuning(read_by_oracle(path)))
    assert largest_difference(keyboard_frequencies(scala.read_scl(path)), theirs) < CLOSE


def test_keyboard_mappings_with_every_scale() -> None:
    agreed: set[str] = set()
    for map_path in MAPPINGS:
        keyboard = scala.read_kbm(map_path)
        for path in SCALES:
            scale = scala.read_scl(path)
            try:
                mapping = oracle.parse_kbm_data(map_path.read_text())
                theirs = oracle_frequencies(oracle.Tuning(read_by_oracle(path), mapping))
            except oracle.TuningError:
                continue  # it accepts no mapping with entries left out, or of more degrees than the scale has
            if not comparable(scale, keyboard):
                continue
            theirs[: keyboard.first], theirs[keyboard.last + 1 :] = np.nan, np.nan  # it disregards the range
            ours = keyboard_frequencies(scale, keyboard)
            assert largest_difference(ours, theirs) < CLOSE, f"{path.name} with {map_path.name}"
            agreed.add(map_path.name)
    print(f"{len(agreed)} keyboard mappings agree: {', '.join(sorted(agreed))}")
    assert len(agreed) >= 10


def test_the_scala_archive(capsys: pytest.CaptureFixture[str]) -> None:
    music21 = pytest.importorskip("music21", reason="music21 carries the Scala archive: pip install music21")
    archive = sorted((Path(music21.__file__).parent / "scale" / "scala" / "scl").glob("*.scl"))
    both, worst, refused = 0, 0.0, []
    for path in archive:
        if re.search(rb"\d{19}", path.read_bytes()):
            continue  # beyond the oracle's 64-bit integers; ours are checked in test_scala.py
        try:
            theirs = oracle_frequencies(oracle.Tuning(read_by_oracle(path)))
        except oracle.TuningError:
            continue
        try:
            ours = keyboard_frequencies(scala.read_scl(path))
        except InputError:
            refused.append(path.name)
            continue
        both += 1
        worst = max(worst, largest_difference(ours, theirs))
    with capsys.disabled():
        print(f"\nScala archive: {both} of {len(archive)} files read by both, largest difference {worst:.1e} cents")
    assert not refused
    assert both > 3900
    assert worst < CLOSE
