"""A performance without torch, for tests to end in every way: norms between the keys, in a tuning, on a port."""

import argparse
import os
import time
from functools import partial

import numpy as np

from gradmidi.composition import Composer
from gradmidi.composition.timing import Timing
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording.row import Row

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")

parser = argparse.ArgumentParser()
parser.add_argument("port")
parser.add_argument("--tuning", default="auto")
parser.add_argument("--scale", help="by default every pitch is played as it is")
parser.add_argument("--ending", default="", help="normal, exception or exit; by default it goes on until it is killed")
args = parser.parse_args()

SECONDS = 0.4 if args.ending else 30.0
DETUNED = 0.35  # of a key: a tenfold norm is an octave above C4
norms = np.random.default_rng(0)
composer = Composer(("a", "b"), scale=args.scale, timing=Timing(0.02))
with LiveOutput(composer, args.port, tuning=args.tuning) as output:
    print("playing", flush=True)
    end, step = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < end:
        output.append(Row.of(step, np.float32(10 ** ((norms.integers(0, 13, 2) + DETUNED) / 12))))
        step += 1
        time.sleep(0.005)
    if args.ending == "exception":
        raise RuntimeError("the loop failed")
    if args.ending == "exit":
        os._exit(3)
