"""docs/events.md says what the rules do: a section and a picture of each kind, and the figures of the code."""

import re
from pathlib import Path

import pytest

from gradmidi.events import KINDS
from gradmidi.events.rules import DEFAULTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "events.md").read_text(encoding="utf-8")
FIGURE = re.compile(r"`(\w+)` = ([\d⁻⁰¹²³⁴⁵⁶⁷⁸⁹.]*[\d⁰¹²³⁴⁵⁶⁷⁸⁹])( %)?")
POWER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def test_every_kind_has_a_section_in_the_order_of_the_table():
    assert re.findall(r"^### ([\w-]+)$", PAGE, re.MULTILINE) == sorted(
        KINDS, key=re.findall(r"^### ([\w-]+)$", PAGE, re.MULTILINE).index
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "finished"])
def test_every_kind_has_its_picture(kind):
    assert f"](events/{kind}.svg)" in PAGE
    assert (DOCS / "events" / f"{kind}.svg").stat().st_size < 100_000


def test_the_figures_of_the_page_are_those_of_the_rules():
    said = {}
    for name, figure, percent in FIGURE.findall(PAGE):
        mantissa, _, power = figure.partition("10⁻")
        value = 10.0 ** -float(power.translate(POWER)) if power else float(mantissa)
        said[name] = value / 100 if percent else value
    assert said.keys() == set(DEFAULTS._fields)
    for name, value in said.items():
        assert value == pytest.approx(getattr(DEFAULTS, name)), name
