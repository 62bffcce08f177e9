"""The public surface: every name loads, and a signature shows every option."""

from __future__ import annotations

import argparse
import inspect

import pytest

import gradmidi as gm
from gradmidi.cli.options import add_sound_options, compose_options
from gradmidi.composition.composer import Composer
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.session.options import LISTEN_DEFAULTS, ListenOptions
from gradmidi.signatures import option_types


@pytest.mark.parametrize("name", gm.__all__)
def test_every_public_name_loads(name):
    assert getattr(gm, name) is not None


def test_compose_shows_every_option_with_its_default():
    shown = inspect.signature(gm.compose).parameters
    assert set(COMPOSE_DEFAULTS) == set(option_types(ComposeOptions)) <= set(shown)
    assert all(shown[name].default == default for name, default in COMPOSE_DEFAULTS.items())
    assert "options" not in shown


def test_listen_shows_every_option_with_its_default():
    shown = inspect.signature(gm.listen).parameters
    assert set(LISTEN_DEFAULTS) == set(option_types(ListenOptions)) <= set(shown)
    assert all(shown[name].default == default for name, default in LISTEN_DEFAULTS.items())
    assert {"layers", "every", "pace", "cc", "scale", "mapping"} <= set(shown), "of all three tables"
    assert "options" not in shown


NOT_TEXT = {"timing", "parts"}  # --unit with --tempo, and --voices, say the same


def test_the_command_line_has_every_option_of_compose_with_its_default():
    parser = argparse.ArgumentParser()
    add_sound_options(parser)
    options = vars(parser.parse_args([]))
    assert set(COMPOSE_DEFAULTS) - NOT_TEXT <= set(options)
    given = compose_options(parser.parse_args([]))
    own = Composer(["a"], **given)
    plain = Composer(["a"])
    assert (own.scale, own.timing, own.style, own.parts) == (plain.scale, plain.timing, plain.style, plain.parts)
    assert (own.about, own.title) == (plain.about, plain.title)
    for name in ("invert", "beyond", "hysteresis", "dynamics", "style", "max_voices", "groups", "voices", "title"):
        assert options[name] == COMPOSE_DEFAULTS[name], name


def test_an_option_that_does_not_exist():
    with pytest.raises(TypeError, match="no option 'scael'"):
        gm.compose(gm.Recording.from_arrays([[1.0]]), scael="D dorian")
