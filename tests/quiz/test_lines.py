"""Lines that are typed, with the time at which they came: through a pipe and on a terminal."""

from __future__ import annotations

import os
import sys
import time

import pytest

from gradmidi.quiz.lines import TypedLines


@pytest.fixture
def piped():
    """Lines that are read, and what writes them."""
    out, into = os.pipe()
    yield TypedLines(number=out), into


def test_a_line_has_the_time_at_which_it_came(piped):
    lines, into = piped
    assert lines.next(timeout=0.05) is None
    before = time.monotonic()
    os.write(into, " 3 é\n".encode())
    time.sleep(0.3)  # the line has come long before it is fetched
    line = lines.next()
    assert line.text == "3 é"
    assert before <= line.at < before + 0.25


def test_a_line_in_advance_counts_from_when_it_was_asked_for(piped):
    lines, into = piped
    os.write(into, b"1\n2\n")
    assert lines.next().text == "1"
    time.sleep(0.2)
    asked = time.monotonic()
    line = lines.next()
    assert line.text == "2"
    assert line.at >= asked


def test_the_end_of_input_is_told_again_and_again(piped):
    lines, into = piped
    os.write(into, b"\xff")
    os.close(into)
    assert lines.next().text == "�"
    assert [lines.next().text for _ in range(3)] == [None] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_what_a_terminal_got_before_the_question_is_forgotten():
    import pty

    keyboard, screen = pty.openpty()
    lines = TypedLines(number=screen)
    os.write(keyboard, b"too early\n")
    time.sleep(0.1)
    lines.forget()
    assert lines.next(timeout=0.3) is None
    os.write(keyboard, b"in time\n")
    assert lines.next(timeout=5).text == "in time"


def test_a_pipe_forgets_nothing(piped):
    lines, into = piped
    os.write(into, b"1\n")
    time.sleep(0.1)
    lines.forget()
    assert lines.next(timeout=5).text == "1"
