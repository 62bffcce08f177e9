"""Where the digits come from: full MNIST on disk, a download, a folder, or the 5,000 that ship with gradmidi."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.experiments.digits.idx import read_idx
from gradmidi.printable import printable

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
# Where people keep what torchvision downloaded, in the order in which it is looked for.
USUAL_FOLDERS = ("data", "../data", "~/data", "~/.cache/gradmidi", "~/datasets")
DOWNLOAD_FOLDER = "~/.cache/gradmidi"
LARGEST_LABEL = 9


class Digits(NamedTuple):
    """Images (N, 28, 28) and labels (N,), both uint8, with a line that says which digits these are."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    source: str


def load_digits(data: str = "auto") -> Digits:
    """The digits of ``auto`` (full MNIST if it is on disk, otherwise the embedded ones), ``mnist`` or a folder.

    When a download is not possible, the embedded digits come instead and ``source`` says why.

    Raises:
        InputError: a folder without MNIST's files, or files that are not what they should be.
    """
    if data == "auto":
        found = next(_found_in_usual_folders(), None)
        return _read_idx(found) if found else embedded_digits()
    if data == "mnist":
        return _download()
    try:
        folder = _idx_folder(_path(data))
    except OSError as error:
        raise InputError(f"cannot read {data}: {error.strerror}; give a folder with MNIST") from None
    if folder is None:
        raise InputError(f"{data} holds no MNIST: {IMAGES} and {LABELS} (or .gz) are looked for there and in MNIST/raw")
    return _read_idx(folder)


def embedded_digits() -> Digits:
    """5,000 real MNIST digits; see LICENSE.md next to the file for their origin."""
    with resources.files(__name__).joinpath("digits.npz").open("rb") as file:
        table = np.load(file)
        return Digits(table["images"], table["labels"], "5,000 embedded MNIST digits")


def _found_in_usual_folders() -> Iterator[Path]:
    for name in (os.environ.get("GRADMIDI_DATA", ""), *USUAL_FOLDERS):
        with suppress(OSError):  # a home without the right to look into it holds no digits for us
            folder = _idx_folder(_path(name)) if name else None
            if folder is not None:
                yield folder


def _path(name: str) -> Path:
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path's raises where there is no such home


def _idx_folder(root: Path) -> Path | None:
    """Where below ``root`` both files are.

    Raises:
        OSError: one may not look there.
    """
    for folder in (root, root / "MNIST" / "raw", root / "raw"):
        if _file(folder, IMAGES) and _file(folder, LABELS):
            return folder
    return None


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read_idx(folder: Path) -> Digits:
    images_file, labels_file = (_file(folder, name) or folder / name for name in (IMAGES, LABELS))
    images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or not len(labels):
        raise InputError(f"{folder}: images of shape {images.shape} and labels of shape {labels.shape} are not MNIST")
    if labels.max() > LARGEST_LABEL:
        raise InputError(f"{labels_file}: label {labels.max()} is not a digit; MNIST's labels are 0 to {LARGEST_LABEL}")
    return Digits(images, labels, f"{len(images):,} MNIST digits in {printable(folder)}")


def _download() -> Digits:
    root = _path(DOWNLOAD_FOLDER)
    try:
        folder = _idx_folder(root)
        if folder is None:
            # Beside a torch of another build, importing torchvision raises RuntimeError instead of ImportError.
            from torchvision.datasets import MNIST

            MNIST(str(root), train=True, download=True)
            folder = _idx_folder(root)
    except ImportError:
        return _instead("torchvision is not installed (pip install 'gradmidi[mnist]')")
    except (RuntimeError, OSError) as error:
        return _instead(f"MNIST cannot be downloaded ({str(error).splitlines()[0][:100]})")
    return _read_idx(folder) if folder else _instead("the download holds no MNIST files")


def _instead(reason: str) -> Digits:
    embedded = embedded_digits()
    return embedded._replace(source=f"{embedded.source}, because {reason}")
