"""Published rules that find faults in a training, each as its authors define it, on what a recording holds.

A recording holds the gradient norm of each layer, update ratios and the loss, but no single elements, activations or
accuracies; where a rule wants these, its docstring says what it is given in their place. Most of these rules
decide which gradient to clip or which step to leave out. Here such a step is an alarm. What clipping would have
done to the training that follows is not known, as the clinic's trainings do not clip.

Each rule has one threshold; a larger one makes it less sensitive. :data:`RULES` has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.recording import Recording

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Alarm(NamedTuple):
    """Something that a rule has found.

    Attributes:
        row: at which it was decided.
        kind: a name of gradmidi's kinds of event.
        layer: column of the layer, None where it is the whole net or the loss.
        text: for people.
    """

    row: int
    kind: str
    layer: int | None = None
    text: str = ""


Rule = Callable[[Recording], list[Alarm]]


class Published(NamedTuple):
    """A rule with its threshold.

    Attributes:
        rule: from a recording and a threshold to alarms, in any order; a state that lasts gives one in each row.
        threshold: as published.
        title: for a table.
    """

    rule: Callable[[Recording, float], list[Alarm]]
    threshold: float
    title: str


def not_finite(recording: Recording, threshold: float = 1.0) -> list[Alarm]:
    """What every script checks: a norm or the loss is NaN or infinite in ``threshold`` rows running.

    ``torch.amp.GradScaler`` leaves out such steps, Lightning's ``detect_anomaly`` and ``TerminateOnNaN`` end the run.
    """
    loss = recording.metrics["loss"]
    nan = (np.isnan(recording.norms) & ~recording.gaps).any(axis=1) | np.isnan(loss)
    inf = np.isinf(recording.norms).any(axis=1) | np.isinf(loss)
    return [*_alarms("nan", _running(nan, int(threshold))), *_alarms("inf", _running(inf, int(threshold)))]


def zclip(recording: Recording, threshold: float = 2.5) -> list[Alarm]:
    """ZClip: the norm of the whole gradient is more than ``threshold`` standard deviations above its mean.

    A. Kumar, L. Owen, N. Roy Chowdhury, F. Güra: ZClip: Adaptive Spike Mitigation for LLM Pre-Training. 2025,
    arXiv:2504.02507; github.com/bluorion-com/ZClip, mode ``"zscore"``, clip option ``"adaptive_scaling"``. Mean and
    variance begin with those of 25 warm-up steps and go on as exponential moving averages (α = 0.97) of the norms after
    clipping: a norm of z > 2.5 counts as mean + 2.5² σ / z.

    Adapted: rows whose norm is not finite are left out, as the first of them would leave the averages at NaN for good.
    The fixed limit of 1.0, which the code applies besides, is left out.
    """
    alpha, warm_up = 0.97, 25
    total = whole_norm(recording)
    rows = np.flatnonzero(np.isfinite(total))
    if len(rows) <= warm_up:
        return []
    begin = total[rows[:warm_up]]
    mean, variance = float(begin.mean()), float(begin.var())
    alarms = []
    for row in rows[warm_up:].tolist():
        norm = float(total[row])
        deviation = variance**0.5
        z = (norm - mean) / (deviation + 1e-6)
        if z > threshold:
            alarms.append(Alarm(row, "spike", text=f"z = {z:.3g}"))
            norm = mean + threshold * deviation * threshold / z
        mean = alpha * mean + (1 - alpha) * norm
        variance = alpha * variance + (1 - alpha) * (norm - mean) ** 2
    return alarms


def skip_step(recording: Recording, threshold: float = 6.0) -> list[Alarm]:
    """OLMo-core's skip-step optimizer: loss or norm are more than ``threshold`` σ above the mean of the last 128 steps.

    Team OLMo: 2 OLMo 2 Furious. 2025, arXiv:2501.00656; github.com/allenai/OLMo-core,
    ``optim/skip_step_optimizer.py``: ``rolling_interval_length=128``, ``sigma_factor=6``, nothing before 64 steps. A
    step that is left out stays in the window. A loss or norm that is not finite fails the comparison, and so does every
    one until it has left the window, as in the code.
    """
    length = 128
    loss, total = recording.metrics["loss"], whole_norm(recording)
    return [
        *_alarms("loss-spike", _outliers(loss, length, threshold)),
        *_alarms("spike", _outliers(total, length, threshold)),
    ]


def _outliers(values: Values, length: int, threshold: float) -> Mask:
    """Where a value is not within ``threshold`` standard deviations of the values before it, at most ``length``."""
    found = np.zeros(len(values), dtype=bool)
    first = length // 2 - 1  # the row that makes it length // 2 values
    with np.errstate(invalid="ignore", over="ignore"):
        for row in range(first, min(length, len(values))):
            before = values[:row]
            found[row] = not values[row] - before.mean() <= threshold * before.std(ddof=1)
        if len(values) > length:
            windows = np.lib.stride_tricks.sliding_window_view(values[:-1], length)
            limits = threshold * windows.std(axis=1, ddof=1)
            found[length:] = ~(values[length:] - windows.mean(axis=1) <= limits)
    return found


def adagc(recording: Recording, threshold: float = 1.05) -> list[Alarm]:
    """AdaGC: the norm of a layer's gradient is more than ``threshold`` times its moving average.

    G. Wang, S. Li, C. Chen, J. Zeng, J. Yang, D. Yu, Y. Ma, L. Shen: AdaGC: Improving Training Stability for Large
    Language Model Pretraining. 2025, arXiv:2502.11034: λ_rel = 1.05, β = 0.98 of the moving average of the norms after
    clipping to λ_rel × the average. For 100 warm-up steps the whole gradient is clipped to λ_abs = 1 and the smallest
    norm of each tensor is kept, with which its average begins.

    Adapted: a layer's norm is that of its weight and bias together. Norms that are missing or not finite leave the
    average as it is; a layer that had none in the warm-up begins with its first one.
    """
    warm_up, absolute = 100, 1.0
    total = whole_norm(recording)
    with np.errstate(divide="ignore", invalid="ignore"):
        clipped = recording.norms[:warm_up] * np.minimum(1.0, absolute / total[:warm_up])[:, np.newaxis]
    least = np.fmin.reduce(np.where(np.isfinite(clipped), clipped, np.nan), axis=0, initial=np.nan)
    norms = _finite(recording.norms[warm_up:])
    found = norms > threshold * _averages(norms, least, 0.02, threshold)
    return _by_layer("spike", np.vstack([np.zeros(clipped.shape, dtype=bool), found]))


def spam(recording: Recording, threshold: float = 5000.0) -> list[Alarm]:
    """SPAM: the square of a layer's gradient norm is more than ``threshold`` times Adam's second moment of it.

    T. Huang, Z. Zhu, G. Jin, L. Liu, Z. Wang, S. Liu: SPAM: Spike-Aware Adam with Momentum Reset for Stable LLM
    Training. 2025, arXiv:2501.06842; github.com/TianjinYellow/SPAM-Optimizer: θ = 5000; the second moment (β₂ = 0.999,
    no correction of its beginning at 0) takes what has been clipped and is set to 0 every 500 steps, after which the
    first 20 are not examined.

    Adapted: the published rule examines each element of the gradient, of which a recording has none. Here each layer's
    norm is taken for an element. After nothing but zeros there is no alarm.
    """
    every, accumulated, weight = 500, 20, 0.001
    squares = _finite(np.square(recording.norms))
    found = np.zeros(squares.shape, dtype=bool)
    for first in range(-1, len(squares), every):
        begin, examined, end = max(first, 0), first + accumulated, first + every
        nothing = np.zeros(squares.shape[1])
        gathered = _averages(squares[begin : examined + 1], nothing, weight)[-1]
        moments = _averages(squares[examined:end], gathered, weight, threshold)
        found[examined:end] = (squares[examined:end] > threshold * moments) & (moments > 0)
    return _by_layer("spike", found)


def autotrainer(recording: Recording, threshold: float = 1.0) -> list[Alarm]:
    """AutoTrainer's conditions on the gradient: vanishing, exploding, dying ReLU; and the loss's on explosion.

    X. Zhang, J. Zhai, S. Ma, C. Shen: AUTOTRAINER: An Automatic DNN Training Problem Detection and Repair System. ICSE
    2021; github.com/shiningrain/AUTOTRAINER, ``utils/monitor.py``. With g₁ and g_L, the gradient norms of the first and
    the last layer: vanishing where g₁ / g_L < β₁ = 1e-3 and g₁ < β₂ = 1e-4; exploding where g₁ / g_L > β₃ = 70, where
    a gradient or the loss is not finite, or where the loss is 1e3 or more; dying ReLU where γ = 70 % of the
    gradient's elements are 0. ``threshold`` divides β₁ and β₂ and multiplies β₃ and the limit of the loss.

    Adapted: AutoTrainer looks at the end of an epoch, here each row is examined; it reports only what comes with an
    accuracy that is too low, which is not known here; and for the zeros among the elements, each layer whose norm
    is 0 counts as all zeros and every other as none, all layers alike.
    """
    gradients = np.where(recording.gaps, np.nan, recording.norms)
    loss = recording.metrics["loss"]
    first, last = _ends(gradients, ~recording.gaps)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = first / last
        zeros = (gradients == 0).sum(axis=1) / (~recording.gaps).sum(axis=1)
    broken = ~(np.isfinite(gradients) | recording.gaps).all(axis=1) | ~np.isfinite(loss)
    return [
        *_alarms("vanishing", (ratio < 1e-3 / threshold) & (first < 1e-4 / threshold) & ~broken),
        *_alarms("explosion", (ratio > 70 * threshold) | (loss >= 1e3 * threshold) | broken),
        *_alarms("zero", zeros >= 0.7),
    ]


def autotrainer_loss(recording: Recording, threshold: float = 1.0) -> list[Alarm]:
    """AutoTrainer's conditions on the course of the training: oscillating, and slow convergence.

    As :func:`autotrainer`. Published on the accuracy after each epoch: oscillating where, in η = 20 % of the epochs, a
    local maximum is ζ = 0.03 or more above the local minimum of the same number; slow where no epoch gains more than
    δ = 0.01; both from 30 % of the planned epochs on.

    Adapted: for the accuracy the mean loss, as a share of the first epoch's, turned over; an epoch is 50 rows; as a
    recording does not know how long the run was planned, both are judged from the fourth epoch on. ``threshold``
    multiplies ζ and divides δ.
    """
    epoch, epochs, zeta, eta, delta = 50, 4, 0.03 * threshold, 0.2, 0.01 / threshold
    loss = recording.metrics["loss"]
    count = len(loss) // epoch
    with np.errstate(invalid="ignore", over="ignore"):
        means = loss[: count * epoch].reshape(count, epoch).mean(axis=1)
        gained = 1 - means / means[0] if count else means
    alarms = []
    for n in range(epochs, count + 1):
        row = n * epoch - 1
        seen = gained[:n]
        if not np.isfinite(seen).all():
            break
        highest, lowest = (_turns(sign * seen) * sign for sign in (1, -1))
        pairs = min(len(highest), len(lowest))
        if (highest[:pairs] - lowest[:pairs] >= zeta).sum() >= eta * n:
            alarms.append(Alarm(row, "noise", text="oscillating"))
        if np.diff(seen).max() < delta:
            alarms.append(Alarm(row, "plateau", text="slow convergence"))
    return alarms


def _turns(values: Values) -> Values:
    """Local maxima, plateaus included."""
    middle = values[1:-1]
    return np.asarray(middle[(middle >= values[:-2]) & (middle >= values[2:])])


def cockpit(recording: Recording, threshold: float = 10.0) -> list[Alarm]:
    """Cockpit-like: the norm of the gradient or the size of the update leave a band around their median.

    F. Schneider, F. Dangel, P. Hennig: Cockpit: A Practical Debugging Tool for the Training of Deep Neural Networks.
    NeurIPS 2021, arXiv:2102.06604. Cockpit draws instruments and leaves the judgement to who watches them: it has no
    thresholds. This is what one sees in two of its instruments, ``GradientNorm`` and ``UpdateSize``: a value
    ``threshold`` times as large or as small as the median of the last 100 (at least 20) steps. The factor of ten, one
    division of their logarithmic axes, is ours.

    Adapted: the size of the update is the median over layers of the update ratio.
    """
    length, least = 100, 20
    updates = [values for name, values in recording.metrics.items() if name.startswith("update_ratio ")]
    gauges = [whole_norm(recording), *([_median(np.stack(updates, axis=1))] if updates else [])]
    large, small = np.zeros(len(recording), dtype=bool), np.zeros(len(recording), dtype=bool)
    for gauge in gauges:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.where(np.isfinite(gauge) & (gauge > 0), gauge, np.nan))
        padded = np.concatenate([np.full(length, np.nan), logs])[:-1]
        windows = np.lib.stride_tricks.sliding_window_view(padded, length)
        enough = (~np.isnan(windows)).sum(axis=1) >= least
        above = np.where(enough, logs - _median(windows), 0.0)
        with np.errstate(invalid="ignore"):
            large |= above > np.log(threshold)
            small |= above < -np.log(threshold)
    return [*_alarms("spike", large), *_alarms("vanishing", small)]


def old(recording: Recording, threshold: float = 20.0) -> list[Alarm]:
    """gradmidi's own rules until November 2026: a norm ``threshold`` times its running geometric mean, and exact zeros.

    Of each layer: a finite norm over 20 times the exponentially weighted geometric mean (weight 0.1) of those before,
    and a gradient of exactly 0, each where it begins; NaN and Inf in every row. A layer's first norm is its mean at
    once.
    """
    norms = recording.norms
    logs = np.log(norms, where=norms > 0, out=np.full(norms.shape, np.nan))
    large = _finite(logs) > _averages(_finite(logs), np.full(norms.shape[1], np.nan), 0.1) + np.log(threshold)
    return [
        *_by_layer("explosion", _begins(large)),
        *_by_layer("zero", _begins(norms == 0)),
        *_by_layer("nan", np.isnan(norms) & ~recording.gaps),
        *_by_layer("inf", np.isinf(norms)),
    ]


RULES = {
    "not-finite": Published(not_finite, 1.0, "NaN and Inf"),
    "autotrainer": Published(autotrainer, 1.0, "AutoTrainer, gradient"),
    "autotrainer-loss": Published(autotrainer_loss, 1.0, "AutoTrainer, loss"),
    "zclip": Published(zclip, 2.5, "ZClip"),
    "skip-step": Published(skip_step, 6.0, "OLMo-core skip-step"),
    "adagc": Published(adagc, 1.05, "AdaGC"),
    "spam": Published(spam, 5000.0, "SPAM, on norms"),
    "cockpit": Published(cockpit, 10.0, "Cockpit-like"),
    "old": Published(old, 20.0, "20 × running mean"),
}


def whole_norm(recording: Recording) -> Values:
    """The L2 norm of the whole gradient (N,), of the layers that have one; NaN or Inf where one of theirs is."""
    norms = np.where(recording.gaps, 0.0, recording.norms)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.square(norms).sum(axis=1)))


def _ends(gradients: Values, there: Mask) -> tuple[Values, Values]:
    """The norms of the first and of the last layer with a gradient, row by row; nan without any."""
    rows = np.arange(len(gradients))
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    return gradients[rows, first], gradients[rows, last]


def _finite(values: Values) -> Values:
    return np.where(np.isfinite(values), values, np.nan)


def _averages(values: Values, begin: Values, weight: float, most: float = np.inf) -> Values:
    """Exponential moving averages as they are before each row (N, L).

    Args:
        values: (N, L); nan leaves the average as it is.
        begin: (L,) the averages before the first row; nan for one that begins with its first value.
        weight: of the newest value.
        most: a value counts as this many times the average at most.
    """
    averages = np.empty((len(values), len(begin)))
    now = np.array(begin, dtype=np.float64)
    whole = (~np.isnan(values)).all(axis=1).tolist()
    known = not np.isnan(now).any()
    with np.errstate(invalid="ignore", over="ignore"):
        for row, value in enumerate(values):
            averages[row] = now
            counted = value if most == np.inf else np.minimum(value, most * now)
            moved = now + weight * (counted - now)
            if not (known and whole[row]):
                moved = np.where(np.isnan(value), now, np.where(np.isnan(now), value, moved))
                known = not np.isnan(moved).any()
            now = moved
    return averages


def _median(values: Values) -> Values:
    """The median along axis 1 of what is not nan; nan where there is nothing."""
    ordered = np.sort(values, axis=1)  # nan comes last
    count = (~np.isnan(values)).sum(axis=1)
    rows = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[1] - 1)
    return np.where(count > 0, (ordered[rows, low] + ordered[rows, high]) / 2, np.nan)


def _running(mask: Mask, rows: int) -> Mask:
    """The rows at which it has been True in so many rows running."""
    if len(mask) < rows:
        return np.zeros_like(mask)
    return np.r_[np.zeros(rows - 1, dtype=bool), np.lib.stride_tricks.sliding_window_view(mask, rows).all(axis=-1)]


def _begins(mask: Mask) -> Mask:
    """Where it is True and was not one row earlier (N, L)."""
    return mask & ~np.vstack([np.zeros((1, mask.shape[1]), dtype=bool), mask[:-1]])


def _alarms(kind: str, mask: Mask) -> list[Alarm]:
    return [Alarm(row, kind) for row in np.flatnonzero(mask).tolist()]


def _by_layer(kind: str, mask: Mask) -> list[Alarm]:
    return [Alarm(row, kind, layer) for row, layer in np.argwhere(mask).tolist()]
