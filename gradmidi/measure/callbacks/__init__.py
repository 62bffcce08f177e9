"""Where the callbacks were before they had a room of their own, :mod:`gradmidi.integrations`; old imports continue."""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

OLD, NEW = __name__, "gradmidi.integrations"


class _Moved(MetaPathFinder):
    """Finds ``gradmidi.measure.callbacks.X`` as ``gradmidi.integrations.X``."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name.startswith(f"{OLD}.") else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module(NEW + spec.name.removeprefix(OLD))

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed under its own name."""


sys.meta_path.append(_Moved())
