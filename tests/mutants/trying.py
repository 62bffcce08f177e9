"""Run a room's tests in a forked child, so that numpy and pytest are imported once; the likeliest to notice go first.

The tests that run a mutant's line are known from coverage, which does not see into processes that a test starts.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutants.choosing import Mutant, statement_lines

# What tests import and what takes long to import.
PRELOADED = ("numpy", "pandas", "matplotlib.figure", "hypothesis.strategies", "hypothesis.extra.numpy")
OPTIONS = ("-x", "-q", "-m", "not slow", *(f"-pno:{plugin}" for plugin in ("cacheprovider", "anyio", "xdist")))
MOST_MEMORY = 3 << 30  # bytes of address space, for a mutant that asks for ever more


class Room:
    """The tests of a room: how long each takes, and which of them run a line."""

    def __init__(self, tests: str) -> None:
        self._all = tests.split()
        for name in PRELOADED:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        started = time.monotonic()
        passed, output = self._in_child(_Unbroken(), self._all, timeout=900.0)
        if not passed:
            raise SystemExit(f"the tests {tests} fail without any mutant:\n{output}")
        self._timeout = 10.0 + 2.0 * (time.monotonic() - started)
        seen = json.loads(SEEN.read_text())
        self._runs: dict[str, dict[str, list[str]]] = seen["runs"]
        self._takes: dict[str, float] = seen["takes"]
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

    def notices(self, mutant: Mutant, quick: bool) -> tuple[bool, str]:
        """Whether a test fails or never ends, and what the tests printed.

        First come those that run the mutant's line, quick ones before slow ones, then the others: none if ``quick``.
        """
        runs = self._runs.get(str(mutant.file), {})
        lines = statement_lines(mutant.before, mutant.line)
        likely = {test for line in lines for test in runs.get(str(line), ())}
        _forget(mutant.file)
        mutant.file.write_text(mutant.after)
        passed, output = True, ""
        try:
            if likely:
                files = sorted({test.partition("::")[0] for test in likely})
                passed, output = self._in_child(_Chosen(likely.__contains__, self._takes), files, self._timeout)
            if passed and not (quick and likely):
                others = _Chosen(lambda test: test not in likely, self._takes)
                passed, output = self._in_child(others, self._all, self._timeout)
        finally:
            mutant.file.write_text(mutant.before)
        return not passed, output

    def _in_child(self, plugin: Any, tests: list[str], timeout: float) -> tuple[bool, str]:
        output = Path("output.txt").absolute()
        child = os.fork()
        if not child:
            _become(lambda: plugin.main([*OPTIONS, *tests]), output)
        passed = _waited(child, timeout)
        return passed, output.read_text(errors="replace")


SEEN = Path("seen.json")


class _Chosen:
    """Runs some of the tests, quick ones before slow ones."""

    def __init__(self, wanted: Callable[[str], bool], takes: dict[str, float]) -> None:
        self._wanted, self._takes = wanted, takes

    def main(self, arguments: list[str]) -> int:
        outcome = pytest.main(arguments, plugins=[self])
        return 0 if outcome is pytest.ExitCode.NO_TESTS_COLLECTED else int(outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._wanted(item.nodeid)]
        items.sort(key=lambda item: self._takes.get(item.nodeid, 0.0))


class _Unbroken:
    """Notes for each test how long it takes and which lines it runs."""

    def __init__(self) -> None:
        self._takes: dict[str, float] = {}

    def main(self, arguments: list[str]) -> int:
        self._coverage = coverage.Coverage(data_file=None, source=["gradmidi"])
        self._coverage.start()
        outcome = pytest.main(arguments, plugins=[self])
        self._coverage.stop()
        data = self._coverage.get_data()
        runs = {
            os.path.relpath(file): {
                line: [test for test in tests if test] for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        SEEN.write_text(json.dumps({"runs": runs, "takes": self._takes}))
        return int(outcome)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._takes[report.nodeid] = self._takes.get(report.nodeid, 0.0) + report.duration


def _become(run: Callable[[], int], output: Path) -> None:
    """Turn this forked process into one that tests the tree it stands in, and end it."""
    outcome = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        null = os.open(os.devnull, os.O_RDONLY)
        for ours, theirs in ((null, 0), (file, 1), (file, 2)):
            os.dup2(ours, theirs)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "gradmidi")]:
            del sys.modules[name]
        sys.path.insert(0, str(Path.cwd()))
        shutil.rmtree(".hypothesis", ignore_errors=True)  # what another mutant was found by must not help
        outcome = run()
        sys.stdout.flush()
    finally:
        os._exit(outcome)


def _waited(child: int, timeout: float) -> bool:
    """Whether a child ends well in time; what it started ends with it."""
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status == 0
            time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _forget(file: Path) -> None:
    """Remove the compiled form of a file: a mutant of the same second and length would be taken for it."""
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()
