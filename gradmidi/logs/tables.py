"""Tables by their ending."""

from __future__ import annotations

from pathlib import Path

from gradmidi.logs.csv_log import CsvLog
from gradmidi.logs.jsonl_log import JsonlLog

JSONL = (".jsonl", ".ndjson")


def open_table(path: Path, step: str | None = None) -> CsvLog | JsonlLog:
    """JSONL by its ending, anything else as CSV."""
    return JsonlLog(path, step) if path.suffix.lower() in JSONL else CsvLog(path, step)
