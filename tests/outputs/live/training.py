"""A small real training, played live, for tests to end in every way. Prints "playing" after the first step."""

import argparse
import hashlib
import os
import time
from functools import partial

import numpy as np
import torch

from gradmidi.composition import Composer
from gradmidi.composition.timing import Timing
from gradmidi.measure.probe import GradientProbe
from gradmidi.outputs.live import LiveOutput
from gradmidi.recording import Recording
from gradmidi.recording.csv_writer import RecordingWriter

# The core alone: what sounds besides the layers has tests of its own.
Composer = partial(Composer, sound="post")

LAYERS = ("0", "2")

parser = argparse.ArgumentParser()
parser.add_argument("port")
parser.add_argument("--silent", action="store_true", help="only record")
parser.add_argument("--norms", required=True)
parser.add_argument("--steps", type=int, default=10_000)
parser.add_argument("--pause", type=float, default=0.003, help="s a step, so that there is time to disturb it")
parser.add_argument("--ending", default="normal", help="normal, exception or exit")
parser.add_argument("--unit", type=float, default=0.05)
parser.add_argument("--workers", action="store_true")


def warm_up() -> None:
    """The first step of an optimizer loads as much again as torch itself."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    torch.optim.SGD([parameter], lr=0.05).step()


def main(options: list[str]) -> None:
    args = parser.parse_args(options)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    inputs, labels = torch.randn(256, 20), torch.randint(0, 2, (256,))
    output = None if args.silent else LiveOutput(Composer(LAYERS, timing=Timing(args.unit), sound="post"), args.port)
    if args.workers and os.fork() == 0:
        # A data loader's worker that outlives its parent, with a copy of every open file.
        time.sleep(2)
        os._exit(0)

    def on_step(row) -> None:
        writer.append(row)
        if output is not None:
            output.feed(Recording(LAYERS, np.array([row.step]), row.norms[None], gaps=row.gaps[None]))

    with RecordingWriter(args.norms, LAYERS, ()) as writer, GradientProbe(net, optimizer, on_step):
        for step in range(args.steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
            if step == 0:
                print("playing", flush=True)
            time.sleep(args.pause)
        if args.ending == "exception":
            raise RuntimeError("the loop failed")
        if args.ending == "exit":
            os._exit(3)
    if output is not None:
        print(output.close())
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in net.parameters()))
    print("weights", digest.hexdigest())
