"""Live MIDI: notes sent on time by a child process while the training continues undisturbed.

The names load on first use, as the player process, which must start at once, imports this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradmidi.outputs.live.output import LiveOutput
    from gradmidi.outputs.live.playback import play
    from gradmidi.outputs.live.ports import Port, list_ports
    from gradmidi.outputs.live.report import LiveReport

_HOME = {"LiveOutput": "output", "LiveReport": "report", "Port": "ports", "list_ports": "ports", "play": "playback"}

__all__ = ["LiveOutput", "LiveReport", "Port", "list_ports", "play"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradmidi.outputs.live' has no attribute {name!r}")
    return getattr(import_module(f"gradmidi.outputs.live.{_HOME[name]}"), name)
