"""A synth is handed back in tune: after every ending a keyboard on it sounds the keys of a piano, measured by FFT."""

import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.outputs.audio_file import RATE
from gradmidi.outputs.fluid import Fluid
from gradmidi.outputs.live import play
from gradmidi.outputs.live.messages import setup_bytes, timed_bytes
from gradmidi.outputs.live.opening import open_transport
from gradmidi.outputs.live.player.handback import Handback
from gradmidi.outputs.live.player.wire import NOTE, pack
from gradmidi.outputs.midi_events import MidiStream
from gradmidi.outputs.midi_numbers import rpn
from gradmidi.recording import Recording
from tests.outputs.live.devices import LIMIT, is_note_on, wait_until
from tests.outputs.live.hearing import UNTIL_RECORDED, finish, recording_of, samples, tones
from tests.outputs.live.simulated import SimulatedPlayer

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

pytestmark = pytest.mark.slow

PERFORMING = Path(__file__).parent / "performing.py"
KEYS = range(60, 73)
USED, UNUSED = (0, 1), 5
DETUNED = 35  # cents, by which every note of performing.py lies above its key
WITHIN = 1.5  # cents
NOTE_LENGTH = 0.3  # s, of a keyboard over JACK
ALL_SOUND_OFF, PASSES = bytes((0xB0, 120, 0)), 2
BEFORE = 2  # controllers that each pass sets to 0 before it: sustain and all notes off
TUNINGS = ("bend", "mts")

# how: the signal that ends it, or None where it ends by itself
ENDINGS = {
    "normal": None,
    "exception": None,
    "exit": None,
    "Ctrl-C": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGKILL": signal.SIGKILL,
}


class Synth:
    """A FluidSynth that outlives performances, and a keyboard on it."""

    def __init__(self, soundfont: Path) -> None:
        self._fluid = Fluid(soundfont)

    def hear(self, messages: list[bytes]) -> None:
        for data in messages:
            self._fluid.send(mido.Message.from_bytes(data))
            self._fluid.samples(64)

    def cents(self, channel: int, keys=KEYS) -> np.ndarray:
        """How far keys sound from 12-TET."""
        return np.array([self._cents(channel, key) for key in keys])

    def _cents(self, channel: int, key: int) -> float:
        self._fluid.send(mido.Message("note_on", channel=channel, note=key, velocity=100))
        self._fluid.samples(round(0.05 * RATE))
        sound = self._fluid.samples(round(0.3 * RATE)).sum(axis=1)
        self._fluid.send(mido.Message("control_change", channel=channel, control=120))
        self._fluid.samples(round(0.05 * RATE))
        size = 2**17
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
        peak = int(spectrum.argmax())
        a, b, c = np.log(spectrum[peak - 1 : peak + 2])
        hertz = (peak + 0.5 * (a - c) / (a - 2 * b + c)) * RATE / size
        return 1200 * np.log2(hertz / 440) - 100 * (key - 69)


@pytest.fixture
def synth(need_fluidsynth, pure_tone):
    return Synth(pure_tone)


class Performances:
    """Each in a process of its own and ended in its way; a few at a time, as most of their time is waiting."""

    AT_ONCE = 4

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers = ThreadPoolExecutor(self.AT_ONCE)
        self._begun: dict[tuple[str, ...], Future[list[bytes]]] = {}

    def begin(self, tuning: str, how: str, *options: str) -> "Future[list[bytes]]":
        wanted = (tuning, how, *options)
        if wanted not in self._begun:
            path = self._folder / f"{len(self._begun)}.txt"
            self._begun[wanted] = self._workers.submit(perform_to, path, *wanted)
        return self._begun[wanted]

    def __call__(self, tuning: str, how: str, *options: str) -> list[bytes]:
        """Every byte that the port got."""
        return self.begin(tuning, how, *options).result(LIMIT)

    def close(self) -> None:
        self._workers.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def perform(tmp_path_factory):
    """Call with a tuning and an ending for the messages of such a performance, which several tests may look at."""
    performances = Performances(tmp_path_factory.mktemp("performances"))
    yield performances
    performances.close()


@pytest.fixture(scope="module")
def all_begun(perform):
    """The performances of most tests, begun together."""
    for tuning in TUNINGS:
        for how in ENDINGS:
            perform.begin(tuning, how)


def heed_ctrl_c() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and they would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def perform_to(path: Path, tuning: str, how: str, *options: str) -> list[bytes]:
    number = ENDINGS[how]
    command = [sys.executable, PERFORMING, f"file:{path}", "--tuning", tuning, *options]
    ending = ["--ending", how] if number is None else []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, *ending], preexec_fn=heed_ctrl_c, **quiet)
    if number is not None:
        wait_until(lambda: path.exists() and sum(map(is_note_on, sent(path))) > 20)
        process.send_signal(number)
    process.wait(LIMIT)
    wait_until(lambda: is_whole(sent(path)))
    return sent(path)


def is_whole(messages: list[bytes]) -> bool:
    """Whether the silence at the end has been said for the second time, as the first."""
    silenced = [i for i, data in enumerate(messages) if data == ALL_SOUND_OFF]
    if len(silenced) < 1 + PASSES:
        return False
    _, first, again = silenced
    return messages[again:] == messages[first : again - BEFORE]


def sent(path: Path) -> list[bytes]:
    whole = path.read_text().rpartition("\n")[0]
    return [bytes.fromhex(line.split(" ", 1)[1]) for line in whole.splitlines()]


def before_the_end(messages: list[bytes]) -> list[bytes]:
    """All that was sent until the player, at its end, first silenced channel 0."""
    silenced = [i for i, data in enumerate(messages) if data == ALL_SOUND_OFF]
    return messages[: silenced[1]]


@pytest.mark.usefixtures("all_begun")
@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_keyboard_is_in_tune_after_every_ending(tuning, how, perform, synth):
    synth.hear(perform(tuning, how))
    cents = np.array([synth.cents(channel) for channel in (*USED, UNUSED)])
    assert np.abs(cents).max() < WITHIN, cents


@pytest.mark.parametrize("tuning", ["bend", "mts"])
def test_the_fluidsynth_of_others_is_in_tune_after_a_kill(tuning, fluidlive, jack, receiver, tmp_path):
    """The program on JACK: a training plays on it and is killed, then somebody plays a keyboard."""
    process = subprocess.Popen(
        [sys.executable, PERFORMING, "fluidlive", "--tuning", tuning], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "playing\n"
    (source,) = jack.ports_of("gradmidi")
    jack.connect(source, receiver.port)
    wait_until(lambda: sum(map(is_note_on, receiver.messages())) > 10)
    process.kill()
    process.communicate()
    wait_until(lambda: not jack.ports_of("gradmidi"))
    keyboard = open_transport("fluidlive", backend=None, soundfont=None, max_rate=800)  # notes, without a set-up
    recorder = recording_of(jack, "fluidlive", tmp_path / "heard.wav")
    notes = [(channel, key) for channel in (*USED, UNUSED) for key in (60, 63, 71)]
    begin = time.perf_counter() + 0.3
    for i, (channel, key) in enumerate(notes):
        keyboard.send(pack(begin + i * NOTE_LENGTH, NOTE, bytes((0x90 | channel, key, 100))))
        keyboard.send(pack(begin + (i + 0.8) * NOTE_LENGTH, NOTE, bytes((0x80 | channel, key, 64))))
    time.sleep(begin + len(notes) * NOTE_LENGTH - time.perf_counter() + UNTIL_RECORDED)
    finish(recorder)
    keyboard.hush()
    keyboard.close(0.0)
    heard = tones(samples(tmp_path / "heard.wav"), np.arange(len(notes)) * NOTE_LENGTH, NOTE_LENGTH)
    cents = 1200 * np.log2(heard / 440) - 100 * (np.array([key for _, key in notes]) - 69)
    assert np.abs(cents).max() < 5, cents  # the measurement is exact to 2 at most


@pytest.mark.parametrize("tuning", ["bend", "mts"])
def test_a_player_that_is_killed_itself_is_made_good_by_the_next_one(tuning, perform, synth):
    """Nobody is left to hand the synth back; the next performance's set-up does."""
    synth.hear(before_the_end(perform(tuning, "SIGKILL")))
    assert all(np.abs(synth.cents(channel)).max() > DETUNED - WITHIN for channel in USED)
    synth.hear(before_the_end(perform("12tet", "normal", "--scale", "chromatic")))
    assert np.abs([synth.cents(channel) for channel in (*USED, UNUSED)]).max() < WITHIN


def test_keys_that_an_earlier_run_retuned_are_tuned_again(perform, synth):
    """A killed player leaves keys of our tuning programs retuned; the next run takes none for untouched."""
    score = compose(Recording.from_arrays([[1.0], [1.0]]), scale="chromatic", timing=Timing(0.02))
    synth.hear(before_the_end(perform("mts", "SIGKILL")))
    notes = timed_bytes(MidiStream("mts").events(score))
    synth.hear([*setup_bytes(score.voices, "mts"), *(note.data for note in notes)])
    assert abs(synth.cents(0, [60])[0]) < WITHIN


@pytest.mark.parametrize("tuning", ["bend", "mts", "12tet"])
def test_a_sequencers_synth_is_in_tune_after_the_file(tuning, tmp_path, synth):
    """The .mid itself leaves the synth in tune, whoever plays it."""
    norms = np.random.default_rng(0).uniform(0.5, 12, (40, 2))
    compose(Recording.from_arrays(norms), scale=None, timing=Timing(0.02)).save_midi(tmp_path / "g.mid", tuning=tuning)
    messages = [m.bytes() for m in mido.MidiFile(tmp_path / "g.mid") if not m.is_meta]
    synth.hear(list(map(bytes, messages)))
    cents = np.array([synth.cents(channel) for channel in (*USED, UNUSED)])
    assert np.abs(cents).max() < WITHIN, cents


def foreign_messages() -> list[mido.Message]:
    """A file that leaves everything detuned: a bend of an octave, master tunings, single keys and all octaves."""
    controls = [*rpn(0, 12), *rpn(1, 80, 0), *rpn(2, 70), *rpn(4, 0), *rpn(3, 5), (7, 30), (11, 60), (1, 127)]
    tunings = [(0x7F, 0x7F, 8, 2, 5, 1, 64, 64, 64, 0), (0x7F, 0x7F, 8, 7, 0, 5, 1, 65, 65, 64, 0)]
    octave = (0x7F, 0x7F, 8, 8, 3, 127, 127, *[0x60] * 12)
    return [
        mido.Message("note_on", note=60, velocity=100),
        mido.Message("sysex", data=octave),
        *(mido.Message("sysex", data=data) for data in tunings),
        *(mido.Message("control_change", control=number, value=value) for number, value in controls),
        mido.Message("pitchwheel", pitch=8000),
        mido.Message("note_off", note=60, time=10),
    ]


def test_a_foreign_file_is_followed_by_what_takes_it_back(tmp_path, synth):
    foreign = foreign_messages()
    mido.MidiFile(tracks=[mido.MidiTrack(foreign)]).save(tmp_path / "foreign.mid")
    player = SimulatedPlayer()
    play(tmp_path / "foreign.mid", player)
    messages = [heard.data for heard in player.heard]
    synth.hear(before_the_end(messages))
    assert np.abs(synth.cents(0)).max() > 500
    synth.hear(messages[len(before_the_end(messages)) :])
    assert np.abs([synth.cents(channel) for channel in (0, UNUSED)]).max() < WITHIN
    # A bend has its usual range again, and the channel its volume.
    synth.hear([bytes((0xE0, 0x7F, 0x7F))])
    assert synth.cents(0, [60])[0] == pytest.approx(200, abs=3)  # FluidSynth cuts to whole cents
    assert bytes((0xB0, 7, 100)) in messages


def test_only_what_was_changed_is_taken_back():
    handback = Handback()
    handback.hear(bytes((0x93, 60, 100)))
    assert list(handback.messages()) == [bytes((0xB3, 121, 0)), bytes((0xE3, 0, 0x40))]
    # Data entry for a parameter that is not registered, and with none selected, sets nothing.
    for number, value in ((99, 1), (98, 8), (6, 10), (101, 127), (100, 127), (6, 10)):
        handback.hear(bytes((0xB3, number, value)))
    assert len(list(handback.messages())) == 2
