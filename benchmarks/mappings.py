"""Which mapping keeps most of what a run says? Real runs of the five presets, several seeds, each mapping and scale.

For every run the norms are composed, and the notes are read back as MIDI keys, as a synth gets them. Per layer, over
the steps with a finite norm above zero:

* r: correlation (Pearson) of the notes' pitch with the true log-norm; 1 is a perfect picture of the norms,
* rho: the same by ranks (Spearman), blind to the shape of the curve,
* at limits: share of notes on the lowest or highest tone of the mapping's range,
* tones: how many different keys a layer used.

Layers that hardly vary (fewer than 20 such steps) are left out. The table gives medians over layers and runs; `worst r`
is the tenth percentile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from benchmarks.timing import table
from gradmidi.composition import compose
from gradmidi.composition.mapping import Adaptive, Log, Mapping, Post, Rank
from gradmidi.composition.pitch_range import PitchRange
from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import into, train
from gradmidi.experiments.settings import LAYERS, preset_settings, presets
from gradmidi.outputs.tuning import to_keys
from gradmidi.recording import Recording
from gradmidi.recording.row import RowList
from gradmidi.theory.pitch import key_to_hz

SEEDS = (1, 2, 3, 4, 5)
SCALES = ("chromatic", "A minor pentatonic")
FEWEST = 20
WIDE = PitchRange(key_to_hz(24), key_to_hz(108))
CANDIDATES: dict[str, Callable[[], Mapping]] = {
    "post, 200 + 100 × norm": Post,
    "log, 0.5 octave a decade": lambda: Log(0.5),
    "log, 1 octave a decade": lambda: Log(1.0),
    "log, 1.5 octaves a decade": lambda: Log(1.5),
    "log, 2 octaves a decade": lambda: Log(2.0),
    "log, 2 octaves, folded": lambda: Log(2.0, range=PitchRange(WIDE.lowest, WIDE.highest, "fold")),
    "adaptive, 2 octaves a decade": Adaptive,
    "rank of the last 64": Rank,
}


def main() -> None:
    digits = embedded_digits()
    runs = [_run(name, seed, digits) for name in presets() for seed in SEEDS]
    rows = []
    for scale in SCALES:
        for name, make in CANDIDATES.items():
            found = [row for run in runs for row in _layers(run, make(), scale)]
            rows.append((scale, name, *_summary(found)))
    print(f"\n{len(runs)} runs of 201 steps: five presets, seeds 1 to {len(SEEDS)}, embedded digits, CPU:\n")
    print(table(("scale", "mapping", "r", "worst r", "rho", "at limits", "tones"), rows))


def _run(name: str, seed: int, digits) -> Recording:
    heard = RowList()
    train(preset_settings(name, seed=seed, device="cpu"), digits, into(heard))
    return Recording(LAYERS, np.arange(len(heard.rows)), np.array([row.norms for row in heard.rows]))


def _layers(run: Recording, mapping: Mapping, scale: str) -> list[dict[str, float]]:
    score = compose(run, mapping=mapping, scale=scale)
    keys = to_keys(score.frequency, "12tet").key
    limits = getattr(mapping, "range")  # noqa: B009
    ends = [int(key) for key in to_keys(np.array([limits.lowest, limits.highest]), "12tet").key]
    found = []
    for layer in range(len(run.layers)):
        norms = run.norms[:, layer]
        usable = np.isfinite(norms) & (norms > 0)
        heard = {int(score.step[i]): int(keys[i]) for i in score.of_voice(layer)}
        pitch = np.array([heard[step] for step in np.flatnonzero(usable)], dtype=float)
        if usable.sum() < FEWEST or np.ptp(np.log(norms[usable])) == 0:
            continue
        true = np.log(norms[usable])
        at_limits = np.mean([abs(key - end) <= 2 for key in pitch for end in ends]) * 2
        found.append(
            {
                "r": _correlation(true, pitch),
                "rho": _correlation(_ranks(true), _ranks(pitch)),
                "limits": float(at_limits),
                "tones": len(set(pitch.tolist())),
            }
        )
    return found


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """0 where one of the two does not vary: nothing of the norms is heard then."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with ties shared."""
    places = defaultdict(list)
    for place, value in enumerate(np.sort(values)):
        places[value].append(place)
    return np.array([np.mean(places[value]) for value in values])


def _summary(found: list[dict[str, float]]) -> tuple[str, ...]:
    r = [row["r"] for row in found]
    median = {key: float(np.median([row[key] for row in found])) for key in ("rho", "tones")}
    limits = float(np.mean([row["limits"] for row in found]))
    return (
        f"{np.median(r):.3f}",
        f"{np.quantile(r, 0.1):.3f}",
        f"{median['rho']:.3f}",
        f"{limits:.1%}",
        f"{median['tones']:.0f}",
    )


if __name__ == "__main__":
    main()
