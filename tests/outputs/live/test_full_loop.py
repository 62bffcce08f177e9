"""The whole way: norms → live MIDI → FluidSynth over JACK → recorded audio, whose pitches are measured."""

import subprocess

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording import Recording
from tests.conftest import PURE_TONE
from tests.outputs.live.devices import wait_until

UNIT = 0.3  # s a note
RATE = 48000
CENTS = 5  # FluidSynth cuts pitches to whole cents, the bend is exact to 1.3, and the measurement to 2


@pytest.fixture
def fluidlive(jack, need_program):
    """FluidSynth as a program of its own, with a SoundFont of pure tones, reading MIDI from JACK."""
    need_program("fluidsynth", "jack_rec")
    names = ["-o", "midi.jack.id=fluidlive", "-o", "audio.jack.id=fluidlive", "-o", "synth.reverb.active=0"]
    process = subprocess.Popen(
        ["fluidsynth", "-q", "-C", "0", "-a", "jack", "-m", "jack", *names, "-r", str(RATE), str(PURE_TONE)],
        stdin=subprocess.PIPE,  # its shell waits for commands as long as this stays open
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: {"fluidlive:midi_00", "fluidlive:left"} <= set(jack.ports().split()))
    yield process
    process.communicate(b"quit\n", timeout=10)


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
    command = ["jack_rec", "-f", str(wav), "-d", "4", "-b", "16", f"{source}:left", f"{source}:right"]
    with LiveOutput(
        Composer(recording.layers, scale=None, timing=timing), port, pace="wait", soundfont=PURE_TONE
    ) as out:
        recorder = subprocess.Popen(command, env=jack.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: "jackrec" in jack.ports() or "jack_rec" in jack.ports())
        for step in range(len(recording)):
            out.feed(recording.rows(step, step + 1))
    recorder.wait(10)
    score = compose(recording, scale=None, timing=timing)
    heard = tones(samples(wav), score.onset)
    cents = 1200 * np.log2(heard / score.frequency)
    assert np.abs(cents).max() < CENTS, f"sent {score.frequency}, heard {heard}"


def samples(path):
    """Left and right together; jack_rec's header is read by its data chunk alone."""
    raw = path.read_bytes()
    start = raw.index(b"data") + 8
    pairs = np.frombuffer(raw[start : start + (len(raw) - start) // 4 * 4], dtype="<i2").reshape(-1, 2)
    return pairs.sum(axis=1).astype(float)


def tones(sound, onsets):
    """Hz of each note, from the middle of its time; the first sound is the first note's."""
    first = np.flatnonzero(np.abs(sound) > np.abs(sound).max() / 20)[0]
    found = []
    for onset in onsets:
        begin = first + round((onset + 0.1) * RATE)
        window = sound[begin : begin + round((UNIT - 0.16) * RATE)]
        spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), 1 << 19))
        found.append(np.argmax(spectrum) * RATE / (1 << 19))
    return np.array(found)
