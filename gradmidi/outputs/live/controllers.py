"""Metrics as MIDI controllers: ``loss=74`` moves controller 74 as the smoothed loss moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradmidi.errors import InputError
from gradmidi.recording import Recording

SMOOTHING = 0.1  # of the newest value, in the running mean
LEAST_INTERVAL = 0.02  # s between two messages of one controller: 50 per second
FULL = 127
# Controllers used by the setup or the panic, or that have a meaning for every receiver.
TAKEN = {0, 6, 7, 10, 32, 38, 64, *range(96, 102), *range(120, 128)}
EXAMPLE = "write it as loss=74, or with a range as loss=74:0..2.5"


@dataclass
class Controller:
    """One metric on one controller.

    Attributes:
        metric: its name in the recording.
        number: of the controller, 0–127.
        low, high: the metric's values at 0 and 127. Without a given range they are 0 and 1, and widen as it moves.
    """

    metric: str
    number: int
    low: float = 0.0
    high: float = 1.0
    fixed: bool = False
    mean: float = float("nan")
    value: int = -1
    sent_at: float = float("-inf")

    def hear(self, rows: Recording, now: float) -> int | None:
        """The controller's new value (0–127), or None if it is unchanged, unknown or too early."""
        for newest in rows.metrics[self.metric].tolist() if self.metric in rows.metrics else ():
            if abs(newest) < float("inf"):
                self.mean = newest if self.mean != self.mean else self.mean + SMOOTHING * (newest - self.mean)
        if self.mean != self.mean:
            return None
        if not self.fixed:
            self.low, self.high = min(self.low, self.mean), max(self.high, self.mean)
        share = (self.mean - self.low) / (self.high - self.low)
        value = round(FULL * min(max(share, 0.0), 1.0))
        if value == self.value or now - self.sent_at < LEAST_INTERVAL:
            return None
        self.value, self.sent_at = value, now
        return value


def parse_controllers(texts: Sequence[str]) -> list[Controller]:
    """Controllers of texts such as ``"loss=74"`` and ``"accuracy=75:0..1"``.

    Raises:
        InputError: not of this form, or a controller that is taken already.
    """
    controllers: list[Controller] = []
    for text in texts:
        controller = _parse(text)
        taken = TAKEN | {other.number for other in controllers}
        if not 0 <= controller.number <= FULL or controller.number in taken:
            raise InputError(
                f"controller {controller.number} of {text!r} is not free; use another, such as 74 or 20 to 31"
            )
        controllers.append(controller)
    return controllers


def _parse(text: str) -> Controller:
    metric, _, rest = text.partition("=")
    number, _, limits = rest.partition(":")
    try:
        if not metric.strip():
            raise ValueError
        if not limits:
            return Controller(metric.strip(), int(number))
        low, high = (float(limit) for limit in limits.split(".."))
        if not low < high:
            raise ValueError
        return Controller(metric.strip(), int(number), low, high, fixed=True)
    except ValueError:
        raise InputError(f"{text!r} is not a metric and a controller; {EXAMPLE}") from None
