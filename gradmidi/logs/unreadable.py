"""Files that are not readable logs, and what to do about them."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.files.reading import Source

WANDB = ".wandb"
WANDB_BEGIN = b":W&B"
# Where Weights & Biases keeps its files, from the folder of one run up to the one that the training was started in.
WANDB_WHERE = (f"*{WANDB}", f"*/*{WANDB}", f"wandb/*/*{WANDB}")
WANDB_IS = "is the file that Weights & Biases keeps for itself"
EXPORT = "export the run's history as docs/logs.md shows, after `wandb sync` if it was offline"


class Unreadable(NamedTuple):
    """A kind of file: whether a file with this beginning is one, what is wrong, and what to do."""

    fits: Callable[[Source, bytes], bool]
    what: str
    remedy: str


UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE  # PowerShell's ``>`` writes the first

UNREADABLE = (
    Unreadable(
        lambda _, begin: begin.startswith(UTF16), "is UTF-16 text", "make it UTF-8, with iconv -f UTF-16 -t UTF-8"
    ),
    Unreadable(lambda file, begin: file.path.suffix == WANDB or begin.startswith(WANDB_BEGIN), WANDB_IS, EXPORT),
    Unreadable(lambda _, begin: begin.startswith(b"\x1f\x8b"), "is compressed", "unpack it first, with gunzip"),
    Unreadable(
        lambda _, begin: begin.startswith(b"SQLite format 3\0"),
        "is a database, such as that of MLflow",
        "export the run's metrics as docs/logs.md shows",
    ),
)


def check_file(source: Source, begin: bytes) -> None:
    """Refuse a file that no reader reads.

    Raises:
        InputError: it is such a file; the message says what to do.
    """
    for kind in UNREADABLE:
        if kind.fits(source, begin):
            raise InputError(f"{source.name} {kind.what}; {kind.remedy}")


def check_folder(folder: Path, name: str) -> None:
    """Refuse a folder that contains only files of Weights & Biases.

    Raises:
        InputError: it is such a folder.
    """
    found = next((path for where in WANDB_WHERE for path in sorted(folder.glob(where))), None)
    if found is not None:
        raise InputError(f"{name} holds no log but {found.relative_to(folder)}, which {WANDB_IS}; {EXPORT}")
