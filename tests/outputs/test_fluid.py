"""FluidSynth as it is bound here: what each kind of message does, how loud, on which side, and how much at once."""

from __future__ import annotations

import ctypes

import mido
import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.fluid_binding import Synthesizer
from gradmidi.outputs.soundfont_choice import find_soundfont

pytestmark = pytest.mark.usefixtures("need_fluidsynth")


@pytest.fixture
def fluid(pure_tone):
    made = Fluid(pure_tone)
    yield made
    made.close()


def say(fluid: Fluid, *messages: str) -> None:
    for message in messages:
        fluid.send(mido.Message.from_str(message))


def level(fluid: Fluid, seconds: float = 0.3) -> np.ndarray:
    """Root mean square of left and right, once what was said before has settled."""
    fluid.samples(RATE // 10)
    return np.sqrt(np.mean(fluid.samples(round(seconds * RATE)).astype(np.float64) ** 2, axis=0))


def test_a_note_sounds_from_its_on_to_its_off(fluid):
    assert level(fluid).max() < 1e-4
    say(fluid, "note_on channel=3 note=69 velocity=100")
    assert level(fluid).min() > 0.01
    say(fluid, "note_off channel=2 note=69", "note_off channel=3 note=70")
    assert level(fluid).min() > 0.01, "neither another channel's end nor another key's"
    say(fluid, "note_off channel=3 note=69")
    fluid.samples(RATE)
    assert level(fluid).max() < 1e-4


def test_keys_and_bends_are_the_pitches_of_midi(fluid, pitch_of):
    say(fluid, "note_on channel=0 note=69 velocity=100")
    for bend in (0, 8191, -8192, 4096, 127, -128):  # of the last two the lower seven bits are all ones, and none
        say(fluid, f"pitchwheel channel=0 pitch={bend}")
        level(fluid)
        hz = pitch_of(fluid.samples(RATE).sum(axis=1), RATE)
        assert 1200 * np.log2(hz / 440) == pytest.approx(200 * bend / 8192, abs=2.1), "to its whole cents"


def test_left_comes_first(fluid):
    say(fluid, "control_change channel=0 control=10 value=0", "note_on channel=0 note=69 velocity=100")
    left, right = level(fluid)
    assert left > 30 * right
    say(fluid, "control_change channel=0 control=10 value=127")
    left, right = level(fluid)
    assert right > 30 * left


def test_velocity_and_volume_make_it_louder(fluid):
    levels = []
    for velocity, volume in ((40, 60), (100, 60), (100, 127)):
        say(
            fluid,
            f"control_change channel=5 control=7 value={volume}",
            f"note_on channel=5 note=69 velocity={velocity}",
        )
        levels.append(level(fluid).max())
        say(fluid, "note_off channel=5 note=69")
        fluid.samples(RATE)
    assert levels[0] * 1.5 < levels[1]
    assert levels[1] * 1.5 < levels[2]


def test_programs_sound_differently():
    fluid = Fluid(find_soundfont("gm"))
    heard = {}
    for program in (0, 56):
        say(fluid, f"program_change channel=1 program={program}", "note_on channel=1 note=60 velocity=100")
        heard[program] = np.abs(np.fft.rfft(fluid.samples(RATE).sum(axis=1)))
        say(fluid, "note_off channel=1 note=60")
        fluid.samples(2 * RATE)
    fluid.close()
    piano, trumpet = (spectrum / np.linalg.norm(spectrum) for spectrum in heard.values())
    assert piano @ trumpet < 0.9


def test_what_a_synthesizer_does_not_know_is_ignored(fluid):
    say(fluid, "note_on channel=0 note=69 velocity=100")
    before = level(fluid)
    say(fluid, "clock", "aftertouch channel=0 value=100", "songpos pos=3", "sysex data=(125,1,2)")
    assert level(fluid) == pytest.approx(before, rel=0.02)


def test_it_plays_at_half_of_full_level(fluid):
    say(fluid, "note_on channel=0 note=69 velocity=100")
    ours = level(fluid)
    fluid._fluid.library.fluid_synth_set_gain(fluid._fluid.pointer, ctypes.c_float(1.0))
    assert ours / level(fluid) == pytest.approx([0.5, 0.5], rel=0.02)


def test_256_notes_sound_at_once(fluid):
    for channel in (0, 1, 2):
        for key in range(10, 110):
            say(fluid, f"note_on channel={channel} note={key} velocity=100")
    assert fluid._fluid.library.fluid_synth_get_active_voice_count(fluid._fluid.pointer) == 256


def test_a_soundfont_that_it_cannot_load_is_named(tmp_path):
    synthesizer = Synthesizer()
    with pytest.raises(InputError, match=r"FluidSynth cannot read the SoundFont .*none\.sf2; try another"):
        synthesizer.load(tmp_path / "none.sf2")
    synthesizer.close()
