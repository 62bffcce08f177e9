"""The whole way: norms → live MIDI → FluidSynth over JACK → recorded audio, whose pitches are measured."""

import time
from functools import partial

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording import Recording
from tests.conftest import PURE_TONE
from tests.outputs.live.hearing import UNTIL_RECORDED, finish, recording_of, samples, tones

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

pytestmark = pytest.mark.slow

UNIT = 0.3  # s a note
CENTS = 5  # FluidSynth cuts pitches to whole cents, the bend is exact to 1.3, and the measurement to 2


ROUTES = {
    "FluidSynth as a program on JACK": ("fluidlive", "fluidlive"),
    "FluidSynth within the player": ("fluidsynth:jack", "fluidsynth"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_the_pitches_in_the_recorded_audio_are_those_sent(route, fluidlive, jack, tmp_path):
    port, source = ROUTES[route]
    recording = Recording.from_arrays([[0.5, 2.0], [1.3, 0.7], [4.0, 0.2]], layers=("a", "b"))
    timing = Timing(UNIT, rest=1)
    wav = tmp_path / "heard.wav"
    with LiveOutput(
        Composer(recording.layers, scale=None, timing=timing), port, pace="wait", soundfont=PURE_TONE
    ) as out:
        recorder = recording_of(jack, source, wav)
        for step in range(len(recording)):
            out.feed(recording.rows(step, step + 1))
    time.sleep(UNTIL_RECORDED)
    finish(recorder)
    score = compose(recording, scale=None, timing=timing)
    heard = tones(samples(wav), score.onset, UNIT)
    cents = 1200 * np.log2(heard / score.frequency)
    assert np.abs(cents).max() < CENTS, f"sent {score.frequency}, heard {heard}"
