"""Blind listening trials: hear short clips of runs whose truth is known, say what you hear, see how well it was told.

The answers are typed and written to a CSV, one row per trial, at once; Ctrl-C or q keeps what there is. With --score,
the tables of one or more such files, of any number of people. docs/listening-test.md says how to run a study.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmidi.cli.options import add_output_options
from gradmidi.errors import InputError

if TYPE_CHECKING:
    from gradmidi.cli.console import Reporter
    from gradmidi.outputs.sound_player import SoundPlayer
    from gradmidi.quiz.clips import Clip
    from gradmidi.quiz.session import Session
    from gradmidi.quiz.trials import Trial

CLIPS = "quiz-clips"
LARGEST_SEED = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    trials = parser.add_argument_group("trials")
    trials.add_argument("--trials", metavar="N", type=int, default=24, help="how many (default 24)")
    trials.add_argument("--kinds", metavar="LIST", help="healthy,noisy,exploding,vanishing,dead,nan (default: all)")
    trials.add_argument("--layers-too", action="store_true", help="also ask in which layer it is")
    trials.add_argument(
        "--protocol", metavar="NAME", default="single", help="single (default), or dual: sums meanwhile"
    )
    trials.add_argument("--seed", metavar="S", type=int, help="of order, runs and onsets (default: drawn)")
    trials.add_argument("--no-practice", action="store_true", help="begin with the trials")
    sound = parser.add_argument_group("sound")
    sound.add_argument(
        "--sound", metavar="NAME", default="debug", help="the sound to judge: a name, or FILE.toml (default: debug)"
    )
    sound.add_argument("--seconds", metavar="S", type=float, help="length of a clip (default: 8, or 40 with dual)")
    sound.add_argument("--soundfont", metavar="FILE", help="the .sf2 or .sf3 file to play with")
    sound.add_argument(
        "--player",
        metavar="COMMAND",
        help="what plays a clip; {wav} or {mid} stands for its file (default: what is found here)",
    )
    sound.add_argument("--no-play", action="store_true", help="write the clips as files, to be played by yourself")
    sound.add_argument("--clips", metavar="DIR", default=CLIPS, help=f"where --no-play writes them (default: {CLIPS})")
    answers = parser.add_argument_group("answers")
    answers.add_argument("--out", metavar="FILE", default="answers.csv", help="the CSV (default: answers.csv)")
    answers.add_argument("--code", metavar="CODE", default="", help="the participant's code, such as P07; never a name")
    answers.add_argument("--score", metavar="FILE", nargs="+", help="only the tables of these CSV files")
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli.console import Reporter

    reporter = Reporter(args)
    paths = [Path(args.out)] if args.score is None else [Path(name) for name in args.score]
    if args.score is None and not _quiz(args, reporter, paths[0]):
        return 0
    _score(reporter, paths)
    return 0


def _score(reporter: Reporter, paths: list[Path]) -> None:
    from gradmidi.cli.quiz_tables import as_json, show
    from gradmidi.quiz.answers import load_answers
    from gradmidi.quiz.scoring import by_condition

    found = by_condition([load_answers(path) for path in paths])
    for condition in found:
        show(reporter, condition)
    reporter.result([as_json(condition) for condition in found])


def _quiz(args: argparse.Namespace, reporter: Reporter, out: Path) -> int:
    """Hold the quiz; returns how many answers there are."""
    import secrets

    from gradmidi.quiz.answers import AnswerFile, check_code
    from gradmidi.quiz.bank import chosen_kinds
    from gradmidi.quiz.clips import check_seconds
    from gradmidi.quiz.session import QuitError, trial_name
    from gradmidi.quiz.trials import chosen_protocol, plan, plan_practice

    protocol, kinds = chosen_protocol(args.protocol), chosen_kinds(args.kinds)
    check_code(args.code)
    seed = secrets.randbelow(LARGEST_SEED) if args.seed is None else args.seed
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"--seed {seed}: use 0 to {LARGEST_SEED}")
    trials = plan(args.trials, kinds, protocol, seed, args.seconds)
    check_seconds(trials[0].seconds, protocol, args.sound)
    player = _player(args, reporter)
    answers = AnswerFile(out)
    try:
        with _maker(args, player) as make:
            session = _session(args, kinds, seed, trials[0].seconds, player, make, answers.append)
            if not args.no_practice:
                session.practise(*plan_practice(kinds, protocol, seed))
            if player is None:
                for trial in trials:
                    make(trial, trial_name(trial))
            session.run(trials)
    except QuitError:
        pass
    finally:
        answers.close()
        kept = f"; they are in {out}" if answers.rows else ""
        _tell(f"{answers.rows} of {len(trials)} trials were answered{kept}.")
    return answers.rows


def _player(args: argparse.Namespace, reporter: Reporter) -> SoundPlayer | None:
    """What plays; None if clips are written as files.

    Raises:
        InputError: options that contradict each other, or a player that is not there.
    """
    from gradmidi.outputs.sound_player import find_player, given_player

    if args.no_play and args.player is not None:
        raise InputError("--no-play and --player contradict each other; give one of them")
    player = None
    if args.player is not None:
        player = given_player(args.player, args.soundfont)
    elif not args.no_play:
        player = find_player(args.soundfont)
        if player is None:
            reporter.say(f"No program here can play sound, so the clips are written into {args.clips}; see --player.")
    if player is None and args.protocol == "dual":
        raise InputError("--protocol dual needs sound that is played here; give --player")
    return player


@contextmanager
def _maker(args: argparse.Namespace, player: SoundPlayer | None) -> Iterator[Callable[[Trial, str], tuple[Clip, Path]]]:
    """What writes a trial's clip under a name: where the listener finds it, or else for as long as it is needed."""
    import tempfile

    from gradmidi.quiz.clips import make_clip, write_clip

    def make(trial: Trial, name: str) -> tuple[Clip, Path]:
        clip, path = make_clip(trial, args.sound), Path(folder) / f"{name}{'.wav' if player is None else player.ending}"
        if path not in written:
            write_clip(clip, path, args.soundfont)
            written.add(path)
        return clip, path

    written: set[Path] = set()
    if player is None:
        folder = args.clips
        yield make
        return
    with tempfile.TemporaryDirectory(prefix="gradmidi-quiz-") as folder:
        yield make


def _session(
    args: argparse.Namespace,
    kinds: tuple[str, ...],
    seed: int,
    seconds: float,
    player: SoundPlayer | None,
    make: Callable[[Trial, str], tuple[Clip, Path]],
    keep: Callable[[Any], None],
) -> Session:
    from gradmidi import __version__
    from gradmidi.quiz.lines import TypedLines
    from gradmidi.quiz.session import Session, Settings

    settings = Settings(
        code=args.code,
        kinds=kinds,
        protocol=args.protocol,
        sound=Path(args.sound).name,  # without the folders of a file, which may tell who it is
        seconds=seconds,
        player="files" if player is None else player.name,
        seed=seed,
        version=__version__,
        asks_layers=args.layers_too,
    )
    return Session(settings, TypedLines(), _tell, player, make, keep)


def _tell(text: str) -> None:
    """A line for the listener, on stderr; the questions are asked with ``--quiet`` too."""
    import sys

    from gradmidi.printable import printable

    print(printable(text), file=sys.stderr, flush=True)
