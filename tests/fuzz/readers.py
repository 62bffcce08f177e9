"""The table of the room: who reads what, from which seeds, changed how, and what is done with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz import seeds
from tests.fuzz.mutators.archives import npz
from tests.fuzz.mutators.chunks import midi, riff
from tests.fuzz.mutators.events import events
from tests.fuzz.mutators.folders import folder
from tests.fuzz.mutators.idx import idx
from tests.fuzz.mutators.objects import dllogger_lines, json_lines, json_whole, toml
from tests.fuzz.mutators.raw import RAW
from tests.fuzz.mutators.tables import metadata, points, table
from tests.fuzz.mutators.text import TEXT
from tests.fuzz.mutators.values import LARGE
from tests.fuzz.seeds import Files, Seeds

Mutator = Callable[[bytes, Random], bytes]
Use = Callable[[Path, Random], None]
OF_FOLDER = 0.3  # of the mutants of folders, how many have another tree as well
CHANGES = (1, 1, 1, 1, 2, 2, 3, 6)  # how many a mutant has


class Reader(NamedTuple):
    """One kind of file.

    Attributes:
        seeds: makes the valid files.
        mutators: what is done to one of their files; each of a row is as likely, of which the later rows are generic.
        use: name in ``tests.fuzz.uses`` of what reads the case and goes on with it.
        folder: the whole folder is read, not its first file.
    """

    seeds: Seeds
    mutators: Sequence[Sequence[Mutator]]
    use: str
    folder: bool = False


READERS: dict[str, Reader] = {
    "own-csv": Reader(
        lambda: [seeds.saved("norms.csv", gaps) for gaps in (False, True)],
        ((table,), (metadata,), TEXT, RAW),
        "recording",
    ),
    "appended-to": Reader(lambda: [seeds.saved("norms.csv", True)], ((table,), (metadata,), TEXT, RAW), "earlier"),
    "npz": Reader(
        lambda: [seeds.saved("norms.npz", gaps) for gaps in (False, True)], ((npz,), (npz,), (npz,), RAW), "recording"
    ),
    "foreign-csv": Reader(seeds.foreign_csv, ((table,), (table,), TEXT, RAW), "log"),
    "jsonl": Reader(seeds.jsonl, ((json_lines,), (json_lines,), TEXT, RAW), "log"),
    "wandb": Reader(seeds.wandb, ((table,), (json_lines,), TEXT, RAW), "log"),
    "json": Reader(seeds.json_files, ((json_whole,), (json_whole,), TEXT, RAW), "log"),
    "dllogger": Reader(seeds.dllogger, ((dllogger_lines,), (dllogger_lines,), TEXT, RAW), "log"),
    "trainer-folder": Reader(seeds.trainer, ((json_whole,), (json_whole,), TEXT, RAW), "log", folder=True),
    "csv-folder": Reader(seeds.csv_logger, ((table,), (table,), TEXT, RAW), "log", folder=True),
    "mlflow-folder": Reader(seeds.mlflow, ((points,), (points,), TEXT, RAW), "log", folder=True),
    "tensorboard-folder": Reader(seeds.event_folders, ((events,), (events,), RAW), "log", folder=True),
    "tensorboard": Reader(seeds.event_files, ((events,), (events,), (events,), RAW), "log"),
    "scl": Reader(seeds.scl, (TEXT, TEXT, RAW), "scala"),
    "kbm": Reader(seeds.kbm, (TEXT, TEXT, RAW), "scala"),
    "scale-toml": Reader(lambda: seeds.toml("x.toml", seeds.SCALES), ((toml,), (toml,), TEXT, RAW), "toml_scale"),
    "voices-toml": Reader(lambda: seeds.toml("voices.toml", seeds.VOICES), ((toml,), (toml,), TEXT, RAW), "voices"),
    "mid": Reader(seeds.midi, ((midi,), (midi,), (midi,), RAW), "midi"),
    "sf2": Reader(seeds.soundfont, ((riff,), (riff,), (riff,), RAW), "soundfont"),
    "mnist": Reader(seeds.mnist, ((idx,), (idx,), (idx,), RAW), "digits", folder=True),
}


class Case(NamedTuple):
    """One mutant: its files, and the file or folder, below the case's own, that is read."""

    files: Files
    target: str


@cache
def _seeds(name: str) -> list[Files]:
    return READERS[name].seeds()


def make_case(name: str, seed: int, number: int) -> Case:
    """The mutant of that number: the same one every time."""
    reader, rng = READERS[name], random_of(name, seed, number)
    files = dict(rng.choice(_seeds(name)))
    target = "" if reader.folder else next(iter(files))
    changed = [file for file, content in files.items() if content is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is said of a strange file while it is made
        for _ in range(rng.choice(CHANGES)):
            file = rng.choice(changed) if reader.folder else target
            content = files[file]
            assert content is not None
            if len(content) > LARGE:  # nothing may grow without end
                break
            files[file] = rng.choice(rng.choice(reader.mutators))(content, rng)
        if reader.folder and rng.random() < OF_FOLDER:
            files = folder(files, rng)
    return Case(files, target)


def random_of(name: str, seed: int, number: int) -> Random:
    return Random(f"{name} {seed} {number}")
