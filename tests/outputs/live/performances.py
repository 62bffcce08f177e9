"""What was sent in a performance, taken apart."""

from collections.abc import Iterable, Sequence

from tests.outputs.live.devices import Heard, is_note_on, is_panic


def notes_after_the_setup(sent: Sequence[Heard]) -> Sequence[Heard]:
    """From the first note's own messages on, such as its bend."""
    struck = next(i for i, heard in enumerate(sent) if is_note_on(heard.data))
    first = max(i for i, heard in enumerate(sent[:struck]) if heard.data[1:] == bytes((100, 127))) + 1  # RPNs closed
    first += sum(heard.data[0] == 0xB9 for heard in sent[first:struck])  # the percussion's set-up, which has none
    return sent[first:]


def by_voice(messages: Iterable[bytes]) -> dict[int, list[bytes]]:
    """Messages of each channel in order; the order of simultaneous ones on different channels is nobody's business."""
    found: dict[int, list[bytes]] = {}
    for data in messages:
        if not is_panic(data):
            found.setdefault(data[0] & 0x0F, []).append(data)
    return found
