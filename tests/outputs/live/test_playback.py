"""play, in simulated time: every moment is exact."""

from functools import partial
from itertools import count, pairwise

import mido
import pytest

from gradmidi.composition import compose
from gradmidi.composition.timing import Timing
from gradmidi.errors import MissingPartError
from gradmidi.outputs.live import play
from gradmidi.outputs.live.player.wire import KEEP
from tests.outputs.live.devices import is_note_off, is_note_on, is_panic
from tests.outputs.live.simulated import SimulatedPlayer, exact

# The core alone: what sounds besides the layers has tests of its own.
compose = partial(compose, sound="post")

RATE = 5000.0  # messages per second: a file's own set-up is out before its first note
AHEAD = 0.5  # s


@pytest.fixture
def player():
    return SimulatedPlayer(max_rate=RATE)


@pytest.fixture
def score(healthy):
    return compose(healthy.rows(0, 20), timing=Timing(unit=0.05), sound="post")


def began(player) -> float:
    """20 ms after opening comes the setup, at the allowed rate; 20 ms after it the piece."""
    setup = sum(frame.kind == KEEP for _, frame in player.handed)
    return 1000.0 + 0.02 + setup / RATE + 0.02


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
def test_a_midi_file_is_played_as_its_tempo_says(speed, score, tmp_path, player):
    score.save_midi(tmp_path / "run.mid")
    report = play(tmp_path / "run.mid", player, speed=speed, max_rate=RATE)
    now, expected = 0.0, []
    for message in mido.MidiFile(tmp_path / "run.mid"):
        now += message.time
        if message.type in ("note_on", "note_off"):
            expected.append((began(player) + now / speed, bytes(message.bytes())))
    notes = [heard for heard in player.heard if is_note_on(heard.data) or is_note_off(heard.data)]
    assert [heard.data for heard in notes] == [data for _, data in expected]
    assert [heard.at for heard in notes] == pytest.approx([at for at, _ in expected], abs=1e-6)
    assert report.notes == 80


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_progress_is_told_twenty_times_a_second(speed, score, player):
    told = []

    def note_down(done, total):
        told.append((player.time.now(), done, total))

    play(score, player, max_rate=RATE, speed=speed, progress=note_down)
    times, done, totals = zip(*told, strict=True)
    assert {exact(later - earlier) for earlier, later in pairwise(times)} == {0.05}
    assert list(map(exact, done)) == [exact(max(at - began(player), 0) * speed) for at in times]
    assert set(totals) == {score.length}
    # The rest is in the player's hands.
    assert score.length - AHEAD * speed <= done[-1] < score.length - (AHEAD - 0.05) * speed


def test_the_player_is_given_half_a_second_in_advance(score, player):
    """What is handed over too early could not be taken back by Ctrl-C, too late not be on time."""
    play(score, player, max_rate=RATE)
    notes = [(at, frame) for at, frame in player.handed if frame.data and is_note_on(frame.data)]
    leads = [exact(frame.deadline - at) for at, frame in notes]
    assert max(leads) <= AHEAD
    # Looked at each 50 ms; what is due in the first half second is handed over at once.
    assert min(lead for lead, (at, _) in zip(leads, notes, strict=True) if at > notes[0][0]) > AHEAD - 0.05


def test_play_returns_when_the_last_rest_is_over(score, player):
    play(score, player, max_rate=RATE)
    assert exact(player.heard[-1].at) == exact(began(player) + score.length + 0.1)  # silence is said again 0.1 s later
    assert exact(player.time.now()) == exact(began(player) + score.length + 0.2)


def test_a_loop_goes_round_without_a_gap_until_ctrl_c_ends_every_note(score, player):
    def interrupt(done, total):
        if player.time.now() > 1000 + 2.2 * score.length:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(score, player, max_rate=RATE, loop=True, progress=interrupt)
    onsets = [exact(note.at - began(player)) for note in player.note_ons()]
    rounds = (exact(onset + lap * score.length) for lap in count() for onset in sorted(score.onset))
    assert onsets == [next(rounds) for _ in onsets] and len(onsets) > 2 * len(score)
    # Silent at once, though half a second more was handed over.
    assert max(frame.deadline for _, frame in player.handed) > player.time.now()
    assert player.heard[-1].at < player.time.now()
    assert sum(is_note_on(heard.data) - is_note_off(heard.data) for heard in player.heard) == 0
    assert sum(is_panic(heard.data) for heard in player.heard) > 2 * 3 * 4


def test_what_the_player_does_not_accept_is_handed_over_again_and_nothing_is_lost(score, player):
    """For 0.8 s it accepts nothing: the notes of 0.3 s are late, and the others are not."""
    refused = []

    def refuse(done, total):
        if done > 1.0 and not refused:
            refused.append(player.time.now())
            player.full_until = refused[0] + 0.79  # it is asked each 50 ms

    report = play(score, player, max_rate=RATE, progress=refuse)
    due = [exact(began(player) + onset) for onset in score.onset]
    accepted = exact(refused[0] + 0.8)
    late = [at for at in due if refused[0] + AHEAD < at < accepted]
    assert [note.at for note in player.note_ons()] == [accepted if at in late else at for at in due]
    assert report.notes == len(score) and len(late) == 4


def test_a_port_that_is_lost_while_playing_is_an_error_with_its_name(score, player):
    def lose(done, total):
        player.failure = "the player process is gone"

    with pytest.raises(MissingPartError, match=r"the MIDI port simulated was lost: the player process is gone"):
        play(score, player, max_rate=RATE, progress=lose)
