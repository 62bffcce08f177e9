"""Train the 2019 post's network on MNIST and write norms.csv, MIDI, sound, the exact sine, a picture and captions."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradmidi.cli.event_options import add_event_options, chosen_kinds
from gradmidi.cli.live_options import add_live_options, check_live_options
from gradmidi.cli.options import add_file_options, add_output_options, add_sound_options
from gradmidi.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from gradmidi.cli.console import ProgressLine, Reporter
    from gradmidi.cli.event_command import EventCommand
    from gradmidi.experiments.digits import Digits
    from gradmidi.experiments.settings import Settings
    from gradmidi.recording.row import Row
    from gradmidi.session import Session

SHOW_EVERY = 0.1  # s
RECORDING = "norms.csv"
FILES = {
    "mid": "gradients.mid",
    "wav": "gradients.wav",
    "sine": "sine.wav",
    "plot": "score.png",
    "captions": "captions.vtt",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", nargs="?", default="sgd-lr0.01", metavar="PRESET", help="see `gradmidi presets`")
    run = parser.add_argument_group("training")
    run.add_argument("--optimizer", metavar="NAME", help="sgd or adam")
    run.add_argument("--lr", type=float, metavar="X", help="learning rate")
    run.add_argument("--momentum", type=float, metavar="X", help="of SGD")
    run.add_argument("--batch-size", type=int, metavar="N", help="digits per step")
    run.add_argument("--steps", type=int, metavar="N", help="optimizer steps (the presets use 201)")
    run.add_argument(
        "--seed", type=int, metavar="N", help="makes a run reproducible on the CPU (default: a new seed each time)"
    )
    run.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps")
    run.add_argument("--data", metavar="WHAT", default="auto", help="auto, mnist (download) or a folder with MNIST")
    run.add_argument(
        "--out", metavar="DIR", default="out", help="where the files go, replacing earlier ones (default: out)"
    )
    add_event_options(parser)
    add_live_options(parser)
    add_sound_options(parser)
    add_file_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from gradmidi.cli import DONE, INTERRUPTED
    from gradmidi.cli.console import Reporter
    from gradmidi.cli.event_command import EventCommand
    from gradmidi.cli.options import check_file_options, check_layers, chosen_layers, compose_options, compose_recording
    from gradmidi.cli.perform import Job, Written, report, write_all
    from gradmidi.experiments.digits import load_digits
    from gradmidi.experiments.settings import LAYERS
    from gradmidi.files import check_file
    from gradmidi.files.lock import held
    from gradmidi.recording import Recording
    from gradmidi.recording.csv_writer import METRICS
    from gradmidi.requirements import require

    reporter = Reporter(args)
    settings = _settings(args)
    command = None if args.on_event is None else EventCommand(args.on_event, partial(reporter.say, style="bold red"))
    chosen_kinds(args)
    check_live_options(args, METRICS)
    check_file_options(args)
    compose_options(args)
    check_layers(args, LAYERS)
    folder = Path(args.out)
    for name in (RECORDING, *FILES.values()):
        check_file(folder / name)
    require("torch", "torch")
    digits = load_digits(args.data)
    reporter.say(f"training on {digits.source}, seed {settings.seed}")
    path = folder / RECORDING
    whole = _train(args, settings, digits, path, reporter, command)
    with held(path):  # until all is rendered, so that no other recording takes its place meanwhile
        recording = chosen_layers(args, Recording.load(path))
        job = Job(args, recording, compose_recording(args, recording), reporter)
        size = f"{len(recording)} steps × {len(recording.layers)} layers"
        done = [Written("norms", str(path), None, size)]
        done += write_all(job, {kind: folder / name for kind, name in FILES.items()})
    report(job, done, seed=settings.seed, digits=digits.source, interrupted=not whole)
    return DONE if whole else INTERRUPTED


def _settings(args: argparse.Namespace) -> Settings:
    from secrets import randbelow

    from gradmidi.experiments.settings import preset_settings

    names = ("optimizer", "lr", "momentum", "batch_size", "steps", "device")
    seed = args.seed if args.seed is not None else randbelow(2**31)
    return preset_settings(args.preset, seed=seed, **{name: getattr(args, name) for name in names})


def _is_of_model(path: Path, model: object) -> bool:
    from gradmidi.recording.csv_reader import read_head

    with suppress(InputError, OSError):
        if path.is_file():
            with path.open("rb") as file:
                return read_head(file, path).meta.get("model") == model
    return False


def _train(
    args: argparse.Namespace,
    settings: Settings,
    digits: Digits,
    path: Path,
    reporter: Reporter,
    command: EventCommand | None,
) -> bool:
    """Train and record; False if Ctrl-C ended it early, with every finished step in the file.

    Raises:
        InputError: the recording failed; the steps before are kept.
    """
    from gradmidi.cli.event_command import OPTION, PATIENCE
    from gradmidi.cli.event_lines import EventLines
    from gradmidi.experiments.mnist import describe, train
    from gradmidi.experiments.settings import LAYERS

    kinds = chosen_kinds(args)
    meta = describe(settings, digits)
    sessions: list[Session] = []
    with reporter.progress("training", settings.steps) as bar, _said_by(reporter):
        display = _Display(LAYERS, args, bar)
        lines = EventLines(reporter.say)

        def attach(net: nn.Module, optimizer: Optimizer) -> Session:
            session = _listen(args, net, optimizer, path, meta)
            sessions.append(session)
            if session.live:
                reporter.say(f"playing on {session.live.port} ({session.live.system})")
            session.add(display)
            session.on_event(lines.show)
            if command is not None:
                session.telling.listen(command.run, OPTION, PATIENCE)
            if kinds:
                session.telling.stop_on(kinds, lambda event: reporter.say(f"--stop-on: {event.text}", style="bold red"))
            return session

        whole = True
        try:
            train(settings, digits, attach)
        except KeyboardInterrupt:
            whole = False
            reporter.say(f"interrupted after {display.steps} steps; what was recorded is kept", style="yellow")
        finally:
            lines.close()
            if command is not None:
                command.end()
    session = sessions[0]
    if session.failure:
        raise InputError(f"{path}: {session.failure}; the {len(session.recording)} steps before are kept")
    if (heard := session.report.live) is not None:
        reporter.say(str(heard))
        if whole and heard.heard < heard.steps:
            reporter.say("to hear every step, let the training wait for the music: --pace wait")
    return whole


def _listen(
    args: argparse.Namespace, net: nn.Module, optimizer: Optimizer, path: Path, meta: Mapping[str, object]
) -> Session:
    """Replaces what an earlier `train` left; a recording of anything else is kept."""
    from gradmidi.cli.live_options import live_arguments
    from gradmidi.cli.options import compose_options
    from gradmidi.session import listen

    return listen(
        net,
        optimizer,
        path=path,
        existing="replace" if _is_of_model(path, meta["model"]) else "keep",
        meta=meta,
        live=None if args.live is None else args.live or True,
        **live_arguments(args),
        **compose_options(args),
    )


@contextmanager
def _said_by(reporter: Reporter) -> Iterator[None]:
    """Print each of the library's warnings as one line; findings about the run are in the table."""

    def say(message: Warning | str, *args: object, **options: object) -> None:
        reporter.say(str(message), style="yellow")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = say
        yield


class _Display:
    """A sink that shows the notes of the newest step."""

    def __init__(self, layers: Sequence[str], args: argparse.Namespace, bar: ProgressLine) -> None:
        from gradmidi.cli.options import compose_options
        from gradmidi.composition import Composer
        from gradmidi.recording.gathering import Gathering

        self._bar = bar
        self._composer = Composer(layers, **compose_options(args))
        self._unseen = Gathering(layers)
        self._unseen.limits = None  # nothing is worth a look before its time
        self.steps = 0

    def append(self, row: Row, /) -> None:
        self.steps += 1
        if self._unseen.append(row):
            self.look()

    def close(self, well: bool) -> None:
        self.look()

    def look(self) -> None:
        """Show what is new since the last look; ten times per second, as composing takes a while."""
        if not self._unseen:
            return
        rows = self._unseen.take()
        score = self._composer.feed(rows)
        self._bar.show(self.steps, f"loss {rows.metrics['loss'][-1]:.4g}  {_notes(score, rows.steps[-1])}")
        self._unseen.look_at = time.perf_counter() + SHOW_EVERY


def _notes(score: Any, step: int) -> str:
    """A step's notes by name; ``!`` is the alarm."""
    from gradmidi.theory.pitch import hz_to_key, note_name

    now = score.step == step
    names = [note_name(round(key)) for key in hz_to_key(score.frequency[now]).tolist()]
    return " ".join(name if pitched else "!" for pitched, name in zip(score.pitched[now], names, strict=True))
