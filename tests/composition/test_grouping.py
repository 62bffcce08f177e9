"""Deep models as at most 15 voices."""

import numpy as np
import pytest

from gradmidi.composition import compose
from gradmidi.composition.grouping import group_layers
from gradmidi.errors import InputError
from gradmidi.recording import Recording

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
    ],
)
def test_bad_groups(options, message):
    with pytest.raises(InputError, match=message):
        group_layers(DEEP, **options)
