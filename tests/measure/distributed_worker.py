"""Ranks of a gloo group in one launch: torch is imported once, then each rank is a fork that runs the same cases.

python -m tests.measure.distributed_worker RANKS FOLDER CASE...

Every rank leaves ``rank0.json``, ``rank1.json``, …: by case what the function of that name in
:mod:`tests.measure.distributed_cases` returned, and the warnings that were given meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.measure import distributed_cases

TIMEOUT = timedelta(seconds=60)  # for a rank that waits in vain


def run(rank: int, ranks: int, folder: Path, cases: list[str]) -> None:
    store = dist.FileStore(str(folder / "store"), ranks)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=TIMEOUT)
    results: dict[str, Any] = {}
    for case in cases:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            results[case] = getattr(distributed_cases, case)(rank, folder)
        results[case]["warnings"] = [str(one.message) for one in said if "gradmidi" in str(one.message)]
        dist.barrier()
    (folder / f"rank{rank}.json").write_text(json.dumps(results))
    # A rank that leaves while another is still at work may abort it.
    dist.barrier()


def main(ranks: int, folder: Path, cases: list[str]) -> int:
    torch.set_num_threads(1)
    children = []
    for rank in range(ranks):
        if (child := os.fork()) == 0:
            try:
                run(rank, ranks, folder, cases)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(1)
            # Gloo's own threads now and then abort while Python shuts down; what is tested is over by now.
            os._exit(0)
        children.append(child)
    return max([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
