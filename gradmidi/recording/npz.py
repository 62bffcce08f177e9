"""The recording as NumPy's own archive (``.npz``): a hundred million norms load in one second; text takes much longer.

A file may come from an untrusted source: nothing is unpickled, and the size that an array claims is compared with the
size of the file before any memory is allocated for it.
"""

from __future__ import annotations

import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.files.reading import Source
from gradmidi.recording.names import FORMAT, exact_json, head_text, text_of_json
from gradmidi.recording.recording import Recording

METRIC = "metric/"  # prefix of metrics, so that they cannot clash with other names
ENDING = ".npy"
NUMBERS, WHOLE, TRUTHS, TEXT = "iuf", "iu", "b", "U"  # kinds of NumPy's types
MOST_MEMBERS = 100_000
LONGEST_MEMBER = 1000  # characters of a name; zip has room for 65,535 bytes
LARGER = {NUMBERS: 8, WHOLE: 8, TRUTHS: 1}  # bytes per number in memory, however it is stored
# Bytes of memory that all arrays may take for a file of a given size; ours take about the size of the file. JSON data
# take up to eight times their text, stored with four bytes per character.
AT_LEAST, PER_BYTE = 2**25, 8
# Everything that zipfile, its decompressors and NumPy's header parser raise for damaged or hostile bytes.
DAMAGE = (
    *(ValueError, KeyError, TypeError, EOFError, AttributeError, IndexError, OverflowError, MemoryError, SyntaxError),
    *(TokenError, struct.error, zipfile.BadZipFile, zlib.error),
    RuntimeError,  # encrypted, unsupported, too deep
)


def save_npz(recording: Recording, path: Path) -> None:
    """See :meth:`Recording.save`."""
    head_text(recording.layers, tuple(recording.metrics), recording.meta)  # refuses what no CSV can hold
    names = {name: METRIC + (name if _is_member(name) else f"/{i}") for i, name in enumerate(recording.metrics)}
    head = {
        "format": FORMAT,
        "layers": [exact_json(layer) for layer in recording.layers],
        "metrics": [[exact_json(name), member] for name, member in names.items()],
        "meta": [[exact_json(key), exact_json(value)] for key, value in recording.meta.items()],
    }
    metrics = {names[name]: values for name, values in recording.metrics.items()}
    with whole_file(path) as file:
        np.savez(
            file,
            allow_pickle=False,
            head=np.array(json.dumps(head)),
            steps=recording.steps,
            norms=recording.norms,
            gaps=recording.gaps,
            **metrics,
        )


def load_npz(source: Source) -> Recording:
    """See :meth:`Recording.load`.

    Raises:
        InputError: it is not a recording that gradmidi wrote.
    """
    with source.opened() as file, _explained(source), zipfile.ZipFile(file) as archive:
        members = _Members(archive, source)
        head = json.loads(str(members.read("head", TEXT)))
        if head["format"] != FORMAT:
            raise ValueError(head["format"])
        layers = tuple(text_of_json(layer) for layer in head["layers"])
        metrics = {name: members.read(member, NUMBERS) for name, member in _metrics(head, archive).items()}
        arrays = members.read("steps", WHOLE), members.read("norms", NUMBERS), metrics
        pairs = head["meta"].items() if isinstance(head["meta"], Mapping) else head["meta"]
        meta = {text_of_json(key): text_of_json(value) for key, value in pairs}
        gaps = members.read("gaps", TRUTHS)
        try:
            return Recording(layers, *arrays, meta, gaps)
        except InputError as error:  # inconsistent shapes, duplicate layers
            raise InputError(f"{source.name}: {error}") from None


class _Members:
    """The arrays of an archive, provided that their memory is in proportion to the file."""

    def __init__(self, archive: zipfile.ZipFile, source: Source) -> None:
        if len(archive.namelist()) > MOST_MEMBERS:
            raise ValueError("more arrays than any recording has")
        self._archive = archive
        self._name = source.name
        self._left = self._allowed = AT_LEAST + PER_BYTE * source.size

    def read(self, name: str, kinds: str) -> NDArray[Any]:
        """An array whose type is one of ``kinds``.

        Raises:
            InputError: it takes too much memory.
            ValueError, KeyError, …: it is not an array, or is damaged.
        """
        info = self._archive.getinfo(name + ENDING)
        with self._archive.open(info) as file:
            shape, dtype = _shape_and_type(file)
            if dtype.kind not in kinds or dtype.itemsize == 0:
                raise ValueError(f"{name} holds {dtype}")
            self._take(prod(shape) * (8 * dtype.itemsize if kinds == TEXT else max(dtype.itemsize, LARGER[kinds])))
            if info.file_size != file.tell() + prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} is not as long as it says")
            file.seek(0)
            return np.asarray(npy.read_array(file, allow_pickle=False))

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            most = f"{self._allowed / 1e6:,.0f} MB"
            raise InputError(
                f"{self._name}: its arrays would take more than {most}, far more than such a file holds; "
                "save the recording anew with Recording.save"
            )


def _shape_and_type(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _metrics(head: Mapping[str, Any], archive: zipfile.ZipFile) -> dict[str, str]:
    """The array of each metric; older archives have them only in the names of the arrays."""
    if "metrics" in head:
        return {text_of_json(name): str(member) for name, member in head["metrics"]}
    arrays = [name.removesuffix(ENDING) for name in archive.namelist()]
    return {name.removeprefix(METRIC): name for name in arrays if name.startswith(METRIC)}


def _is_member(name: str) -> bool:
    """Whether a name can be that of a file in an archive and is read back unchanged."""
    plain = name.isascii() and name.isprintable() and not name.startswith("/") and not name.endswith(ENDING)
    return plain and len(name) <= LONGEST_MEMBER


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    """One line for any damage of an archive; an error of the system remains an :class:`OSError`."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of Python's and NumPy's parsers, about a head's literals
            yield
    except InputError:
        raise
    except OSError as error:  # decompressors raise it too, without a number
        if error.errno is not None:
            raise
        raise _not_ours(source) from None
    except DAMAGE:
        raise _not_ours(source) from None


def _not_ours(source: Source) -> InputError:
    return InputError(f"{source.name} is not a recording that gradmidi wrote, or it is cut short")
