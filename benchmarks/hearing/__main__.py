"""What can be heard of a training, by a listener that has nothing but the audio.

python -m benchmarks.hearing regimes --data DIR [--held-out] [--sounds debug,post,sine] [--rooms clean,laptop]
python -m benchmarks.hearing voices                         speaking, ringing and pitch of the default voices
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.hearing.rooms import ROOMS


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m benchmarks.hearing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("--data", type=Path, metavar="DIR", help="the clinic's recordings")
    parser.add_argument("--held-out", action="store_true", help="tell the half of the runs that nothing was tuned on")
    parser.add_argument("--runs", type=int, default=150, help="how many runs of each half are heard (default 150)")
    parser.add_argument("--sounds", default="debug,post,sine", help="sound presets, and sine: a,b,c")
    parser.add_argument("--rooms", default=",".join(ROOMS), help="where they are heard: a,b,c")
    parser.add_argument("--model", default="forest", choices=("forest", "logistic"))
    parser.add_argument("--confusion", action="store_true", help="print what is taken for what")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep features here from one call to the next")
    options = parser.parse_args()
    COMMANDS[options.what](options)


def _regimes(options: argparse.Namespace) -> None:
    from benchmarks.hearing.regimes import regimes

    regimes(options)


def _voices(options: argparse.Namespace) -> None:
    from benchmarks.hearing.voices import main as voices

    voices()


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {"regimes": _regimes, "voices": _voices}

if __name__ == "__main__":
    main()
