"""Thin adapters to training frameworks, one file each; every one starts a session and ends it with the training."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradmidi.errors import MissingPartError


def framework(*modules: str, install: str) -> Any:
    """The first of the modules that is installed.

    Raises:
        MissingPartError: none of them is.
    """
    for module in modules:
        try:
            return import_module(module)
        except ModuleNotFoundError:
            continue
    raise MissingPartError(f"{modules[0]} is not installed; {install}")
