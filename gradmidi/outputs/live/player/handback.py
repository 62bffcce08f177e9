"""What a performance changes for the next user of the same synth, and the messages that undo it.

No MIDI message asks a synth for its state, so what is handed back is the state that General MIDI has at power-up, and
only where something was changed. Programs, banks and effect depths stay as the piece set them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gradmidi.outputs.midi_numbers import (
    BEND_RANGE_RPN,
    COARSE_TUNING_RPN,
    DATA_COARSE,
    DATA_DECREMENT,
    DATA_FINE,
    DATA_INCREMENT,
    FINE_TUNING_RPN,
    NRPN_COARSE,
    NRPN_FINE,
    NULL_RPN,
    PAN,
    RESET_CONTROLLERS,
    RPN_COARSE,
    RPN_FINE,
    TUNING_BANK_RPN,
    TUNING_PROGRAM_RPN,
    VOLUME,
    equal_temperament,
    null_rpn,
    rpn,
)

CONTROL, BEND, SYSEX, SYSTEM = 0xB0, 0xE0, 0xF0, 0xF0
BEND_CENTRE = (0x00, 0x40)
UNIVERSAL, TUNING_STANDARD = (0x7E, 0x7F), 0x08
ONE_BYTE_OCTAVE, OCTAVE_CENTRE, KEYS_OF_OCTAVE = 0x08, 0x40, 12
# Controllers that "reset all controllers" does not touch (MIDI recommended practice RP-015), and their value at rest.
CONTROLLERS_AT_REST = {VOLUME: 100, PAN: 64, **dict.fromkeys(range(70, 80), 64)}
# Values at rest, in the order in which they are sent: a synth that ignores tuning programs may take their data for the
# bend range, which is therefore last.
PARAMETERS_AT_REST = {
    TUNING_BANK_RPN: (0,),
    TUNING_PROGRAM_RPN: (0,),
    COARSE_TUNING_RPN: (64,),
    FINE_TUNING_RPN: (64, 0),
    BEND_RANGE_RPN: (2, 0),
}
# Sub-id of a single-note tuning change → bytes before its count of keys, the status byte not counted.
NOTE_TUNINGS = {0x02: 5, 0x07: 6}
OCTAVE_TUNINGS = {ONE_BYTE_OCTAVE: 12, 0x09: 24}  # sub-id → bytes of tuning, after three that name the channels
CHANNEL_MASK = 3


class Handback:
    """Watches every message sent to a synth, and knows which messages reset it."""

    def __init__(self) -> None:
        self._channels: set[int] = set()
        self._selected: dict[int, list[int]] = {}
        self._parameters: dict[int, set[int]] = defaultdict(set)
        self._controllers: dict[int, set[int]] = defaultdict(set)
        self._keys: dict[bytes, set[int]] = defaultdict(set)
        self._octaves: set[bytes] = set()

    @property
    def channels(self) -> list[int]:
        """The channels that were used."""
        return sorted(self._channels)

    def hear(self, data: bytes) -> None:
        """Record one complete message."""
        if data[0] == SYSEX:
            self._hear_sysex(data[1:-1])
        elif data[0] < SYSTEM:
            channel = data[0] & 0x0F
            self._channels.add(channel)
            if data[0] & 0xF0 == CONTROL:
                self._hear_control(channel, data[1], data[2])

    def messages(self) -> Iterator[bytes]:
        """The messages that reset the synth once nothing sounds any more; may be sent again."""
        for head in sorted(self._octaves):
            yield _sysex(head + bytes([OCTAVE_CENTRE] * KEYS_OF_OCTAVE))
        for head, keys in self._keys.items():
            yield from map(_sysex, equal_temperament(head, keys))
        for channel in self.channels:
            yield bytes((CONTROL | channel, RESET_CONTROLLERS, 0))
            yield bytes((BEND | channel, *BEND_CENTRE))
            for number, value in self._controls(channel):
                yield bytes((CONTROL | channel, number, value))

    def _controls(self, channel: int) -> Iterator[tuple[int, int]]:
        """Controllers at rest, then registered parameters."""
        for number in sorted(self._controllers[channel]):
            yield number, CONTROLLERS_AT_REST[number]
        changed = [number for number in PARAMETERS_AT_REST if number in self._parameters[channel]]
        for number in changed:
            yield from rpn(number, *PARAMETERS_AT_REST[number])
        if changed:
            yield from null_rpn()

    def _hear_control(self, channel: int, number: int, value: int) -> None:
        if number in CONTROLLERS_AT_REST:
            self._controllers[channel].add(number)
        elif number in (RPN_COARSE, RPN_FINE):
            self._selected.setdefault(channel, [NULL_RPN, NULL_RPN])[number == RPN_FINE] = value
        elif number in (NRPN_COARSE, NRPN_FINE, RESET_CONTROLLERS):
            self._selected.pop(channel, None)
        elif number in (DATA_COARSE, DATA_FINE, DATA_INCREMENT, DATA_DECREMENT):
            coarse, parameter = self._selected.get(channel, (NULL_RPN, NULL_RPN))
            if coarse == 0 and parameter in PARAMETERS_AT_REST:
                self._parameters[channel].add(parameter)

    def _hear_sysex(self, body: bytes) -> None:
        """A message of the MIDI Tuning Standard: which keys of which tuning program, or of which channels."""
        if len(body) < 4 or body[0] not in UNIVERSAL or body[2] != TUNING_STANDARD:
            return
        if body[3] in NOTE_TUNINGS:
            start = NOTE_TUNINGS[body[3]]
            self._keys[body[:start]].update(body[start + 1 :: 4])
        elif body[3] in OCTAVE_TUNINGS and len(body) == 4 + CHANNEL_MASK + OCTAVE_TUNINGS[body[3]]:
            self._octaves.add(body[:3] + bytes([ONE_BYTE_OCTAVE]) + body[4 : 4 + CHANNEL_MASK])


def _sysex(body: bytes) -> bytes:
    return bytes((SYSEX,)) + body + b"\xf7"
