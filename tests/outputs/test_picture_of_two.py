"""The picture of two runs: the same axes for both, no part over another, whatever went wrong."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import gradmidi as gm
from gradmidi.errors import InputError
from gradmidi.outputs.picture.two_runs import DEFAULT_SIZE
from gradmidi.recording import Recording


def part(figure, label: str):
    """The axes of the notes (A above B) or of the loss."""
    return [axes for axes in figure.axes if axes.get_ylabel().startswith(label)]


def test_both_runs_have_the_same_axes(healthy, sick):
    figure = gm.compare(healthy, sick).plot()
    upper, lower = part(figure, "pitch")
    assert upper.get_ylim() == lower.get_ylim()
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_position().width == lower.get_position().width
    assert upper.get_position().height == pytest.approx(lower.get_position().height)
    assert upper.get_position().y0 > lower.get_position().y1
    played = gm.compare(healthy, sick).score
    heard = played.frequency[played.pitched]
    low, high = upper.get_ylim()
    assert low < heard.min() and heard.max() < high


def test_the_axis_counts_optimizer_steps(healthy):
    shifted = Recording(healthy.layers, healthy.steps * 10 + 1000, healthy.norms, healthy.metrics)
    figure = gm.compare(shifted, shifted).plot()
    lowest = figure.axes[-1]
    assert lowest.get_xlabel() == "optimizer step"
    step = lowest.get_xlim()[1] / 201  # s from row to row
    for place, label in zip(lowest.get_xticks(), lowest.get_xticklabels(), strict=True):
        assert place / step == pytest.approx((int(label.get_text()) - 1000) / 10)


def test_both_losses_are_in_one_graph_and_look_different(healthy, sick):
    other = Recording(sick.layers, sick.steps, sick.norms, {"loss": np.linspace(3, 1, 201)})
    (axes,) = part(gm.compare(healthy, other).plot(), "loss")
    first, second = axes.get_lines()
    np.testing.assert_allclose(first.get_ydata(), healthy.metrics["loss"])
    np.testing.assert_allclose(second.get_ydata(), np.linspace(3, 1, 201))
    assert first.get_linestyle() != second.get_linestyle()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["loss of A", "loss of B"]


def test_colours_mean_the_same_layers(healthy, sick):
    upper, lower = part(gm.compare(healthy, sick).plot(), "pitch")
    colours = [[tuple(lines.get_color()[0]) for lines in axes.collections] for axes in (upper, lower)]
    assert colours[0] == colours[1] and len(set(colours[0])) == 4
    assert [text.get_text() for text in upper.get_legend().get_texts()] == list(healthy.layers)
    assert lower.get_legend() is None


def broken(healthy: Recording) -> Recording:
    """A run in which nearly everything goes wrong."""
    norms, loss = healthy.norms.copy(), np.full(201, 2.3)
    norms[30:60, 0] = 0.0
    norms[70:110] *= 1e4
    norms[100, 2] = np.inf
    norms[150:] = np.nan
    loss[80:90] *= 1e6
    return Recording(healthy.layers, healthy.steps, norms, {"loss": loss})


@pytest.mark.parametrize("size", [DEFAULT_SIZE, (400, 400), (900, 500)])
@pytest.mark.parametrize("how", ["left-right", "alternating"])
def test_nothing_lies_over_anything_else(healthy, sick, size, how):
    figure = gm.compare(broken(healthy), sick, names=["runs/a.csv", "runs/b.csv"], how=how).plot(size=size)
    renderer = figure.canvas.get_renderer()
    boxes = {
        f"{axes.get_ylabel()} {number}": axes.get_window_extent(renderer) for number, axes in enumerate(figure.axes)
    }
    boxes |= {f"text {text.get_text()[:20]}": text.get_window_extent(renderer) for text in figure.texts}
    boxes |= {
        f"legend {number}": axes.get_legend().get_window_extent(renderer)
        for number, axes in enumerate(figure.axes)
        if axes.get_legend()
    }
    for (name, one), (other_name, other) in combinations(boxes.items(), 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        down = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or down <= 1, f"{name} and {other_name}"
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height + 1 for box in boxes.values())
    assert tuple(figure.bbox.size.round().astype(int)) == size


def test_kinds_without_room_are_named(healthy):
    figure = gm.compare(broken(healthy), broken(healthy)).plot(size=(1000, 400))
    assert any("; also " in text.get_text() for text in figure.texts)


def test_a_file_is_written_and_a_notebook_shows_it(healthy, sick, tmp_path):
    comparison = gm.compare(healthy, sick)
    figure = comparison.plot(tmp_path / "ab.png", size="800x600")
    data = (tmp_path / "ab.png").read_bytes()
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (800, 600)
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="pictures are written as"):
        comparison.plot(tmp_path / "ab.gif")


@pytest.mark.parametrize("norms", [np.full((5, 2), np.nan), np.zeros((5, 2)), np.ones((1, 1)), np.full((3, 2), 5e-324)])
def test_strange_runs_have_a_picture_too(norms, tmp_path):
    run = Recording.from_arrays(norms, loss=np.full(len(norms), np.inf))
    gm.compare(run, run).plot(tmp_path / "ab.svg")
    assert "optimizer step" in (tmp_path / "ab.svg").read_text()
