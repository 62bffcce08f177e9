"""How a live performance is played: the one table of options behind listen and LiveOutput."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from gradmidi.outputs.live.opening import DEFAULT_MAX_RATE


class LiveOptions(TypedDict, total=False):
    """How a live performance is played; see :class:`gradmidi.outputs.live.LiveOutput`.

    Attributes:
        pace: what is played when training outruns the music: ``"peak"``, ``"latest"``, ``"mean"``, or ``"wait"``, which
            slows the training down to the music.
        clock: send MIDI clock, and begin steps on its ticks.
        cc: metrics as controllers of the first layer's channel, such as ``"loss=74"``.
        max_rate: MIDI messages per second, 50–10,000.
        tuning: ``"auto"``, ``"12tet"``, ``"bend"`` or ``"mts"``.
        backend: a MIDI system, library or both: ``"jack"``, ``"rtmidi2"``, ``"rtmidi2/jack"``.
        soundfont: for the port ``"fluidsynth"``.
    """

    pace: str
    clock: bool
    cc: Sequence[str]
    max_rate: float
    tuning: str
    backend: str | None
    soundfont: str | Path | None


LIVE_DEFAULTS: LiveOptions = {
    "pace": "peak",
    "clock": False,
    "cc": (),
    "max_rate": DEFAULT_MAX_RATE,
    "tuning": "auto",
    "backend": None,
    "soundfont": None,
}
