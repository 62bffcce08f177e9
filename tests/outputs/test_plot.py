"""gm.plot and score.plot: the file that save_picture writes, and a figure that a notebook shows."""

from __future__ import annotations

import inspect
import re

import pytest

import gradmidi as gm
from gradmidi.composition.options import COMPOSE_DEFAULTS
from gradmidi.outputs.picture import save_picture


def test_a_recording_is_composed_and_drawn(sick, tmp_path):
    gm.plot(sick, tmp_path / "a.svg", scale="D dorian", duration=5, size="1000x600")
    score = gm.compose(sick, scale="D dorian", duration=5)
    save_picture(score, sick, tmp_path / "b.svg", (1000, 600))
    score.plot(tmp_path / "c.svg", recording=sick, size=(1000, 600))
    drawn = [(tmp_path / f"{name}.svg").read_bytes() for name in "abc"]
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_score_alone_has_no_loss_but_its_anomalies(sick, tmp_path):
    figure = gm.compose(sick).plot(tmp_path / "alone.svg")
    assert [axes.get_ylabel() for axes in figure.axes].count("loss") == 0
    assert [axes.get_ylabel() for axes in gm.plot(sick).axes].count("loss") == 1
    text = (tmp_path / "alone.svg").read_text(encoding="utf-8")
    assert {"NaN", "Inf", "spike", "exactly zero"} <= set(re.findall(r">([^<>]+)</text>", text))


def test_a_notebook_shows_the_figure(healthy):
    figure = gm.plot(healthy, size=(400, 400))
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(figure)
    data = shown["image/png"]
    assert data.startswith(b"\x89PNG")
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (400, 400)


def test_the_signature_shows_every_option():
    shown = inspect.signature(gm.plot).parameters
    assert all(shown[name].default == default for name, default in COMPOSE_DEFAULTS.items())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rec: gm.plot("norms.csv"), "takes a score or a recording, not 'str'"),
        (lambda rec: gm.plot(gm.compose(rec), scale="D dorian"), "scale is about composing"),
        (lambda rec: gm.plot(gm.compose(rec), duration=5), "duration is about composing"),
        (lambda rec: gm.plot(rec, size="big"), "'big' is not a size"),
        (lambda rec: gm.plot(rec, size=(400,)), "is not a size"),
        (lambda rec: gm.plot(rec, size=(4, 400)), "each side"),
        (lambda rec: gm.plot(rec, "run.gif"), "pictures are written as"),
    ],
)
def test_what_cannot_be_drawn(call, message, healthy):
    with pytest.raises(gm.InputError, match=message):
        call(healthy)
