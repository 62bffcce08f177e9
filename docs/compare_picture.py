"""The picture and the words in docs/compare.md: the 2019 post's network with two learning rates.

python docs/compare_picture.py [FILE]       # docs/compare.png by default; prints the words; needs torch and matplotlib
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from PIL import Image

import gradmidi as gm
from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import train
from gradmidi.experiments.settings import preset_settings
from gradmidi.recording import Recording
from gradmidi.session import Session

FILE = Path(__file__).with_name("compare.png")
PRESETS = {"lr 0.01": "sgd-lr0.01", "lr 0.1": "sgd-lr0.1"}
SEED, STEPS = 1, 200
SIZE = (1100, 760)  # px
COLOURS = 32  # of the file, which is a third as large as with all


def record(preset: str) -> Recording:
    """The recording of one run."""
    sessions: list[Session] = []

    def attach(net: object, optimizer: object) -> Session:
        sessions.append(gm.listen(net, optimizer))
        return sessions[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the runs may break
        train(preset_settings(preset, seed=SEED, steps=STEPS), embedded_digits(), attach)
    return sessions[0].recording


def make(file: Path = FILE) -> None:
    """Write the picture and print the words."""
    comparison = gm.compare(*map(record, PRESETS.values()), names=list(PRESETS), title="Two learning rates")
    comparison.plot(file, size=SIZE)
    Image.open(file).quantize(COLOURS).save(file, optimize=True)
    print(comparison)


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:]))
