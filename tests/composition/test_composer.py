"""Rows → notes: the post's timing, the same by blocks as at once, gaps and alarms."""

import warnings
from functools import partial

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.mapping import Log, Post
from gradmidi.composition.timing import Timing, parse_unit
from gradmidi.composition.voices import Part, instrument_names, load_parts, program_of, voices_for
from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.theory.pitch import key_to_hz

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

COLUMNS = ("onset", "duration", "frequency", "layer", "velocity", "step")


def test_timing_is_four_notes_and_two_units_of_rest(healthy):
    score = compose(healthy, timing=Timing(0.01))
    assert len(score) == 804
    assert score.length == pytest.approx(201 * 0.06)
    assert np.allclose(score.onset[:6], [0, 0.01, 0.02, 0.03, 0.06, 0.07])
    assert (score.duration == 0.01).all()
    assert score.onset[-1] == pytest.approx((200 * 6 + 3) * 0.01)


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("mapping", ["log", "post"])
def test_blocks_give_the_same_notes_as_the_whole(sick, size, mapping):
    whole = compose(sick, mapping=mapping)
    composer = Composer(sick.layers, mapping=mapping)
    parts = [composer.feed(sick.rows(i, i + size)) for i in range(0, len(sick), size)]
    for name in COLUMNS:
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)), name
    assert [text for part in parts for text in part.marks.text] == whole.marks.text.tolist()
    assert parts[-1].length == whole.length


def test_notes_lie_in_the_scale_and_follow_the_norms(healthy):
    score = compose(healthy, scale="D dorian")
    keys = np.round(12 * np.log2(score.frequency / 440) + 69).astype(int)
    assert set(keys % 12) <= {2, 4, 5, 7, 9, 11, 0}
    assert np.allclose(key_to_hz(keys), score.frequency)
    for layer in range(4):
        order = np.argsort(healthy.norms[:, layer])
        assert (np.diff(score.frequency[score.of_voice(layer)][order]) >= 0).all()


def test_without_a_scale_the_mapping_is_heard_exactly(healthy):
    score = compose(healthy, scale=None, mapping="post")
    assert np.array_equal(score.frequency, 200 + 100 * healthy.norms.ravel())


def test_a_mapping_can_be_any_function(healthy):
    score = compose(healthy, scale=None, mapping=lambda norms: 300 + 0 * norms)
    assert (score.frequency == 300).all()


def test_gaps_are_silent_and_alarms_are_percussion(sick):
    score = compose(sick)
    alarm = score.of_voice(4)
    assert score.voices[4].percussion
    assert score.step[alarm].tolist() == [30, 40]
    assert score.drum[alarm].tolist() == [49, 38], "crash cymbal and acoustic snare of General MIDI"
    assert score.velocity[alarm].tolist() == [110, 110]
    assert len(score) == 201 * 4 - 1
    assert np.isfinite(score.frequency).all()


def test_mappings_give_every_norm_a_defined_tone():
    norms = np.array([0.0, 1e-300, 1e-3, 1.0, 10.0, 1e4, 1e300, np.inf])
    for mapping in (Log(), Post()):
        hertz = mapping(norms)
        assert np.isfinite(hertz).all()
        assert (np.diff(hertz) >= 0).all()
    middle_c = 440 * 2 ** (-9 / 12)
    assert Log()(np.array([1.0, 10.0])) == pytest.approx([middle_c, 2 * middle_c])  # a decade is an octave


def test_units():
    assert parse_unit("50ms") == parse_unit("0.05s") == parse_unit("0.05") == 0.05
    assert parse_unit("1/16", tempo=120) == 0.125  # a quarter lasts half a second
    for text in ("fast", "1/0", "", "nan", "1/2/3"):
        with pytest.raises(InputError):
            parse_unit(text)
    for bad in ({"unit": 0.0}, {"unit": 1e9}, {"rest": -1}, {"tempo": 0}):
        with pytest.raises(InputError):
            Timing(**bad)


def test_voices_leave_out_percussion():
    voices = Composer([f"layer{i}" for i in range(15)]).voices
    assert [voice.channel for voice in voices] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 9]
    assert len({voice.program for voice in voices[:15]}) == 15
    with pytest.raises(InputError, match="16 voices"):
        voices_for([str(i) for i in range(16)])


def test_instruments():
    assert len(instrument_names()) == len(set(instrument_names())) == 128
    assert program_of("marimba") == program_of(12) == 12
    assert instrument_names()[127] == "Gunshot"
    for bad in ("kazoo", 128, -1):
        with pytest.raises(InputError):
            program_of(bad)


def test_voices_files_are_checked(tmp_path):
    path = tmp_path / "v.toml"
    path.write_text('[[voice]]\ninstrument = "Cello"\npan = 0\n')
    assert load_parts(path)[0].program == 42
    bad = {"pan = 200": "pan is 200", 'instrument = "Cellö"': "no instrument", "colour = 1": "'colour'", "x =": "TOML"}
    for line, message in bad.items():
        path.write_text("[[voice]]\n" + line + "\n")
        with pytest.raises(InputError, match=message):
            load_parts(path)
    path.write_text("")
    with pytest.raises(InputError, match=r"no \[\[voice\]\]"):
        load_parts(path)


def test_the_largest_norms_and_the_least_step_compose_without_a_warning():
    largest = np.finfo(np.float64).max
    steps = np.array([-(2**63), 0, 2**63 - 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mapping in ("log", "post", "adaptive", "rank"):
            score = compose(Recording(("a", "b"), steps, np.full((3, 2), largest)), mapping=mapping)
            assert np.isfinite(score.frequency).all()
            swinging = Recording(("a", "b"), steps, [[5e-324, 1e308], [1e308, 5e-324], [0, 1]])
            for voices in (2, 1):
                score = compose(swinging, mapping=mapping, max_voices=voices)
                assert np.isfinite(score.frequency).all()
                assert not score.marks.of("inf", "nan")


def test_a_piece_says_what_it_is_made_of():
    def about(*layers, **options):
        return Composer(layers, **{"scale": None} | options).about

    for name in ("log", "post", "adaptive", "rank"):
        assert about("a", mapping=name) == f"no scale, mapping {name}"
    assert about("a", mapping=lambda norms: norms) == "no scale, own mapping"
    assert about("a", invert=True) == "no scale, mapping log, inverted"
    assert about("a.0", "a.1", "b", max_voices=2) == "no scale, mapping log, 3 layers in 2 voices"
    dorian = about("a", scale="D dorian")
    assert dorian.startswith("dorian on D4 (293.665 Hz), mapping log")


def test_the_title_is_given_or_the_recordings_or_its_models_or_ours():
    def title(meta, **options):
        return compose(Recording(("a",), [0], [[1.0]], meta=meta), **options).title

    both = {"title": "a run", "model": "MLP"}
    assert title(both, title="mine") == "mine"
    assert title(both) == title(both, title="") == "a run"
    assert title({"model": "MLP"}) == "MLP"
    assert title({}) == "gradmidi"


def test_an_option_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(TypeError, match=r"no option 'scales'; there are sound, scale, mapping"):
        Composer(["a"], tempos=100, scales="dorian")


def test_parts_are_dealt_out_again_when_there_are_fewer_than_layers():
    low, high = Part(1, 0, 50, 10, -1), Part(2, 127, 60, 20, 1)
    score = compose(Recording.from_arrays([[1.0, 1.0, 1.0]]), parts=[low, high], scale=None)
    assert [(v.program, v.pan, v.volume) for v in score.voices[:3]] == [(1, 0, 50), (2, 127, 60), (1, 0, 50)]
    assert score.velocity.tolist() == [10, 20, 10]
    assert score.frequency / key_to_hz(60) == pytest.approx([0.5, 2, 0.5])


def test_unknown_names():
    for options in ({"scale": "doriam"}, {"mapping": "square"}):
        with pytest.raises(InputError):
            Composer(["a"], **options)


@pytest.mark.slow
def test_a_million_notes_compose_in_bounded_time():
    """A quarter of a million steps of four layers; a time limit far above what it takes, to catch a slip to O(n²)."""
    norms = np.random.default_rng(0).lognormal(0, 0.5, (250_000, 4))
    score = compose(Recording.from_arrays(norms))
    assert len(score) == 1_000_000
