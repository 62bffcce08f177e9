"""What can be heard of a training, by a listener that has nothing but the audio.

python -m benchmarks.hearing regimes --data DIR [--held-out] [--sounds debug,post,sine] [--rooms clean,laptop]
python -m benchmarks.hearing zeros --data DIR               zero or small, and which layer is dead
python -m benchmarks.hearing losses --data DIR [--held-out]         the loss, R²
python -m benchmarks.hearing levels --data DIR              LUFS: healthy, alarms, dead, on a laptop
python -m benchmarks.hearing timbre --data DIR              loudness, roughness and sharpness by a model of the ear
python -m benchmarks.hearing reaction --data DIR [--held-out]       seconds to the first change; strokes a minute
python -m benchmarks.hearing converged --data DIR           whether a healthy long run lies on the lowest tone, or leaps
python -m benchmarks.hearing sine_norms --data DIR          norms read back from the exact sine
python -m benchmarks.hearing voices                         speaking, ringing and pitch of the default voices
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.hearing.rooms import ROOMS


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.hearing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("--data", type=Path, metavar="DIR", help="the clinic's recordings")
    parser.add_argument("--held-out", action="store_true", help="tell the half of the runs that nothing was tuned on")
    parser.add_argument("--runs", type=int, default=150, help="how many runs of each half are heard (default 150)")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only the clinic's runs whose name matches")
    parser.add_argument("--sounds", default="debug,post,sine", help="sound presets, and sine: a,b,c")
    parser.add_argument("--rooms", default=",".join(ROOMS), help="where they are heard: a,b,c")
    parser.add_argument("--model", default="forest", choices=("forest", "logistic"))
    parser.add_argument("--confusion", action="store_true", help="print what is taken for what")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep features here from one call to the next")
    options = parser.parse_args()
    COMMANDS[options.what](options)


def _voices(options: argparse.Namespace) -> None:
    from benchmarks.hearing.voices import main as voices

    voices()


def _module(name: str) -> Callable[[argparse.Namespace], None]:
    """What a module's function of the same name does."""
    return lambda options: getattr(import_module(f"benchmarks.hearing.{name}"), name)(options)


MODULES = ("regimes", "zeros", "losses", "levels", "timbre", "reaction", "converged", "sine_norms")
COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    **{name: _module(name) for name in MODULES},
    "voices": _voices,
}

if __name__ == "__main__":
    main()
