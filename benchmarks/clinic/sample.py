"""The few runs that the repository keeps for tests of rules: every way of showing, and nothing that is held out."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.clinic.runs import load_truths, path_of, save_truths

SAMPLE_FOLDER = Path(__file__).parents[2] / "tests" / "benchmarks" / "clinic_sample"
SAMPLE = (
    *("mlp.healthy.0", "mlp.healthy-fine-tuned.0", "mlp.healthy-tiny-batch.1", "lstm.healthy.1"),
    *("mlp.lr-high.0", "mlp.lr-high.2", "mlp.bad-init.0", "lstm.bad-init.0", "mlp.dying-relu.2", "lstm.dying-relu.0"),
    *("mlp.no-zero-grad.2", "lstm.no-zero-grad.0", "mlp.shuffled-labels.0", "mlp.shuffled-labels.2"),
    *("mlp.poisoned-batch.3", "lstm.poisoned-batch.2", "mlp.half-overflow.2", "mlp.half-overflow.3"),
    *("mlp.frozen-layer.2", "mlp.frozen-layer.3", "mlp.slow-divergence.0", "lstm.exploding-rnn.2"),
)


def take_sample(folder: Path, out: Path) -> None:
    """Copy the sample's runs from a folder that holds the clinic.

    Raises:
        InputError: there is no clinic in the folder.
        KeyError: one of the runs is missing in it.
    """
    truths = load_truths(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name in SAMPLE:
        shutil.copyfile(path_of(folder, name), path_of(out, name))
    save_truths(out, {name: truths[name] for name in SAMPLE})
