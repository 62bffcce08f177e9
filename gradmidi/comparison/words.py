"""What differs between two runs, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gradmidi.comparison.differences import FACTOR, Difference, Differences, Ending, Stretch
from gradmidi.composition.two_runs.material import LETTERS
from gradmidi.composition.two_runs.pairing import Pair
from gradmidi.events import KINDS
from gradmidi.events.telling import as_times
from gradmidi.events.verdict_text import about, sentence
from gradmidi.printable import counted, printable
from gradmidi.recording.columns import listed

ALIKE = 1.05  # ratios nearer to 1 are "the same"
MOST_LINES = 8  # of layers; the others share one
MOST_STRETCHES = 2  # that are told of one thing
LARGEST, SMALLEST = 1e300, 1e-300  # ratios that can be told as a number


def lines_of(differences: Differences, pair: Pair, names: Sequence[str]) -> list[str]:
    """About a dozen lines: the runs, what was compared, the gradient, the layers, the events and the loss."""
    return [
        *(
            f"{letter}{_called(letter, name)}: {about(verdict)}; {sentence(verdict)}"
            for letter, name, verdict in zip(LETTERS, names, differences.verdicts, strict=True)
        ),
        *compared(differences, pair),
        told(differences.whole),
        *_layers(differences.layers),
        *_events(differences),
        *([told(differences.loss)] if differences.loss else []),
        *([ending(differences.ending)] if differences.ending else []),
    ]


def compared(differences: Differences, pair: Pair) -> Iterator[str]:
    """What was compared, and what only one run has."""
    first, last = differences.steps
    layers = counted(len(pair.layers), "layer")
    yield f"compared: {layers} at {counted(differences.compared, 'step')}, {first} to {last}{_matched(pair)}"
    alone = [
        f"only {letter} has {counted(len(names), 'layer')}: {printable(listed(names), 200)}"
        for letter, names in zip(LETTERS, pair.only, strict=True)
        if names
    ]
    if alone:
        yield f"not compared: {'; '.join(alone)}"
    if ends := [text for text in (_outside(pair, number) for number in range(2)) if text]:
        yield "; ".join(ends)
    for letter, side in zip(LETTERS, pair.sides, strict=True):
        if side.repeated:
            yield f"{letter} counted {counted(side.repeated, 'step')} again (a resumed run): the last one counts"


def told(difference: Difference) -> str:
    """One thing in one line."""
    name = printable(difference.name)
    if not difference.steps:
        return f"{name}: nothing to compare"
    said = f"{name}: {ratio(difference)}"
    return f"{said}; {apart(difference)}" if difference.apart else f"{said}; the runs do not part"


def apart(difference: Difference) -> str:
    """Where the runs are apart, and how far unless that was said already."""
    stretches, whole = difference.apart, ratio(difference)
    shown = [_stretch(one, whole) for one in stretches[:MOST_STRETCHES]]
    more = len(stretches) - len(shown)
    return f"apart {', '.join(shown)}" + (f" and {counted(more, 'more time')}" if more else "")


def ratio(found: Difference | Stretch) -> str:
    """What B is, compared with A."""
    value, (a, b) = found.ratio, found.sizes
    if not SMALLEST < value < LARGEST:
        states = [f"{letter} is {_state(size)}" for letter, size in zip(LETTERS, (a, b), strict=True) if _state(size)]
        return " and ".join(states) or f"A is {a:.3g} and B {b:.3g}"
    if 1 / ALIKE < value < ALIKE:
        return "the same in both" if value == 1 else "about the same in both"
    return f"B is {_times(value)} A" if value > 1 else f"A is {_times(1 / value)} B"


def ending(ending: Ending) -> str:
    """Which run finished with the lower loss."""
    a, b = map(_loss, ending.last)
    if None in ending.last:
        return f"final loss: A {a}, B {b}"
    if ending.lower is None:
        return f"the runs finish with about the same loss: A {a}, B {b}"
    said = f"{ending.lower} finishes lower: loss " + (f"{a}, and B {b}" if ending.lower == "A" else f"{b}, and A {a}")
    if ending.shared == ending.last or "NaN" in (a, b):
        return said
    return f"{said}; at the last step of both: A {_loss(ending.shared[0])}, B {_loss(ending.shared[1])}"


def _called(letter: str, name: str) -> str:
    return "" if name == letter else f", {printable(name)}"


def _state(size: float) -> str:
    """What is unusual about a norm."""
    return "not finite" if size == math.inf else "exactly 0" if size == 0 else ""


def _times(value: float) -> str:
    return f"{as_times(value)} times" if value >= FACTOR else f"{value:.2f} times"


def _stretch(stretch: Stretch, whole: str) -> str:
    span = f"from step {stretch.since} on" if stretch.until is None else f"from step {stretch.since} to {stretch.until}"
    return span if ratio(stretch) == whole else f"{span} ({ratio(stretch)})"


def _matched(pair: Pair) -> str:
    """How rows were matched, where that is not obvious."""
    a, b = (side.every for side in pair.sides)
    if a == b and pair.exact:
        return ""
    said = [] if a == b else [f"A has {_every(a)}, B {_every(b)}"]
    said += [
        f"{counted(side.left_out, 'row')} of {letter} in between left out"
        for letter, side in zip(LETTERS, pair.sides, strict=True)
        if side.left_out
    ]
    return f" ({'; '.join([*said, *([] if pair.exact else ['each with the nearest step of the other'])])})"


def _every(distance: int) -> str:
    return "every step" if distance == 1 else f"one in {distance} steps"


def _outside(pair: Pair, number: int) -> str:
    """Where only one run plays, before or after the other."""
    own, other = (side.heard.nonzero()[0] for side in (pair.sides[number], pair.sides[1 - number]))
    spans = []
    if own[0] < other[0]:
        spans.append(f"before step {pair.steps[other[0]]}")
    if own[-1] > other[-1]:
        spans.append(f"after step {pair.steps[other[-1]]}")
    return f"only {LETTERS[number]} {' and '.join(spans)}" if spans else ""


def _layers(layers: Sequence[Difference]) -> Iterator[str]:
    """A line per layer in forward order; those of which the same is said share one, as do those that differ least."""
    if len(layers) == 1:
        return
    said: dict[str, list[Difference]] = {}
    for layer in layers:
        said.setdefault(told(layer._replace(name="")), []).append(layer)
    if len(said) == 1:
        yield f"  all {len(layers)} layers{next(iter(said))}"
        return
    order = sorted(said, key=lambda text: -_weight(said[text][0]))
    shown = order if len(order) <= MOST_LINES + 1 else order[:MOST_LINES]
    yield from (f"  {printable(listed([one.name for one in said[text]]), 200)}{text}" for text in said if text in shown)
    if rest := [layer for text in order if text not in shown for layer in said[text]]:
        parted = sum(bool(layer.apart) for layer in rest)
        yield f"  {counted(len(rest), 'more layer')} with smaller differences; {parted or 'none'} of them apart"


def _weight(layer: Difference) -> float:
    """How much a layer differs: the largest of its factors, as a logarithm; −1 if nothing could be compared."""
    ratios = [layer.ratio, *(stretch.ratio for stretch in layer.apart)]
    return max((abs(math.log(value)) if value > 0 else math.inf for value in ratios if value == value), default=-1.0)


def _events(differences: Differences) -> Iterator[str]:
    a, b = ({event.kind for event in events if KINDS[event.kind].sick} for events in differences.events)
    for letter, kinds in (("A", a - b), ("B", b - a)):
        if kinds:
            yield f"events only in {letter}: {', '.join(KINDS[kind].title for kind in KINDS if kind in kinds)}"
    if a & b:
        yield f"events in both: {', '.join(KINDS[kind].title for kind in KINDS if kind in a & b)}"


def _loss(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}".replace("nan", "NaN")
