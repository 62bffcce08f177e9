"""Events are heard live as they are in the file: the same strokes, held tones, knocks and programs, over real JACK."""

from collections import Counter

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.timing import Timing
from gradmidi.events import find_events
from gradmidi.outputs.live import LiveOutput
from gradmidi.outputs.midi_events import note_events
from gradmidi.recording import Recording
from tests.outputs.live.devices import is_note_off, is_note_on, is_panic, wait_until

pytestmark = pytest.mark.slow

FAST = Timing(unit=0.002)
DRUMS = 9
ROWS = 520


def ill() -> Recording:
    """Five hundred steps in which one thing after another goes wrong, and is well again."""
    rng = np.random.default_rng(5)
    norms = np.exp(rng.normal(0, 0.15, (ROWS, 2)))
    norms[60:75, 0] = np.nan
    norms[140:150, 1] = np.inf
    norms[220:280, 1] = 0
    norms[340, :] *= 1e4
    norms[380:440, :] *= 1e5
    norms[480:, 0] *= 1e-9
    loss = np.full(ROWS, 2.0) * np.exp(rng.normal(0, 0.05, ROWS)) * np.geomspace(1, 0.2, ROWS)
    return Recording(("conv", "fc"), np.arange(ROWS), norms, {"loss": loss}, {}, np.zeros((ROWS, 2), dtype=bool))


def told(messages: list[bytes]) -> Counter[bytes]:
    """What tells events: strokes and ends on channel 10, and changes of instrument."""
    return Counter(data for data in messages if data[0] & 0xF0 == 0xC0 or (data[0] & 0x0F == DRUMS and data[0] < 0xA0))


def test_each_event_is_heard_live_as_in_the_file(backend, receiver):
    rec = ill()
    kinds = {event.kind for event in find_events(rec)}
    assert {"nan", "inf", "zero", "spike", "explosion"} <= kinds
    composer = Composer(rec.layers, timing=FAST)
    setup = Counter(bytes((0xC0 | voice.channel, voice.program)) for voice in composer.voices if not voice.percussion)
    with LiveOutput(composer, "receiver", pace="wait", backend=backend, max_rate=5000) as out:
        for step in range(ROWS):
            out.feed(rec.rows(step, step + 1))
        out.close()
    wait_until(lambda: sum(map(is_panic, receiver.messages())) >= 3 * 4)
    heard = told(receiver.messages())
    expected = told([bytes(e.message.bytes()) for e in note_events(compose(rec, timing=FAST), "12tet")])
    assert heard == expected + setup


def test_no_held_tone_outlives_the_performance(backend, receiver):
    rec = ill().rows(0, 65)  # ends in the middle of NaN
    with LiveOutput(Composer(rec.layers, timing=FAST), "receiver", pace="wait", backend=backend, max_rate=5000) as out:
        for step in range(len(rec)):
            out.feed(rec.rows(step, step + 1))
        out.close()
    wait_until(lambda: sum(map(is_panic, receiver.messages())) >= 3 * 4)
    sounding: Counter[tuple[int, int]] = Counter()
    for data in receiver.messages():
        if is_note_on(data):
            sounding[data[0] & 0x0F, data[1]] += 1
        elif is_note_off(data):
            sounding[data[0] & 0x0F, data[1]] -= 1
    assert not +sounding


def test_steps_that_training_outruns_still_tell_their_events():
    """With pace "latest" hardly a step is played, and what happened in the others is told with the next."""
    from tests.outputs.live.simulated import SimulatedPlayer

    rec = ill()
    player = SimulatedPlayer()
    with LiveOutput(Composer(rec.layers, timing=Timing(0.05)), player, pace="latest") as out:
        for step in range(ROWS):
            out.feed(rec.rows(step, step + 1))
            player.time.sleep(0.02)
    struck = {heard.data[1] for heard in player.heard if heard.data[0] == 0x90 | DRUMS and heard.data[2]}
    assert {38, 49, 77, 55, 57, 81} <= struck
