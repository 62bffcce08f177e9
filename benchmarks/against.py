"""What a step costs in this tree and in an earlier commit, side by side: measuring, recording and live notes.

    python -m benchmarks.against [COMMIT]        (a minute)

Each tree has a process of its own, which hears a net whose gradients are there already, so that only gradmidi's part of
the optimizer step runs. The two take turns of some milliseconds, in a random order; a turn's time is the processor time
of the training's thread. Ratios are medians over the pairs of turns, with their 95 % confidence interval.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing import median_and_doubt, table

COMMIT = "84ddcc1"  # before the house was redesigned
PAIRS = 300
CASES = (
    ("probe, the post's net", "probe", 4, 500),
    ("probe, 150 layers", "probe", 150, 60),
    ("recording to memory", "memory", 4, 300),
    ("recording to a CSV", "csv", 4, 300),
    ("live, every step heard", "live", 4, 6),
)
WORKER = """
import sys, time, tempfile, warnings
import torch
from torch import nn
import gradmidi
from gradmidi.measure.probe import GradientProbe
torch.set_num_threads(1)
warnings.simplefilter("ignore")
kind, layers, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
net = nn.Sequential(*(nn.Linear(32, 32) for _ in range(layers)))
optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
net(torch.randn(8, 32)).square().mean().backward()
folder = tempfile.TemporaryDirectory()
if kind == "probe":
    kept = GradientProbe(net, optimizer, lambda row: None)
elif kind == "live":
    kept = gradmidi.listen(net, optimizer, live=f"file:{folder.name}/sent", live_options={"max_rate": 2000})
else:
    kept = gradmidi.listen(net, optimizer, path=f"{folder.name}/norms.csv" if kind == "csv" else None)
(hook,) = optimizer._optimizer_step_pre_hooks.values()
pause = 0.06 if kind == "live" else 0.0  # so that the next step is heard
for line in sys.stdin:
    took = 0.0
    for _ in range(steps):
        time.sleep(pause)
        begun = time.thread_time()
        hook(optimizer, (optimizer,), {})
        took += time.thread_time() - begun
    print(took / steps, flush=True)
kept.detach()
"""


def main(argv: Sequence[str] = ()) -> None:
    commit = argv[0] if argv else COMMIT
    here = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", before, commit], cwd=here, check=True)
        try:
            rows = [row(name, here, before, [kind, str(layers), str(steps)]) for name, kind, layers, steps in CASES]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", before], cwd=here, check=True)
    print(table(["a step of", f"{commit} [µs]", "now [µs]", "now / before"], rows))


def row(name: str, here: Path, before: Path, arguments: Sequence[str]) -> list[str]:
    """One line of the table."""
    workers = {tree: started(tree, arguments) for tree in (before, here)}
    pairs = PAIRS // 4 if arguments[0] == "live" else PAIRS
    took: dict[Path, list[float]] = {tree: [] for tree in workers}
    for pair in range(pairs + 3):
        for tree in random.sample(list(workers), 2):
            seconds = turn(workers[tree])
            if pair >= 3:
                took[tree].append(seconds)
    for worker in workers.values():
        worker.communicate()
    middle, low, high = median_and_doubt([now / then for now, then in zip(took[here], took[before], strict=True)])
    micro = [f"{1e6 * median_and_doubt(took[tree])[0]:.1f}" for tree in workers]
    return [name, *micro, f"{middle:.3f} ({low:.3f}–{high:.3f})"]


def started(tree: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", WORKER, *arguments]
    return subprocess.Popen(
        command, env={"PYTHONPATH": str(tree)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def turn(worker: subprocess.Popen[str]) -> float:
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


if __name__ == "__main__":
    main(sys.argv[1:])
