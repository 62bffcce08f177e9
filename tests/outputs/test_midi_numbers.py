"""The numbers of MIDI as its specification lists them, and the messages that are made of them."""

from __future__ import annotations

import pytest

from gradmidi.outputs import midi_numbers as numbers
from gradmidi.outputs.midi_events import closing_messages, setup_messages
from gradmidi.score import Voice

# MIDI 1.0 Detailed Specification, table III (controllers), IIIa (registered parameters) and IV (channel modes).
SPECIFIED = {
    "BANK_COARSE": 0,
    "DATA_COARSE": 6,
    "VOLUME": 7,
    "PAN": 10,
    "BANK_FINE": 32,
    "DATA_FINE": 38,
    "SUSTAIN": 64,
    "DATA_INCREMENT": 96,
    "DATA_DECREMENT": 97,
    "NRPN_FINE": 98,
    "NRPN_COARSE": 99,
    "RPN_FINE": 100,
    "RPN_COARSE": 101,
    "ALL_SOUND_OFF": 120,
    "RESET_CONTROLLERS": 121,
    "ALL_NOTES_OFF": 123,
    "BEND_RANGE_RPN": 0,
    "FINE_TUNING_RPN": 1,
    "COARSE_TUNING_RPN": 2,
    "TUNING_PROGRAM_RPN": 3,
    "TUNING_BANK_RPN": 4,
    "NULL_RPN": 127,
    "SINGLE_NOTE_TUNING": bytes([0x7F, 0x7F, 0x08, 0x02]),
}
PIANO_PROGRAM, OWN_PROGRAM = 0, 112


def hexed(messages) -> list[str]:
    return [message.hex() for message in messages]


def test_the_numbers_are_those_of_the_specification():
    assert {name: getattr(numbers, name) for name in SPECIFIED} == SPECIFIED


def test_registered_parameters_are_chosen_before_they_are_set():
    assert numbers.rpn(1, 64, 5) == [(101, 0), (100, 1), (6, 64), (38, 5)]
    assert numbers.rpn(1, 64) == [(101, 0), (100, 1), (6, 64)]
    assert numbers.null_rpn() == [(101, 127), (100, 127)]
    assert numbers.tuning_program(5) == [(101, 0), (100, 4), (6, 0), (101, 0), (100, 3), (6, 5)]


@pytest.mark.parametrize(("count", "parts"), [(0, []), (1, [1]), (32, [32]), (33, [32, 1]), (128, [32] * 4)])
def test_keys_go_back_to_the_piano_32_at_a_time(count, parts):
    messages = numbers.equal_temperament(b"head", reversed(range(count)))
    assert [message[:4] for message in messages] == [b"head"] * len(parts)
    assert [message[4] for message in messages] == parts
    changes = b"".join(message[5:] for message in messages)
    assert changes == b"".join(bytes([key, key, 0, 0]) for key in range(count))


CONTROL_3 = {"volume": "B3 07 64", "pan": "B3 0A 28"}
# Bank 0 and program 0 of the tunings, and then no parameter.
PIANO = ["B3 65 00", "B3 64 04", "B3 06 00", "B3 65 00", "B3 64 03", "B3 06 00"]
RETUNED = [*PIANO[:-1], "B3 06 73"]  # program 112 + 3
NONE = ["B3 65 7F", "B3 64 7F"]
BEND_RANGE = ["B3 65 00", "B3 64 00", "B3 06 02", "B3 26 00"]


@pytest.mark.parametrize(
    ("tuning", "said"),
    [("12tet", [*PIANO, *NONE]), ("bend", [*PIANO, *BEND_RANGE, *NONE]), ("mts", [*RETUNED, *NONE])],
)
def test_what_a_channel_is_told_before_its_first_note(tuning, said):
    voice = Voice("a", 3, program=11, volume=100, pan=40)
    assert hexed(setup_messages(voice, tuning)) == ["C3 0B", *CONTROL_3.values(), "E3 00 40", *said]


@pytest.mark.parametrize(
    ("tuning", "said"),
    [
        ("12tet", []),
        ("bend", ["E3 00 40"]),
        ("mts", ["F0 7F 7F 08 02 73 02 3C 3C 00 00 40 40 00 00 F7", *PIANO, *NONE]),
    ],
)
def test_a_channel_is_left_in_tune(tuning, said):
    assert hexed(closing_messages(Voice("a", 3), tuning, {64, 60})) == said


@pytest.mark.parametrize("tuning", ["12tet", "bend", "mts"])
def test_percussion_is_told_its_level_and_place_only(tuning):
    voice = Voice("alarm", 9, pan=3, volume=99, percussion=True)
    assert hexed(setup_messages(voice, tuning)) == ["B9 07 63", "B9 0A 03"]
    assert closing_messages(voice, tuning, [60]) == []
