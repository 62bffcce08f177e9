"""Scores as hypothesis draws them: a few voices, each playing one note at a time, anywhere in pitch."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from gradmidi.score import PITCHED, Marks, Score, Voice

KEYS = st.one_of(st.sampled_from([60.0, 60.25, 67.0, -2.0, 0.0, 127.0, 127.5, 140.0]), st.floats(-5, 135))
KINDS = ("step", "epoch", "loss", "nan", "inf", "explosion", "zero", "resumed")


@st.composite
def scores(draw: st.DrawFn, drones: bool = False) -> Score:
    """Up to three voices with a pitch and at times percussion; with ``drones`` notes that go on from the one before."""
    width = draw(st.integers(1, 3))
    drums = draw(st.booleans())
    voices = [Voice(f"layer {i}", i, program=i) for i in range(width)] + [Voice("alarm", 9, percussion=True)] * drums
    rows = draw(st.integers(0, 6))
    beat = draw(st.sampled_from([0.0625, 0.25, 1.0]))
    parts = []
    for index, voice in enumerate(voices):
        heard = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
        chosen = np.flatnonzero(heard)
        keys = np.array(draw(st.lists(KEYS, min_size=len(chosen), max_size=len(chosen))))
        onset = chosen * beat
        hz = 440 * 2 ** ((keys - 69) / 12)
        # A drone goes on where its voice had the same pitch in the row before.
        follows = np.r_[False, (np.diff(chosen) == 1) & (np.diff(keys) == 0)][: len(chosen)]
        tied = follows & (drones and not voice.percussion)
        share = draw(st.sampled_from([0.5, 1.0]))
        velocity = draw(st.lists(st.integers(1, 127), min_size=len(chosen), max_size=len(chosen)))
        drum = np.full(len(chosen), 38 if voice.percussion else PITCHED)
        ints = {"layer": np.full(len(chosen), index), "step": chosen, "drum": drum}
        parts.append(
            dict(onset=onset, duration=np.full(len(chosen), beat * share), frequency=hz, tied=tied, **ints)
            | {"velocity": np.array(velocity, dtype=np.int64)}
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["onset"], kind="stable")
    times = np.sort(np.array(draw(st.lists(st.floats(0, 6), max_size=8)), dtype=np.float64))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=len(times), max_size=len(times)))
    marks = Marks(times, np.array(kinds, dtype="U9"), np.array([f"{kind}!" for kind in kinds], dtype="U10"))
    length = draw(st.sampled_from([rows * beat + 0.1, rows * beat, 0.05]))  # marks and notes may lie beyond it
    sorted_columns = {name: column[order] for name, column in columns.items()}
    return Score(**sorted_columns, voices=tuple(voices), marks=marks, length=length, held=drones)
