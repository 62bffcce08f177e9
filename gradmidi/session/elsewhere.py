"""The recording of a session on a rank that does not record: without steps, and it never overwrites a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gradmidi.recording.recording import Recording
from gradmidi.saying import warn


class RecordedElsewhere(Recording):
    """No steps. Scripts end with ``session.recording.save(...)`` on every rank; here that leaves the file to rank 0."""

    @classmethod
    def of(cls, layers: Sequence[str]) -> RecordedElsewhere:
        """One of L layers."""
        return cls(tuple(layers), np.zeros(0, dtype=np.int64), np.zeros((0, len(layers))))

    def save(self, path: str | Path) -> None:
        """Warn that nothing is saved here, but by rank 0."""
        from gradmidi.measure.distributed import rank

        warn(
            f"gradmidi: rank {rank()} does not record, so {Path(path).name} is left to rank 0; "
            "with ranks='each' every rank has a recording to save, under a different name"
        )
