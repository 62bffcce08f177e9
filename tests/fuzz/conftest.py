"""The counts of the room, at the end of the tests."""

from tests.fuzz.room import as_table
from tests.fuzz.test_fuzz import COUNTS


def pytest_terminal_summary(terminalreporter):
    reports = [one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, ())]
    counts = [value for report in reports for name, value in report.user_properties if name == COUNTS]
    if counts:
        terminalreporter.section("fuzz")
        terminalreporter.write_line(as_table(counts))
