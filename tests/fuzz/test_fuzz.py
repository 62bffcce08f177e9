"""Each reader and hundreds of mutants: every one loads or is refused in one line, in little time and memory."""

import os

import pytest

from tests.fuzz.mutators.values import LARGE
from tests.fuzz.readers import READERS, make_case
from tests.fuzz.room import COUNTS, FOUND, as_table, describe, run_reader
from tests.fuzz.worker import LOADED, REFUSED

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("GRADMIDI_FUZZ_COUNT", "200"))
SHOWN = 5


@pytest.mark.parametrize("reader", list(READERS))
def test_mutants_load_or_are_refused_in_one_line(reader, record_property):
    tally = run_reader(reader, seed=0, count=COUNT, workers=1)  # the tests themselves run on every core
    record_property(COUNTS, tally.row())
    described = "\n".join(describe(tally, failure) for failure in tally.failures[:SHOWN])
    assert not tally.failures, f"{len(tally.failures)} of {tally.total} failed; they are in {FOUND}\n{described}"
    # Both ways out have to be taken often, or this would test nothing.
    assert min(tally.counts[LOADED], tally.counts[REFUSED]) > COUNT / 25, as_table([tally.row()])


def test_a_mutant_is_the_same_every_time():
    for reader in READERS:
        assert make_case(reader, 1, 7) == make_case(reader, 1, 7)
    assert make_case("own-csv", 1, 7) != make_case("own-csv", 2, 7)


def test_changes_on_top_of_each_other_do_not_multiply():
    """This one repeated a value three times over until it had 270 MB, and was said to hang its reader."""
    assert sum(len(content or b"") for content in make_case("scale-toml", 7, 411).files.values()) < 2 * LARGE
