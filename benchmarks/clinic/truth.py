"""What is known of a run, and whether it can be seen: a comparison with the healthy twin, which no rule takes part in.

A fault that acts is not always one that shows: Adam hardly notices a loss that is summed rather than averaged. So each
run with a fault is compared with the healthy run of the same architecture, weights and data order, step by step from
the onset. What the two differ in is a way in which the fault shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording import Recording

WINDOW = 20  # steps of a running median, fewer just after the onset
LASTING = 10  # steps that a difference has to last
FACTOR = 5.0  # between the medians of a run and its twin
SPIKE = 20.0  # times the twin at the same step, and times the run's own median before
ABOVE, AROUND = 3.0, 50  # and so many times the twin's largest value within so many steps, as small batches have peaks
NOISE, LEAST_NOISE = 3.0, 0.5  # times the twin's median change of the log between two steps, and at least so much
STILL = 1e-3  # of the twin's update ratio
FLAT_WINDOW, FLAT, FALLS = 50, 1.5, 2.0  # the run's loss stays within FLAT while the twin's falls to 1 / FALLS
LEAST, MOST = np.log(1e-30), np.log(1e30)  # what is outside is zero or overflows, which are ways of their own

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WAYS = ("nan", "inf", "zero", "spike", "larger", "smaller", "noise", "frozen", "loss-higher", "loss-flat")


class Truth(NamedTuple):
    """What is known of a run.

    Attributes:
        arch: a name in :data:`benchmarks.clinic.wards.WARDS`.
        fault: a name in :data:`benchmarks.clinic.faults.FAULTS`, or ``"healthy"`` or ``"healthy-…"``.
        seed: of weights, data order and onset.
        onset: the step from which the fault acts; None in a healthy run.
        layers: those that are meant by the fault; none where it is the whole net.
        shown: the first step at which each way of showing is seen, by a name in :data:`WAYS`.
        held_out: whether rules may not be tuned on this run.
        harm: the median loss of the last 50 steps, divided by the twin's of the same steps; Inf where it is not finite,
            1 in a healthy run. A fault can show without doing harm, as a missing warm-up that turned out well.
    """

    arch: str
    fault: str
    seed: int
    onset: int | None
    layers: tuple[str, ...]
    shown: Mapping[str, int]
    held_out: bool
    harm: float = 1.0

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with the run."""
        return self.onset is None

    @property
    def ways(self) -> frozenset[str]:
        """How the fault shows; empty where it does not, and in a healthy run."""
        return frozenset(self.shown)

    @property
    def shows(self) -> bool:
        """Whether norms, update ratios or the loss can tell this run from its healthy twin."""
        return bool(self.shown)

    @property
    def shown_at(self) -> int | None:
        """The first step at which the fault shows, from the onset on; None if it does not."""
        return min(self.shown.values(), default=None)


def ratios(recording: Recording) -> Floats:
    """Update ratio of each layer at each step, (N, L)."""
    return np.column_stack([recording.metrics[f"update_ratio {layer}"] for layer in recording.layers])


def shown(run: Recording, twin: Recording, onset: int) -> dict[str, int]:
    """The first step at which each way of showing is seen; see :func:`ways`."""
    found = ways(run, twin, onset)
    return {way: onset + int(np.argmax(mask.any(axis=1))) for way, mask in found.items() if mask.any()}


def ways(run: Recording, twin: Recording, onset: int) -> dict[str, Mask]:
    """Where each way of showing is seen, by a name in :data:`WAYS`: (N − onset, L), or (N − onset, 1) for the loss.

    Args:
        run: with a fault, steps counted from 0 without holes.
        twin: healthy, with the same layers, at least as long.
        onset: from which step they are compared.
    """
    part = slice(onset, len(run))
    norms, usual, gaps = run.norms[part], twin.norms[part], run.gaps[part] & ~twin.gaps[part]
    loss, usual_loss = run.metrics["loss"][part, None], twin.metrics["loss"][part, None]
    bare, bare_usual = _log(norms), _log(usual)
    typical, usual_typical = _medians(bare), _medians(bare_usual)
    # A spike at the onset has a past.
    before = np.vstack([_log(run.norms[max(0, onset - WINDOW) : onset]), bare])
    past = _medians(before)[len(before) - len(bare) - 1 : -1] if onset else np.vstack([bare_usual[:1], typical[:-1]])
    finite = np.isfinite(norms)
    return {
        "nan": np.isnan(np.hstack([np.where(gaps | run.gaps[part], 0.0, norms), loss])),
        "inf": np.isinf(np.hstack([norms, loss])),
        "zero": (norms == 0) & (usual != 0),
        "spike": finite
        & (bare - bare_usual >= np.log(SPIKE))
        & (bare - past >= np.log(SPIKE))
        & (bare - _largest_around(_log(twin.norms))[part] >= np.log(ABOVE)),
        "larger": _lasts((typical - usual_typical > np.log(FACTOR)) & (typical < MOST)),
        "smaller": _lasts((typical - usual_typical < -np.log(FACTOR)) & (typical > LEAST)),
        "noise": _lasts(_noisier(bare, bare_usual)),
        "frozen": gaps | _lasts(_still(ratios(run)[part], ratios(twin)[part])),
        "loss-higher": _lasts((_medians(_log(loss)) - _medians(_log(usual_loss)) > np.log(FACTOR)) & np.isfinite(loss)),
        "loss-flat": _flat(_log(loss), _log(usual_loss)),
    }


def harm(run: Recording, twin: Recording) -> float:
    """The median loss of a run's last steps, divided by the twin's of the same steps; Inf if it is not finite."""
    last = slice(max(0, len(run) - FLAT_WINDOW), len(run))
    ours, usual = (float(np.median(one.metrics["loss"][last])) for one in (run, twin))
    return ours / usual if np.isfinite(ours) else np.inf


def _log(values: Floats) -> Floats:
    """The logarithm between LEAST and MOST; NaN counts as MOST, which no comparison takes for a value."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Floats = np.clip(np.nan_to_num(np.log(values), nan=MOST, posinf=MOST, neginf=LEAST), LEAST, MOST)
    return logs


def _medians(values: Floats, window: int = WINDOW) -> Floats:
    """The median of each step and those before it, at most ``window`` of them, per column."""
    first = [np.median(values[: i + 1], axis=0) for i in range(min(window - 1, len(values)))]
    if len(values) < window:
        return np.array(first)
    rest = np.median(np.lib.stride_tricks.sliding_window_view(values, window, axis=0), axis=-1)
    return np.vstack([*first, rest])


def _largest_around(values: Floats) -> Floats:
    padded = np.pad(values, ((AROUND, AROUND), (0, 0)), mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1, axis=0).max(axis=-1))


def _lasts(mask: Mask, steps: int = LASTING) -> Mask:
    """Where a stretch of at least ``steps`` True begins or continues, per column, told of its first step already."""
    if len(mask) < steps:
        return np.zeros_like(mask)
    whole = np.asarray(np.lib.stride_tricks.sliding_window_view(mask, steps, axis=0).all(axis=-1))
    return np.vstack([whole, np.zeros((steps - 1, mask.shape[1]), dtype=bool)])


def _noisier(values: Floats, usual: Floats) -> Mask:
    """Where the median change from one step to the next is larger; a jump to another level is one such change."""
    if len(values) <= WINDOW:
        return np.zeros_like(values, dtype=bool)
    change, usual_change = (_medians(np.abs(np.diff(one, axis=0)))[WINDOW - 1 :] for one in (values, usual))
    noisy = change >= np.maximum(NOISE * usual_change, LEAST_NOISE)
    whole = np.lib.stride_tricks.sliding_window_view((values > LEAST) & (values < MOST), WINDOW + 1, axis=0).all(
        axis=-1
    )
    return np.vstack([np.zeros((WINDOW, values.shape[1]), dtype=bool), noisy & whole])


def _still(values: Floats, usual: Floats) -> Mask:
    return np.asarray(_medians(_log(values)) < _medians(_log(usual)) + np.log(STILL))


def _flat(loss: Floats, usual: Floats) -> Mask:
    """Where the twin's loss has fallen, in a run whose loss never changes."""
    if len(loss) < 2 * FLAT_WINDOW:
        return np.zeros_like(loss, dtype=bool)
    ours, twins = (_medians(one, FLAT_WINDOW)[FLAT_WINDOW - 1 :] for one in (loss, usual))
    flat = np.ptp(ours) < np.log(FLAT) and ours.max() < MOST
    fallen = _lasts(twins < twins[0] - np.log(FALLS))
    return np.vstack([np.zeros((FLAT_WINDOW - 1, 1), dtype=bool), fallen & flat])
