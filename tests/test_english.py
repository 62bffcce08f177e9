"""The docs, docstrings, comments and messages read like native technical English: translated turns stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNITS = r"layers?|steps?|seconds?|minutes?|quarters?|beats?|decades?|devices?|parameters?|modules?|voices?|bins?|runs?"
COUNTED = r"values?|norms?|channels?|files?|rows?|lines?|messages?|notes?|ticks?|units?|voices?"

# what is searched for (whatever the line breaks) → what it should be
TURNS = {
    rf"\b({COUNTED}|digits|octaves?|frames|points) an? ({UNITS}|message|tag|tensor|command)\b(?! of| that)": "per",
    r"\bthe s that\b": "the seconds that",
    r"\b(go|goes|going|went) on\b(?! top)": "continue",
    r"(?<!there\x20)\b(is|are) none\b(?! of\b)": "is not one; only 'there is none' is idiomatic",
    r"\bthat is none\b": "that is not a …",
    r"\bcan(not)? be had\b": "is (not) available",
    r"\bstands? there\b": "is there, appears",
    r"\bstands? (twice|such)\b": "appears",
    r"\b(nan|inf)`*( and `*(nan|inf)`*)? stand\b": "is written as",
    r"\bquarters a minute\b": "BPM",
    r"\b[Ss]ome (tenths|hundred|thousand|ten|thirty|seconds)\b(?! steps apart)": "a few, about",
    r"\bbeside\b(?! = |, )": "besides, next to, in addition to",
    r"\bset-ups?\b": "setup",
    r"\bin vain\b": "without effect",
    r"\bfor ever\b": "forever",
    r"\bmade anew\b": "recreated",
    r"\bbe it\b": "even if it is",
    r"\bwhole or not there at all\b": "complete or absent",
    r"\bfor a person\b": "in words, for people to read",
    r"\ba person (chose|gave|should know)\b": "the user",
    r"\band if wanted\b": "and optionally",
    r"\bnot even (one|that)\b": "less than one, not that either",
    r"\bof one's own\b": "your own, custom",
    r"\beach its own\b": "each has its own",
    r"\bknows nobody\b": "depends on nothing",
    r"\b(fits|fit) (no|none|nothing|several|one of)\b": "matches",
    r"\b(rank 0|loss|norm) alone\b": "only",
    r"\bcounted on\b": "the count continues",
    r"\btold (apart|from)\b(?! the)": "distinguished",
}


def texts() -> list[Path]:
    docs = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    return [ROOT / "README.md", *docs, *(ROOT / "gradmidi").rglob("*.py"), *(ROOT / "gradmidi").rglob("*.toml")]


def found(turn: str, text: str) -> list[tuple[int, str]]:
    """Line and words of each place; a turn may run over the end of a line, into the next line of a comment."""
    over_lines = re.compile(turn.replace(" ", r"(?:\s|\n\s*#\s)+(?:\"\s*f?\")?"))
    return [(text.count("\n", 0, place.start()) + 1, place.group()) for place in over_lines.finditer(text)]


@pytest.mark.parametrize(("turn", "better"), TURNS.items())
def test_no_translated_turns(turn: str, better: str) -> None:
    places = [
        f"{path.relative_to(ROOT)}:{line}: {words!r}; write {better!r}"
        for path in texts()
        for line, words in found(turn, path.read_text(encoding="utf-8"))
    ]
    assert not places, "\n" + "\n".join(places)


def test_a_turn_is_found_wherever_its_line_breaks() -> None:
    per = next(iter(TURNS))
    assert found(per, "one\nvalue a\n    layer") == [(2, "value a\n    layer")]
    assert found(per, "# one value\n    # a layer") and found(per, '"50 messages "\n  f"a second"')
    assert not found(per, "one value per layer, a value of a layer")
