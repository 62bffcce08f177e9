"""Python imports this file by its name when it starts, as `gradmidi run` puts its folder on PYTHONPATH.

It waits for torch's optimizers to be imported and hangs one hook into them; nothing else is loaded before the first
optimizer step. Whatever fails here must leave the script as it would be without us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

OPTIMIZERS = "torch.optim.optimizer"


class WhenImported:
    """A finder that finds nothing itself, but has ``then`` called with the module once it has been imported."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self._name:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        loader: Any = spec and spec.loader
        if loader is not None:

            def exec_module(module: ModuleType) -> None:
                # On the loader itself rather than around it, so that the module's __loader__ stays what it is.
                del loader.exec_module
                loader.exec_module(module)
                self._then(module)

            loader.exec_module = exec_module
        return spec


def listen_from_the_first_step(module: Any) -> None:
    """Hang a hook into every optimizer step of this process."""
    hear: Callable[[Any], None] | None = None

    def before_step(optimizer: Any, args: Any, kwargs: Any) -> None:
        nonlocal hear
        # A step that is being compiled must not see anything of ours, or fullgraph=True would fail.
        if not torch.compiler.is_compiling():
            if hear is None:
                hear = _listener()
            hear(optimizer)

    torch = module.torch  # still being imported
    try:
        module.register_optimizer_step_pre_hook(before_step)
    except Exception as error:
        _say(f"this torch cannot be listened to: {error}")


def _listener() -> Callable[[Any], None]:
    try:
        from gradmidi.unattended.autolisten import AutoListener

        return AutoListener().hear
    except Exception as error:
        _say(f"{sys.executable} cannot load gradmidi ({error}); the training continues without it")
        return lambda optimizer: None


def _say(text: str) -> None:
    sys.stderr.write(f"gradmidi run: {text}\n")


def run_the_next_sitecustomize() -> None:
    """The sitecustomize that Python would have imported if ours were not first."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


if __name__ == "sitecustomize":
    sys.meta_path.insert(0, WhenImported(OPTIMIZERS, listen_from_the_first_step))
    run_the_next_sitecustomize()
