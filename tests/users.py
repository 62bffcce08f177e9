"""Run a piece of a test as another user of this machine, in a process of its own."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

VICTIM, ATTACKER = 65534, 1  # nobody and daemon, who are on every Linux and macOS


def as_user(user: int, work: Callable[[], Any]) -> Any:
    """What ``work`` returns or raises when ``user`` runs it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() != user:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            os.umask(0o022)
            outcome = (True, work())
        except BaseException as error:
            outcome = (False, error)
        os.write(writing, pickle.dumps(outcome))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        ended_well, outcome = pickle.loads(answer.read())
    os.waitpid(child, 0)
    if ended_well:
        return outcome
    raise outcome


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder as /tmp is: everyone may write, and only owners may remove."""
    if os.geteuid():
        pytest.skip("only root can act as two other users")
    folder = Path(tempfile.mkdtemp(prefix="gradmidi-shared-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def unprivileged(work: Callable[[], Any]) -> Any:
    """What ``work`` returns or raises for a user whom permissions bind."""
    return as_user(os.geteuid() or VICTIM, work)
