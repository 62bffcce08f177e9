"""Mappings, ranges and hysteresis against formulas written out here."""

from functools import partial

import numpy as np
import pytest

from gradmidi.composition import Composer, compose
from gradmidi.composition.mapping import LOWEST_NORM, MAPPINGS, Adaptive, Log, Post, Rank, choose_mapping
from gradmidi.composition.pitch_range import PitchRange
from gradmidi.composition.quantising import Quantiser
from gradmidi.composition.voices import Part
from gradmidi.errors import InputError
from gradmidi.recording import Recording
from gradmidi.theory.pitch import key_to_hz
from gradmidi.theory.scale import Scale

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")
compose = partial(compose, sound="post")

EVERY = sorted(MAPPINGS)
WILD = np.array([[0.0, 1e-300, 1e-9, 1e-3], [1.0, 1e3, 1e9, 1e300], [np.inf, 5e-324, 2.0, 0.5]])


@pytest.mark.parametrize("name", EVERY)
def test_every_norm_has_a_finite_tone_within_the_range(name):
    mapping = choose_mapping(name)
    for _ in range(3):
        hertz = mapping(WILD)
        assert np.isfinite(hertz).all()
        assert (hertz >= mapping.range.lowest - 1e-9).all()
        assert (hertz <= mapping.range.highest + 1e-9).all()


def test_post_is_the_posts_line():
    assert np.array_equal(Post()(np.array([[0.44, 3.35]])), [[200 + 100 * 0.44, 200 + 100 * 3.35]])


def test_log_makes_a_decade_an_octave():
    hertz = Log()(np.array([[1e-3, 1e-2, 1.0, 10.0, 1e4, 1e5, 1e-4]]))[0]
    c = [32.70319566257483 * 2**octave for octave in (0, 1, 3, 4, 7, 7, 0)]
    assert hertz == pytest.approx(c)
    assert Log(2.0)(np.array([[10.0]]))[0, 0] == pytest.approx(4 * key_to_hz(60))


def test_mappings_with_numbers_of_ones_own():
    norms = np.array([[0.1, 1.0, 10.0]])
    assert Post(base=100, slope=50)(norms)[0] == pytest.approx([105, 150, 600])
    assert Log(unit_hz=440)(norms)[0] == pytest.approx([220, 440, 880])
    mapping = Adaptive(octaves_per_decade=1, centre=440, weight=0.5)
    assert mapping(np.array([[1.0], [100.0], [100.0]]))[:, 0] == pytest.approx([440, 1760, 880])


def test_the_lowest_norm_of_the_default_mapping_is_the_last_that_differs_from_zero():
    zero, below, there, above = Log()(np.array([[0.0, LOWEST_NORM * 0.99, LOWEST_NORM, LOWEST_NORM * 1.01]]))[0]
    assert zero == below == pytest.approx(there)
    assert above > there * 1.001


def test_adaptive_hovers_and_hears_a_change():
    steady = np.full((50, 1), 1000.0)
    mapping = Adaptive()
    assert mapping(steady) == pytest.approx(key_to_hz(60))
    assert mapping(np.array([[10_000.0]]))[0, 0] == pytest.approx(4 * key_to_hz(60))  # a decade above, two octaves
    # The spike has moved the mean by a twentieth of a decade; the same norm again is 0.95 decades above it.
    assert mapping(np.array([[10_000.0]]))[0, 0] == pytest.approx(key_to_hz(60) * 2 ** (2 * 0.95))


@pytest.mark.parametrize("window", [10, 7])
def test_rank_counts_what_lies_below(window):
    rng = np.random.default_rng(1)
    norms = rng.lognormal(size=(100, 2))
    mapping = Rank(window=window)
    hertz = mapping(norms)
    low, high = key_to_hz(48), key_to_hz(84)
    for row in (0, 3, 9, 10, 57, 99):
        past = norms[max(0, row - window + 1) : row + 1, 1]
        share = (past < norms[row, 1]).sum() / (len(past) - 1) if len(past) > 1 else 0.5
        assert hertz[row, 1] == pytest.approx(low * (high / low) ** share)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("style", ["sequence", "chord", "drone"])
def test_blocks_give_the_notes_of_the_whole(name, style, sick):
    options = {"mapping": name, "style": style, "hysteresis": 0.3, "dynamics": "loss-change"}
    whole = compose(sick, **options)
    composer = Composer(sick.layers, **options)
    parts = [composer.feed(sick.rows(i, i + 3)) for i in range(0, len(sick), 3)]
    for column in ("onset", "duration", "frequency", "layer", "velocity", "step", "tied"):
        assert np.array_equal(np.concatenate([getattr(part, column) for part in parts]), getattr(whole, column)), column


def test_two_composers_do_not_share_a_memory():
    mapping = Adaptive()
    rising = Recording.from_arrays(np.geomspace(1, 100, 30)[:, np.newaxis])
    first = compose(rising, mapping=mapping, scale=None)
    second = compose(rising, mapping=mapping, scale=None)
    assert np.array_equal(first.frequency, second.frequency)


def test_folding_moves_by_octaves_and_clamping_stops():
    fold = PitchRange(100, 1000, "fold")
    assert fold.apply(np.array([1001.0, 1999.0, 99.9, 50.1])).tolist() == [500.5, 999.5, 199.8, 100.2]
    hertz = np.array([3000.0, 1000.0, 150.0, 99.0, 13.0, 0.0, np.inf, 1e200])
    folded = fold.apply(hertz)
    assert ((folded >= 100) & (folded <= 1000)).all()
    octaves = np.log2(folded[:5] / hertz[:5])
    assert np.allclose(octaves, np.round(octaves))
    assert folded[:5].tolist() == [750.0, 1000.0, 150.0, 198.0, 104.0]
    assert folded[5:7].tolist() == [100.0, 1000.0]
    assert PitchRange(100, 1000).apply(hertz)[:5].tolist() == [1000.0, 1000.0, 150.0, 100.0, 100.0]


def test_inversion_mirrors_the_range():
    norms = np.array([[0.01, 1.0, 50.0]])
    upright, mirrored = choose_mapping("log"), choose_mapping("log", invert=True)
    cents = 1200 * np.log2(upright(norms) / upright.range.lowest)
    assert 1200 * np.log2(upright.range.highest / mirrored(norms)) == pytest.approx(cents)


def test_what_a_mapping_remembers_is_not_shown():
    for mapping in (Adaptive(), Rank()):
        shown = repr(mapping)
        mapping(np.ones((3, 2)))
        assert repr(mapping) == shown
        assert "_" not in shown.replace("octaves_per_decade", "")


def test_the_options_of_a_mapping_are_given_by_name():
    assert choose_mapping(mapping="post", beyond="fold").range == PitchRange(beyond="fold")
    with pytest.raises(TypeError):
        choose_mapping("post", "fold")


def test_an_inverted_function_is_mirrored_within_the_keys_of_midi():
    flat = choose_mapping(lambda norms: 440 + 0 * norms, invert=True)
    # A4 is 69 keys above the lowest one, so its mirror is 69 below the highest, key 127.
    assert flat(np.ones((1, 1))) == pytest.approx(key_to_hz(127 - 69))


def test_what_a_mapping_does_with_tones_beyond_is_its_own_unless_it_is_said():
    beyond = np.array([[1e5]])  # two octaves above C8 with two octaves a decade
    own = Log(2.0, range=PitchRange(key_to_hz(24), key_to_hz(108), "fold"))
    assert choose_mapping(own)(beyond)[0, 0] == pytest.approx(key_to_hz(108))
    assert choose_mapping(own)(beyond * 10**0.25)[0, 0] == pytest.approx(key_to_hz(102))
    assert choose_mapping(own, beyond="clamp")(beyond * 10**0.25)[0, 0] == pytest.approx(key_to_hz(108))
    assert choose_mapping("log", beyond="fold")(np.array([[10**4.5]]))[0, 0] == pytest.approx(key_to_hz(102))


def test_hysteresis_stops_chatter_and_lets_real_changes_through():
    chromatic = Scale.named("chromatic")
    border = key_to_hz(60) * 2 ** (0.5 / 12)
    lingering = border * 2 ** (np.tile([0.01, -0.01], 20) / 12)
    hz = np.concatenate([lingering, [key_to_hz(64)], lingering])[:, np.newaxis]
    plain = Quantiser(chromatic, 1)(hz)[:, 0]
    calm = Quantiser(chromatic, 1, 0.2)(hz)[:, 0]
    assert (np.diff(plain) != 0).sum() > 70
    assert (np.diff(calm) != 0).sum() == 2
    assert calm[40] == pytest.approx(key_to_hz(64))
    # It holds only near the border: a tenth of a semitone beyond half of it at 0.2.
    beyond = Quantiser(chromatic, 1, 0.2)(np.array([[key_to_hz(60)], [border * 2 ** (0.11 / 12)]]))
    assert beyond[1, 0] == pytest.approx(key_to_hz(61))


def test_dynamics_follow_the_loss_and_never_the_norm():
    norms = np.full((4, 2), 3.0)
    run = Recording.from_arrays(norms, loss=[1.0, 1.0, 2.0, 1.9])
    velocities = compose(run, dynamics="loss-change").velocity.reshape(4, 2)[:, 0]
    assert velocities.tolist() == [88, 88, 88 + 36, 88 + round(36 * np.log2(2 / 1.9))]
    assert len(set(compose(run).velocity.tolist())) == 1


def test_accents_of_losses_that_jump_or_are_not_numbers():
    def velocities(loss, velocity=80):
        run = Recording.from_arrays(np.ones((len(loss), 1)), loss=loss)
        return compose(run, dynamics="loss-change", parts=[Part(0, 64, 100, velocity, 0)]).velocity.tolist()

    assert velocities([1.0, 16.0, 1.0]) == [80, 116, 116], "no more than for a doubling"
    assert velocities([1.0, 2**0.25, np.nan, 1.0, 0.0]) == [80, 89, 80, 80, 116]
    assert velocities([1.0, 2.0], velocity=120) == [120, 127], "as hard as MIDI can say"
    without = Recording.from_arrays(np.ones((3, 1)))
    assert compose(without, dynamics="loss-change").velocity.tolist() == [88, 88, 88]


def test_a_style_changes_when_and_not_what(healthy):
    sequence, chord, drone = (compose(healthy, style=style) for style in ("sequence", "chord", "drone"))
    assert sequence.length == chord.length == drone.length
    assert np.array_equal(sequence.frequency, chord.frequency)
    assert np.array_equal(sequence.frequency, drone.frequency)
    assert np.allclose(chord.onset.reshape(-1, 4), (np.arange(201) * 0.3)[:, np.newaxis])
    assert np.allclose(chord.duration, 0.2)
    assert np.allclose(drone.onset + drone.duration, np.repeat(np.arange(1, 202) * 0.3, 4))
    changed = np.diff(drone.frequency.reshape(-1, 4), axis=0) != 0
    assert np.array_equal(drone.tied.reshape(-1, 4)[1:], ~changed)
    assert not drone.tied[:4].any()
    assert not sequence.tied.any()
    assert (sequence.held, chord.held, drone.held) == (False, False, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": "cube"}, "no mapping is called 'cube'"),
        ({"style": "fugue"}, "no style is called 'fugue'"),
        ({"dynamics": "norm"}, "no dynamics are called 'norm'"),
        ({"hysteresis": 1.0}, "hysteresis is 1"),
        ({"hysteresis": -0.01}, r"hysteresis is -0\.01"),
        ({"hysteresis": float("nan")}, "hysteresis"),
        ({"beyond": "wrap"}, "beyond is 'wrap'"),
        ({"mapping": lambda norms: norms, "beyond": "fold"}, "plain function"),
    ],
)
def test_bad_choices_are_one_line(options, message):
    with pytest.raises(InputError, match=message):
        Composer(["a"], **options)


def test_the_ranges_that_fit():
    assert PitchRange(100, 200, "fold").apply(np.array([300.0, 75.0])).tolist() == [150, 150]
    whole = PitchRange()
    assert (whole.lowest, whole.highest) == (key_to_hz(0), key_to_hz(127))
    assert PitchRange(0.5, 0.75).apply(np.array([0.1, 0.6, 9.0])).tolist() == [0.5, 0.6, 0.75]


def test_bad_ranges():
    for limits in ((0, 100), (200, 100), (100, np.inf), (100, 150, "fold")):
        with pytest.raises(InputError):
            PitchRange(*limits)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("norms", [[1e-3] * 30 + [1e308], [5e-324] * 30 + [1e308], [1e308] * 30, [0.0, 5e-324] * 15])
def test_norms_at_the_ends_of_a_float_are_composed_without_a_warning(norms):
    recording = Recording.from_arrays(np.array(norms)[:, None], ["a"])
    for mapping in ("log", "post", "adaptive", "rank"):
        assert np.isfinite(compose(recording, mapping=mapping).frequency).all()
