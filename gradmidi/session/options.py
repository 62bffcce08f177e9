"""What listen accepts besides its own arguments: how to measure, how to make notes, how to perform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from gradmidi.composition.options import COMPOSE_DEFAULTS, ComposeOptions
from gradmidi.errors import InputError
from gradmidi.outputs.live.options import LIVE_DEFAULTS, LiveOptions

if TYPE_CHECKING:
    from torch.amp.grad_scaler import GradScaler

    from gradmidi.measure.layers import LayerChoice


class ProbeOptions(TypedDict, total=False):
    """How norms are measured; see :class:`gradmidi.measure.probe.GradientProbe`.

    Attributes:
        layers: ``"auto"``, ``"all"``, names or globs of modules, or a callable ``(name, module) -> bool``.
        parameters: ``"weights"``, ``"biases"`` or ``"all"``.
        quantities: what is measured; the first one becomes the notes, the others become metrics.
        when: ``"after-clip"`` or ``"before-clip"``.
        every: measure every so many steps, or a callable from the step to whether it is measured.
        scaler: the GradScaler of automatic mixed precision.
    """

    layers: LayerChoice
    parameters: str
    quantities: Sequence[str]
    when: str
    every: int | Callable[[int], bool]
    scaler: GradScaler | None


PROBE_DEFAULTS: ProbeOptions = {
    "layers": "auto",
    "parameters": "weights",
    "quantities": ("grad_norm",),
    "when": "after-clip",
    "every": 1,
    "scaler": None,
}


class ListenOptions(ProbeOptions, LiveOptions, ComposeOptions, total=False):
    """All of :class:`ProbeOptions`, :class:`LiveOptions` and :class:`ComposeOptions`."""


LISTEN_DEFAULTS: Mapping[str, Any] = {**PROBE_DEFAULTS, **LIVE_DEFAULTS, **COMPOSE_DEFAULTS}


def check_names(options: Mapping[str, Any]) -> None:
    """Refuse a mistyped option, which would otherwise go unnoticed without live sound.

    Raises:
        InputError: an unknown option.
    """
    for name in options:
        if name not in LISTEN_DEFAULTS:
            raise InputError(
                f"listen() has no option {name!r}; besides its arguments it has {', '.join(LISTEN_DEFAULTS)}"
            )


def some_of(options: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are in a table."""
    return {name: value for name, value in options.items() if name in table}
