"""A Hugging Face Trainer's output folder as a log: ``trainer_state.json``, there and in the folders of checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from gradmidi.errors import InputError
from gradmidi.files.reading import Source
from gradmidi.logs.json_log import CHECKPOINT, open_json
from gradmidi.logs.row_log import RowLog
from gradmidi.logs.runs import HERE, Choice, choose_runs, the_only

STATE = "trainer_state.json"
WHERE = (STATE, f"{CHECKPOINT}*/{STATE}", f"*/{STATE}", f"*/{CHECKPOINT}*/{STATE}")


def trainer_runs(folder: Path) -> dict[str, list[Path]]:
    """States by the name of their run, the folder of its Trainer below ``folder``."""
    runs: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for where in WHERE for path in folder.glob(where)):
        if path.is_file():
            of_run = path.parent.parent if path.parent.name.startswith(CHECKPOINT) else path.parent
            runs[of_run.relative_to(folder).as_posix() if of_run.is_relative_to(folder) else HERE].append(path)
    return dict(runs)


def open_trainer(source: Source, runs: Mapping[str, Sequence[Path]], choice: Choice) -> RowLog:
    """One run's history, from that of its states which has most steps; a damaged one is skipped with a notice.

    Args:
        source: the folder.
        runs: as :func:`trainer_runs` finds them.
        choice: what the user chose.

    Raises:
        InputError: there are several runs, or none of that name, or all states are damaged.
    """
    opened = cache(lambda name: _newest(runs[name], choice.step))
    return opened(the_only(source.name, choose_runs(source.name, runs, choice, lambda name: opened(name).names)))


def _newest(states: Sequence[Path], step: str | None) -> RowLog:
    """The history with most steps: that next to the checkpoints, or the last checkpoint's, if that is newer."""
    found: list[RowLog] = []
    wrong: list[str] = []
    for path in sorted(states, key=_order):
        if found and _number(path) <= found[0].last_step:
            break
        try:
            with Source(path) as source:
                found.append(open_json(source, step))
        except InputError as error:
            wrong.append(str(error))
            continue
        if _number(path):
            break
    if not found:
        raise InputError(wrong[0])
    best = max(found, key=lambda log: log.last_step)
    if wrong:
        best.notices.append(f"{wrong[0]}; an earlier state is read")
    if len(found) > 1:
        best.notices.append(f"{best.source} is read, which has more steps than {found[0].source}")
    return best


def _order(state: Path) -> tuple[bool, int]:
    """The state next to the checkpoints first, then the last checkpoint."""
    return _number(state) > 0, -_number(state)


def _number(state: Path) -> int:
    """The step at which a checkpoint was made; 0 if it is not a checkpoint."""
    number = state.parent.name.removeprefix(CHECKPOINT)
    is_checkpoint = state.parent.name.startswith(CHECKPOINT) and number.isascii() and number.isdigit()
    return int(number[:18]) if is_checkpoint else 0
