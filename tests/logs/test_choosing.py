"""Names as trainers give them: which are gradient norms, which are metrics, and what the layers are then called."""

import pytest

from gradmidi.errors import InputError
from gradmidi.logs.choosing import choose_layers, choose_metrics, choose_step, fits, layer_names

# what a run has, what is chosen of it, and the names of the layers
RUNS = [
    (["train/loss", "train/grad_norm", "train/epoch"], ["train/grad_norm"], ["train/grad_norm"]),
    (
        ["grad_2.0_norm/a.weight", "grad_2.0_norm/b.weight", "grad_2.0_norm_total", "lr-SGD"],
        ["grad_2.0_norm/a.weight", "grad_2.0_norm/b.weight"],
        ["a.weight", "b.weight"],
    ),
    (
        ["grad/conv1/norm", "grad/conv1/mean", "grad/fc1/norm", "grad/fc1/max"],
        ["grad/conv1/norm", "grad/fc1/norm"],
        ["conv1", "fc1"],
    ),
    (
        ["gradients/h.0.layer_norm", "gradients/h.1.mlp", "gradient_norm/h.0.layer_norm", "gradient_norm/h.1.mlp"],
        ["gradient_norm/h.0.layer_norm", "gradient_norm/h.1.mlp"],
        ["h.0.layer_norm", "h.1.mlp"],
    ),
    (["conv1.grad_norm", "fc1.grad_norm", "grad_norm", "loss"], ["conv1.grad_norm", "fc1.grad_norm"], ["conv1", "fc1"]),
    (["Grads/conv1", "Grads/fc1", "Weights/fc1"], ["Grads/conv1", "Grads/fc1"], ["conv1", "fc1"]),
    (["l2_norm/grad/conv1", "l2_norm/grad/fc1"], ["l2_norm/grad/conv1", "l2_norm/grad/fc1"], ["conv1", "fc1"]),
    (["a/b/GradNorm", "a/c/GradNorm"], ["a/b/GradNorm", "a/c/GradNorm"], ["a/b", "a/c"]),
    (["grad_norm_conv1", "grad_norm_fc1"], ["grad_norm_conv1", "grad_norm_fc1"], ["grad_norm_conv1", "grad_norm_fc1"]),
    (["grad.blocks.0", "grad.blocks.1"], ["grad.blocks.0", "grad.blocks.1"], ["blocks.0", "blocks.1"]),
    (["total_grad_norm"], ["total_grad_norm"], ["total_grad_norm"]),
]


@pytest.mark.parametrize(("names", "chosen", "layers"), RUNS)
def test_gradient_norms_are_found_by_their_names(names, chosen, layers):
    assert choose_layers(names, None, "x") == chosen
    assert layer_names(chosen) == tuple(layers)


@pytest.mark.parametrize(
    "names", [[], ["loss", "lr"], ["upgrade", "degradation"], ["grad_accumulation", "weight_norm"]]
)
def test_what_does_not_look_like_one_is_not_taken(names):
    with pytest.raises(InputError, match="no column looks like a gradient norm"):
        choose_layers(names, None, "x")


def test_a_message_lists_a_dozen_names_at_most():
    with pytest.raises(InputError, match=r"there are a0, a1, .*, a11 and 88 more;"):
        choose_layers([f"a{i}" for i in range(100)], None, "x")


def test_a_message_stays_short_where_names_are_long():
    with pytest.raises(InputError) as caught:
        choose_layers([f"{i}/" + 1000 * "a" for i in range(100)], None, "x")
    assert " and 96 more;" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_globs_keep_the_logs_order_and_may_be_one_text():
    assert choose_layers(["b", "a", "c"], ["a", "b"], "x") == ["b", "a"]
    assert choose_layers(["b", "a", "c"], "c", "x") == ["c"]
    assert choose_layers(["w[0]", "w0"], ["w[0]"], "x") == ["w[0]", "w0"], "a name as it is, and a glob"


def test_slash_and_dot_are_the_same_in_globs():
    assert fits("grad/conv1/norm", ["grad.*.norm"])
    assert fits("grad.conv1.norm", ["grad/*/norm"])
    assert not fits("grad_conv1", ["grad/*"])


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["val/loss", "train/loss", "train/epoch"], {"loss": "train/loss", "epoch": "train/epoch"}),
        (["Loss/test", "Loss/train", "Learning_Rate"], {"loss": "Loss/train", "lr": "Learning_Rate"}),
        (["train_loss_step", "lr-AdamW"], {"loss": "train_loss_step", "lr": "lr-AdamW"}),
        (["val_loss", "accuracy"], {}),
    ],
)
def test_metrics_are_found_by_their_names(names, known):
    assert choose_metrics(names, None, "x") == known


def test_chosen_metrics_keep_their_names_but_for_those_that_are_heard():
    names = ["train/loss", "val/loss", "accuracy"]
    assert choose_metrics(names, ["*loss", "acc*"], "x") == {
        "loss": "train/loss",
        "val/loss": "val/loss",
        "accuracy": "accuracy",
    }


def test_the_optimizers_own_count_comes_before_the_loggers():
    assert choose_step(["_step", "trainer/global_step", "a"], None, "x") == "trainer/global_step"
    assert choose_step(["Step", "a"], None, "x") == "Step"
    assert choose_step(["_step", "a"], "a", "x") == "a"
