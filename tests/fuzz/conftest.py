"""The counts of the room, at the end of the tests."""

from tests.fuzz.room import as_table
from tests.fuzz.test_fuzz import TALLIES


def pytest_terminal_summary(terminalreporter, config):
    tallies = config.stash.get(TALLIES, [])
    if tallies:
        terminalreporter.section("fuzz")
        terminalreporter.write_line(as_table(tallies))
