"""Signatures that a person can read: ``**options: Unpack[Table]`` shown with each option of the table and its default.

Type checkers and most editors expand the table by themselves; ``help()``, IPython and Jupyter ask for the signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Made = TypeVar("Made", bound=Callable[..., Any])


def spelled_out(table: type, defaults: Mapping[str, Any]) -> Callable[[Made], Made]:
    """Give a function or class the signature in which the options of a ``TypedDict`` stand one by one.

    Args:
        table: the TypedDict behind its ``**options``.
        defaults: value by option, for the options that have one.
    """

    def decorate(function: Made) -> Made:
        own = inspect.signature(function)
        named = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        known = {one.name for one in named}
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=hint)
            for name, hint in option_types(table).items()
            if name not in known
        ]
        function.__signature__ = own.replace(parameters=[*named, *more])  # type: ignore[attr-defined]
        return function

    return decorate


def option_types(table: type) -> dict[str, Any]:
    """The options of a ``TypedDict``, those of its bases first, with their types as written."""
    rows: dict[str, Any] = {}
    for base in (*reversed(getattr(table, "__orig_bases__", ())), table):
        rows |= getattr(base, "__annotations__", {})
    return {name: getattr(hint, "__forward_arg__", hint) for name, hint in rows.items()}
