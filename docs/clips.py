"""The picture and the clips at the top of the README: one healthy run of the 2019 post's network and two failing ones.

python docs/clips.py [FOLDER]       # docs/clips by default; needs torch, FluidSynth, soundfile and matplotlib
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

import gradmidi as gm
from gradmidi.experiments.digits import embedded_digits
from gradmidi.experiments.mnist import train
from gradmidi.experiments.settings import preset_settings
from gradmidi.outputs.picture import save_picture
from gradmidi.recording import Recording
from gradmidi.session import Session

FOLDER = Path(__file__).with_name("clips")
SIZE = (1200, 560)  # px


class Clip(NamedTuple):
    """A run: its title, preset, first seed and number of steps, and a check that its norms show what the title says.

    Near an explosion the last bit decides how a run ends, and that bit depends on the number of processor cores. If a
    seed's run fails the check, the next seed is tried.
    """

    title: str
    preset: str
    seed: int
    steps: int
    fits: Callable[[NDArray[np.float64]], bool]


CLIPS = {
    "healthy": Clip("A healthy run", "sgd-lr0.01", 1, 28, lambda norms: 0.05 < norms.min() < norms.max() < 10),
    "diverging": Clip(
        "A run that diverges", "sgd-lr1.0-bs256", 1, 28, lambda norms: norms.max() > 1000 and not norms[-1].any()
    ),
    "nan": Clip("A run that ends in NaN", "sgd-lr1.0-bs256", 4, 20, lambda norms: bool(np.isnan(norms[-1]).all())),
}
PICTURED = "nan"


def record(clip: Clip) -> Recording:
    """The recording of the first run that passes the clip's check."""
    runs = (train_once(clip, seed) for seed in count(clip.seed))
    return next(run for run in runs if clip.fits(run.norms))


def train_once(clip: Clip, seed: int) -> Recording:
    """The recording of one run with this seed."""
    settings = preset_settings(clip.preset, seed=seed, steps=clip.steps)
    sessions: list[Session] = []

    def attach(net: nn.Module, optimizer: Optimizer) -> Session:
        sessions.append(gm.listen(net, optimizer))
        return sessions[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a broken run is the purpose
        train(settings, embedded_digits(), attach)
    return sessions[0].recording


def make(folder: Path = FOLDER) -> None:
    """Write the clips and the picture."""
    folder.mkdir(exist_ok=True)
    for name, clip in CLIPS.items():
        recording = record(clip)
        score = gm.compose(recording, title=clip.title)
        print(score.render_wav(folder / f"{name}.mp3"))
        if name == PICTURED:
            save_picture(score, recording, folder / f"{name}.png", SIZE)


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:]))
