"""The recording as NumPy's own archive (``.npz``): a hundred million norms load in a second, where text takes many."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from gradmidi.errors import InputError
from gradmidi.files import whole_file
from gradmidi.recording import Recording

FORMAT = "gradmidi recording 1"
METRIC = "metric/"  # before the names of metrics, so that they meet no name of our own


def save_npz(recording: Recording, path: Path) -> None:
    """See :meth:`Recording.save`."""
    head = {"format": FORMAT, "layers": recording.layers, "meta": dict(recording.meta)}
    metrics = {METRIC + name: values for name, values in recording.metrics.items()}
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


def load_npz(path: Path) -> Recording:
    """See :meth:`Recording.load`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            head = json.loads(str(archive["head"]))
            if head["format"] != FORMAT:
                raise ValueError(head["format"])
            metrics = {name.removeprefix(METRIC): archive[name] for name in archive if name.startswith(METRIC)}
            arrays = archive["steps"], archive["norms"], metrics
            return Recording(tuple(head["layers"]), *arrays, head["meta"], archive["gaps"])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the recording of a run") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error):
        raise InputError(f"{path} is not a recording that gradmidi wrote, or it is cut short") from None
