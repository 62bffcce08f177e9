"""The public surface: every name loads, and a signature shows every option."""

from __future__ import annotations

import inspect

import pytest

import gradmidi as gm
from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.signatures import option_types


@pytest.mark.parametrize("name", gm.__all__)
def test_every_public_name_loads(name):
    assert getattr(gm, name) is not None


def test_compose_shows_every_option_with_its_default():
    shown = inspect.signature(gm.compose).parameters
    assert set(COMPOSE_DEFAULTS) == set(option_types(ComposeOptions)) <= set(shown)
    assert all(shown[name].default == default for name, default in COMPOSE_DEFAULTS.items())
    assert "options" not in shown


def test_an_option_that_does_not_exist():
    with pytest.raises(TypeError, match="no option 'scael'"):
        gm.compose(gm.Recording.from_arrays([[1.0]]), scael="D dorian")
