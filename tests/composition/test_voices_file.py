"""Voices files of every wrong kind: one line that names the file, and the voice where there is one."""

from functools import partial

import pytest

from gradmidi.composition import compose
from gradmidi.composition.voices import Part, load_parts
from gradmidi.errors import InputError
from gradmidi.recording import Recording

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

HEX = "0x" + "f" * 5000  # TOML reads it; Python neither prints it nor makes a float of it
REFUSED = {
    "Latin-1": (b'[[voice]]\ninstrument = "Fl\xf6te"', "voices.toml, line 2: not UTF-8 text"),
    "UTF-16": ("[[voice]]".encode("utf-16"), "not UTF-8 text"),
    "5,000 digits": (b"[[voice]]\npan = " + b"9" * 5000, "not a TOML file"),
    "5,000 hexadecimal digits": (f"[[voice]]\npan = {HEX}".encode(), "voice 1: pan is a very large integer"),
    "such digits in a list": (f"[[voice]]\npan = [{HEX}]".encode(), "voice 1: pan is a list"),
    "an instrument of such digits": (f"[[voice]]\ninstrument = {HEX}".encode(), "a very large integer is out of range"),
    "an instrument of 5,000 digits": (b'[[voice]]\ninstrument = "' + b"9" * 5000 + b'"', "no instrument is called"),
    "a superscript digit": ('[[voice]]\ninstrument = "²"'.encode(), "no instrument is called '²'"),
    "nesting": (b"voice = " + b"[" * 50_000, "nested too deeply"),
    "a number for the voices": (b"voice = 3", "'voice' is 3; write a table [[voice]] for each layer"),
    "text for the voices": (b'voice = "Cello"', "write a table [[voice]]"),
    "a table for the voices": (b'[voice]\ninstrument = "Cello"', "write a table [[voice]]"),
    "a list of numbers": (b"voice = [1]", "write a table [[voice]]"),
    "no voices": (b"[voices]", "holds no [[voice]]"),
    "a list for the instrument": (b"[[voice]]\ninstrument = [1]", "instrument is [1]; give a name"),
    "a table for the instrument": (b"[[voice]]\ninstrument = {a = 1}", "instrument is {'a': 1}"),
    "true for the instrument": (b"[[voice]]\n[[voice]]\ninstrument = true", "voice 2: instrument is True"),
    "half an instrument": (b"[[voice]]\ninstrument = 1.5", "instrument is 1.5"),
    "half a pan": (b"[[voice]]\npan = 64.5", "pan is 64.5; it must be a whole number from 0 to 127"),
    "nan": (b"[[voice]]\noctave = nan", "octave is nan; it must be a number from -5 to 5"),
    "true for a number": (b"[[voice]]\nvelocity = true", "velocity is True"),
    "a date": (b"[[voice]]\nvolume = 1979-05-27", "volume is datetime.date(1979, 5, 27)"),
    "a key that steers a terminal": (b'[[voice]]\n"\\u001b[2J" = 1', r"'\x1b[2J' is not a setting"),
    "a long key": (b"[[voice]]\n" + b"a" * 9999 + b" = 1", "is not a setting of a voice"),
    "a large file": (b"#" * 600_000, "larger than 500,000 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_voices_file_is_refused_in_one_line(case, tmp_path):
    content, reason = REFUSED[case]
    (tmp_path / "voices.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_parts(tmp_path / "voices.toml")
    message = str(caught.value)
    assert str(tmp_path / "voices.toml") in message
    assert reason in message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize("name", ["a\0b.toml", "\udcff/none.toml", "none.toml", "~nobody-such/voices.toml", "."])
def test_a_name_that_no_file_can_have(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        load_parts(name)


def test_a_mark_of_utf_8_and_half_an_octave_are_fine(tmp_path):
    text = '[[voice]]\ninstrument = " 12 "\noctave = 0.5\n'
    (tmp_path / "voices.toml").write_text(text, encoding="utf-8-sig")
    (part,) = load_parts(tmp_path / "voices.toml")
    assert (part.program, part.octave) == (12, 0.5)
    score = compose(Recording.from_arrays([[1.0]]), parts=[part], scale=None)
    assert score.frequency[0] == pytest.approx(261.6256 * 2**0.5)


def test_the_limits_of_a_voice_and_what_it_is_without_settings(tmp_path):
    file = tmp_path / "voices.toml"

    def parts(*voices):
        file.write_text("\n".join(f"[[voice]]\n{voice}" for voice in voices))
        return load_parts(file)

    low, high, plain = parts(
        "instrument = 0\npan = 0\nvolume = 0\nvelocity = 1\noctave = -5",
        "instrument = 127\npan = 127\nvolume = 127\nvelocity = 127\noctave = 5",
        "",
    )
    assert low == Part(0, 0, 0, 1, -5)
    assert high == Part(127, 127, 127, 127, 5)
    assert plain == Part(0, 64, 100, 88, 0)
    for beyond in ("pan = -1", "pan = 128", "volume = -1", "volume = 128", "velocity = 0", "velocity = 128"):
        with pytest.raises(InputError, match=f"voice 2: {beyond.partition(' ')[0]} is "):
            parts("", beyond)
    for beyond in ("octave = -5.1", "octave = 5.1", "instrument = 128", "instrument = -1"):
        with pytest.raises(InputError, match="voice 1: "):
            parts(beyond)
