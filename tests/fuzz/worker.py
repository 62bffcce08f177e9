"""The process that reads mutants: one after another, each within limits of time and memory.

    python -m tests.fuzz.worker READER SEED FIRST COUNT FOLDER

A line of JSON on the first stdout before and after each case tells the room how far it is, so that a case that takes
the process with it is known.
"""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.fuzz.plain import is_plain
from tests.fuzz.readers import READERS, Case, make_case, random_of

SECONDS = 2.0  # of the processor, for reading a file and what follows
MEMORY, TIMES_SIZE = 100_000_000, 20  # bytes above those of before, and as many times the size of the case
SPARE = 500_000_000  # bytes of address space beyond that, which are claimed but not used
LONGEST = 500  # characters of a message

LOADED, REFUSED = "loaded", "refused"  # every other outcome is a failure
ROOM = "room"  # a fault of the room's own


class OutOfTime(BaseException):
    """No ``except Exception`` on the way hides it."""


def run_case(name: str, seed: int, number: int, folder: Path) -> dict[str, Any]:
    """Write the mutant, read it, and say what came of it."""
    case = make_case(name, seed, number)
    size = write_case(case, folder)
    use = getattr(import_module("tests.fuzz.uses"), READERS[name].use)
    rng = random_of(name, seed, number)
    gc.collect()
    before = _memory("VmRSS")
    allowed = MEMORY + TIMES_SIZE * size
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    resource.setrlimit(resource.RLIMIT_DATA, (_memory("VmData") + allowed + SPARE, resource.RLIM_INFINITY))
    begun = time.thread_time()  # that of the process stands nearly still while its timer runs
    signal.setitimer(signal.ITIMER_PROF, SECONDS * 1.5)
    try:
        outcome, detail = _outcome(lambda: use(folder / case.target, rng), folder)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    seconds, memory = time.thread_time() - begun, max(0, _memory("VmHWM") - before)
    if outcome in (LOADED, REFUSED) and seconds > SECONDS:
        outcome, detail = "slow", f"{seconds:.1f} s"
    if outcome in (LOADED, REFUSED) and memory > allowed:
        outcome, detail = "memory", f"{memory / 1e6:.0f} MB for a file of {size:,} bytes"
    return {"number": number, "outcome": outcome, "detail": detail, "seconds": seconds, "memory": memory}


def write_case(case: Case, folder: Path) -> int:
    """The mutant's files in an empty ``folder``; returns their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)
    return sum(len(content or b"") for content in case.files.values())


def _outcome(use: Any, folder: Path) -> tuple[str, str]:
    from gradmidi.errors import InputError, MissingPartError

    try:
        use()
    except (InputError, MissingPartError) as error:
        wrong = complaint(str(error), folder)
        return ("message", f"{wrong}: {str(error)[:300]!r}") if wrong else (REFUSED, str(error))
    except OutOfTime:
        return "slow", f"over {SECONDS * 1.5:g} s\n{traceback.format_exc(limit=-6)}"
    except MemoryError:
        return "memory", traceback.format_exc(limit=-6)
    except Exception:
        return "traceback", traceback.format_exc(limit=-6)
    return LOADED, ""


def complaint(message: str, folder: Path) -> str:
    """What is wrong with a message that a person is to read; empty if nothing is."""
    if not is_plain(message):
        return "not one plain line"
    if len(message) >= LONGEST:
        return f"{len(message)} characters"
    return "" if str(folder) in message else "names no file"


def _memory(what: str) -> int:
    found = re.search(rf"{what}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def _out_of_time(*_: object) -> None:
    raise OutOfTime


def main(name: str, seed: str, first: str, count: str, folder: str) -> None:
    reports = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    for noisy in (1, 2):  # libraries in C talk here
        os.dup2(quiet, noisy)
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, _out_of_time)
    place = Path(folder)
    make_case(name, int(seed), int(first))  # seeds and imports belong to no case
    import_module("tests.fuzz.uses")
    gc.freeze()  # what is there already needs no looking through after every case
    for number in range(int(first), int(first) + int(count)):
        print(json.dumps({"begun": number}), file=reports, flush=True)
        try:
            report = run_case(name, int(seed), number, place)
        except Exception:
            report = {"number": number, "outcome": ROOM, "detail": traceback.format_exc()}
        print(json.dumps(report), file=reports, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
