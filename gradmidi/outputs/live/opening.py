"""Opening a port for a performance, whoever performs."""

from __future__ import annotations

from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.outputs.live.link import Link
from gradmidi.outputs.live.player.libraries import CLIENT
from gradmidi.outputs.live.player.targets import SYNTH
from gradmidi.outputs.live.transport import Transport

DEFAULT_MAX_RATE = 800.0  # messages per second; a DIN cable carries 31,250 / 30 = 1,041 of three bytes
RATES = (50.0, 10_000.0)
SETTLE_VIRTUAL = 0.3  # s for programs that wait for our port to connect to it before the setup is sent
SETTLE = 0.02  # s


def open_transport(
    port: str | Transport | None, *, backend: str | None, soundfont: str | Path | None, max_rate: float
) -> Transport:
    """A player on ``port``; ``None`` opens a virtual port called ``gradmidi``, and what is open already is returned.

    Raises:
        InputError: a rate out of range, an unknown port or backend, an unreadable SoundFont.
        MissingPartError: something has to be installed or started first.
    """
    if not RATES[0] <= max_rate <= RATES[1]:
        raise InputError(
            f"a rate of {max_rate:g} messages per second is out of range; use {RATES[0]:g} to {RATES[1]:g}"
        )
    if port is not None and not isinstance(port, str):
        return port
    name = port or CLIENT
    chosen = _soundfont(soundfont) if name.startswith(SYNTH) else None
    return Link(name, backend=backend, soundfont=chosen, max_rate=max_rate)


def settle_time(link: Transport) -> float:
    """s to wait after opening before the first message."""
    return SETTLE_VIRTUAL if link.port == CLIENT else SETTLE


def _soundfont(given: str | Path | None) -> str:
    from gradmidi.outputs.soundfont_check import check_soundfont
    from gradmidi.outputs.soundfont_choice import find_soundfont

    found = find_soundfont(given)
    check_soundfont(found)
    return str(found)
