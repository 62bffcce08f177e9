"""Deep models as at most 15 voices."""

from functools import partial

import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.composition.grouping import group_layers
from gradmidi.errors import InputError
from gradmidi.recording import Recording

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

GPT = [
    "transformer.wte",
    "transformer.wpe",
    *(f"transformer.h.{i}.{part}" for i in range(12) for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc")),
]
DEEP = ["embed", *(f"blocks.{i}.{part}" for i in range(24) for part in ("attn", "mlp")), "head"]
RESNET = [
    "conv1",
    *(f"layer{s}.{b}.conv{c}" for s in range(1, 5) for b in (0, 1) for c in (1, 2)),
    "fc",
]


@pytest.mark.parametrize("layers", [GPT, DEEP, RESNET, [str(i) for i in range(150)], ["a", "a.b", "a.b.c", "d", "a.x"]])
@pytest.mark.parametrize("most", [1, 3, 15])
def test_every_layer_plays_once_and_in_order(layers, most):
    grouping = group_layers(layers, most)
    assert len(grouping.groups) <= most
    assert [i for group in grouping.groups for i in group.layers] == list(range(len(layers)))
    assert len(set(grouping.names)) == len(grouping.names)


def test_the_parts_are_those_a_person_would_name():
    assert group_layers(GPT).names[:4] == ("transformer.wte", "transformer.wpe", "transformer.h.0", "transformer.h.1")
    assert group_layers(DEEP).names == ("embed", *(f"blocks.{i}-{i + 1}" for i in range(0, 24, 2)), "head")
    assert group_layers(RESNET).names == (
        "conv1",
        *(f"layer{s}.{b}" for s in range(1, 5) for b in (0, 1)),
        "fc",
    )
    assert group_layers(["a", "b"]).is_trivial


def test_norms_are_joined_by_root_sum_square():
    rng = np.random.default_rng(0)
    norms = rng.lognormal(size=(5, len(DEEP)))
    norms[2, 3], norms[3, 4] = np.nan, np.inf
    gaps = np.zeros(norms.shape, dtype=bool)
    gaps[4, 1], norms[4, 1] = True, np.nan
    gaps[1, 0], norms[1, 0] = True, np.nan
    joined, joined_gaps = group_layers(DEEP).join(Recording(DEEP, np.arange(5), norms, gaps=gaps))
    assert joined[0, 1] == pytest.approx(np.sqrt((norms[0, 1:5] ** 2).sum()))
    assert np.isnan(joined[2, 1])
    assert np.isinf(joined[3, 1])
    assert joined[4, 1] == pytest.approx(np.sqrt((norms[4, 2:5] ** 2).sum()))
    assert joined_gaps.sum() == 1
    assert joined_gaps[1, 0]


def test_squares_beyond_a_float_are_joined_as_well():
    run = Recording(("a", "b"), [0, 1, 2, 3], [[3e-200, 4e-200], [3e200, 4e200], [0.0, 0.0], [1.7e308, 1.7e308]])
    joined, gaps = group_layers(run.layers, 1).join(run)
    assert joined[:, 0] == pytest.approx([5e-200, 5e200, 0.0, np.finfo(np.float64).max], rel=1e-12, abs=0)
    assert not gaps.any()


def test_own_groups_of_one_layer_each_play_in_the_order_they_are_given():
    run = Recording(("a", "b", "c"), [0], [[1.0, 2.0, np.nan]], gaps=[[False, False, True]])
    joined, gaps = group_layers(run.layers, groups={"last": ["c"], "first": ["a"]}).join(run)
    assert joined[0].tolist() == pytest.approx([np.nan, 1.0], nan_ok=True)
    assert gaps.tolist() == [[True, False]]


def test_a_layer_of_two_own_groups_is_found_in_the_first_and_one_of_none_nowhere():
    grouping = group_layers(["a.0", "a.1", "b", "c"], groups={"a": ["a.*"], "ab": ["a.1", "b"]})
    assert [grouping.voice_of(layer) for layer in range(4)] == [0, 0, 1, None]
    assert not grouping.is_trivial
    assert grouping.describe() == "4 layers play as 2 voices, joined by root-sum-square: a (2), ab (2)"


def test_there_may_be_as_many_own_groups_as_voices():
    assert group_layers(["a", "b"], 2, {"x": ["a"], "y": ["b"]}).names == ("x", "y")


def test_own_groups_are_found_by_globs_of_either_case_alone():
    assert group_layers(["Fc", "fc", "fc1"], groups={"x": ["fc*"]}).groups[0].layers == (1, 2)


@pytest.mark.parametrize(
    ("layers", "most", "names"),
    [
        # More than half of the layers are in one part: it is divided among the voices that are left.
        ([f"h.{i}" for i in range(7)], 3, ("h.0-2", "h.3-5", "h.6")),
        (["in", *(f"h.{i}" for i in range(7)), "out"], 4, ("in", "h.0-3", "h.4-6", "out")),
        # Exactly half is not more than half.
        (["a.0", "a.1", "b.0", "b.1"], 3, ("a", "b")),
        # No voice is left for a division.
        (["a.0", "a.1", "a.2", "b"], 2, ("a", "b")),
        # A beginning that another layer has, too, is no name.
        (["a.x", "a.y", "b", "a.z"], 3, ("a.x-y", "b", "a.z")),
    ],
)
def test_names_of_runs_of_neighbours(layers, most, names):
    assert group_layers(layers, most).names == names


def test_own_groups_and_the_alarm_names_the_layer():
    norms = np.ones((4, len(RESNET)))
    norms[2, 5] = np.nan
    run = Recording(RESNET, np.arange(4), norms)
    score = compose(run, groups={"stages": ["layer*"], "head": ["fc"]})
    assert [voice.name for voice in score.voices] == ["stages", "head", "alarm"]
    assert len(score) == 8
    marks = score.marks.of("nan")
    assert marks.text.tolist() == [f"NaN in {RESNET[5]} at step 2"]
    assert score.onset[score.of_voice(2)].tolist() == marks.time.tolist()


def test_a_deep_model_plays_on_fifteen_channels_at_most():
    score = compose(Recording(DEEP, np.arange(3), np.ones((3, len(DEEP)))))
    assert len({voice.channel for voice in score.voices}) == len(score.voices) == 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_voices": 0}, "0 voices are not possible"),
        ({"max_voices": 16}, "16 voices are not possible"),
        ({"groups": {"x": ["nothing*"]}}, "matches no layer"),
        ({"groups": {f"g{i}": ["embed"] for i in range(16)}}, "16 groups"),
        ({"groups": {}}, "0 groups"),
        ({"groups": {"x": ["embed"], "y": ["head"]}, "max_voices": 1}, "2 groups"),
        ({"groups": {"x": "embed"}}, "must be a table"),
        ({"groups": {"x": ["embed", 1]}}, "must be a table"),
        ({"groups": {"x": []}}, "matches no layer"),
    ],
)
def test_bad_groups(options, message):
    with pytest.raises(InputError, match=message):
        group_layers(DEEP, **options)
