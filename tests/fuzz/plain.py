"""What may be shown to a person: told from Unicode's own tables, not from the code that has to see to it."""

from __future__ import annotations

import unicodedata

STEERING = {"Cc", "Cs", "Zl", "Zp"}  # controls, lone surrogates, line and paragraph separators
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def is_plain(text: str) -> bool:
    """Whether ``text`` is one line that moves no cursor and turns no reading direction."""
    return not any(unicodedata.category(c) in STEERING or unicodedata.bidirectional(c) in TURNING for c in text)
