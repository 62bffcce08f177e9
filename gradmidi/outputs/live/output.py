"""LiveOutput: rows of norms in, notes out of a MIDI port, while the training continues undisturbed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from gradmidi.composition.composer import Composer
from gradmidi.composition.earcons import EVENTS_NAME
from gradmidi.events import Event
from gradmidi.forking import keep_from_children
from gradmidi.outputs.live.controllers import parse_controllers
from gradmidi.outputs.live.happenings import Happenings, is_urgent
from gradmidi.outputs.live.messages import live_tuning, setup_bytes, timed_bytes
from gradmidi.outputs.live.opening import DEFAULT_MAX_RATE, open_transport, settle_time
from gradmidi.outputs.live.pace import Pace, Waiting
from gradmidi.outputs.live.player.wire import CLOCK, CLOCK_DATA, CUT, END, KEEP, NOTE, pack
from gradmidi.outputs.live.report import LiveReport
from gradmidi.outputs.live.timeline import Grid, Timeline
from gradmidi.outputs.live.transport import Transport
from gradmidi.outputs.midi_events import MidiStream, TimedMessage
from gradmidi.recording import Recording
from gradmidi.recording.gathering import Gathering
from gradmidi.recording.row import Row
from gradmidi.saying import warn
from gradmidi.score import Voice

AFTER_SETUP = 0.02  # s for instruments to change before the first note
CLOCK_TICKS = 24  # per quarter note
START_AHEAD = 0.005  # s from MIDI clock's start message to its first tick
LOOK_EVERY = 0.5  # s in which rows are gathered, unless it is time for a step or one of them looks like an alarm
LOOK_FOR_CONTROLLERS = 0.02  # s, if metrics move controllers
LOOK_AGAIN = 0.01  # s, if a step is due and the player does not accept it
LONGEST_ENDING = 5.0  # s that closing waits for the last steps to be played


class LiveOutput:
    """Plays a training as it happens; :meth:`append` each step to it, or :meth:`feed` it recordings.

    A child process sends the notes on time, whatever the training does; when the training process ends, in
    whatever way, the child ends every note. Feeding never raises, and never blocks unless ``pace`` is ``"wait"``:
    errors are reported once, as a :class:`TrainingWarning`, and the training continues in silence.

    What begins or ends in the training is said with the next played step, and what is grave at once. How loud something
    is lies in the velocities, as in a file; volume (CC 7) is set once, and expression (CC 11) is not used.

    Args:
        composer: turns rows into notes; it is fed the rows that are played, and nothing else may feed it.
        port: ``None`` opens a virtual port ``gradmidi``; otherwise the name, a unique part or the number of an existing
            port, ``"fluidsynth"`` (``"fluidsynth:DRIVER"``), or ``"file:PATH"``; or what is open already, a
            :class:`~gradmidi.outputs.live.transport.Transport`.
        pace: what is played when training outruns the music: ``"peak"`` (the loudest of the steps since the last
            played one, each layer compared with its usual norm), ``"latest"``, ``"mean"``, or ``"wait"``, which slows
            the training down to the music. NaN, Inf and explosions are always played, and first.
        clock: send MIDI clock, 24 ticks per quarter note at the composer's tempo; steps begin on its ticks.
        cc: metrics as controllers of the first layer's channel, such as ``"loss=74"``; at most 50 messages per second.
        max_rate: MIDI messages per second, 50–10,000; a DIN cable carries about 1,040.
        tuning: ``auto``, ``12tet``, ``bend`` or ``mts``, as for MIDI files.
        backend: a MIDI system, library or both: ``"jack"``, ``"rtmidi2"``, ``"rtmidi2/jack"``.
        soundfont: for ``"fluidsynth"``.
        told: events are given by :meth:`hear`; otherwise they are found here, in all rows.

    Attributes:
        patience: s that events may be given after their rows, if ``told``.
        port, system: the full name of what was opened, and what carries it (ALSA, JACK, CoreMIDI …).
        channels: the layer on each channel, numbered as in a DAW, such as "channel 1: conv1"; MIDI itself has no names
            for channels.

    Raises:
        InputError: an argument that cannot be used, or an unknown port.
        MissingPartError: no MIDI library, port or synthesiser; the message says what to install.
    """

    def __init__(
        self,
        composer: Composer,
        port: str | Transport | None = None,
        *,
        pace: str = "peak",
        clock: bool = False,
        cc: Sequence[str] = (),
        max_rate: float = DEFAULT_MAX_RATE,
        tuning: str = "auto",
        backend: str | None = None,
        soundfont: str | Path | None = None,
        told: bool = False,
    ) -> None:
        self._composer = composer
        self._pace = Pace(pace, composer.layers)
        self._controllers = parse_controllers(cc)
        chosen = live_tuning(composer, tuning)
        self._stream = MidiStream(chosen)
        self._max_rate = max_rate
        self._waits = pace == "wait"
        self.patience = 0.0 if self._waits else LOOK_EVERY
        self._happenings = Happenings(composer, told)
        self._link = open_transport(port, backend=backend, soundfont=soundfont, max_rate=max_rate)
        self.port, self.system = self._link.port, self._link.system
        self._time = self._link.time
        self.channels = tuple(f"channel {voice.channel + 1}: {voice.name}" for voice in composer.voices)
        self._heard = 0
        self._alarm_sounds = False
        self._origin = self._rings_until = 0.0  # s of the clock: the start of the piece, the last message
        self._off = False
        self._fed = Gathering(composer.layers, self._time.now)
        self._report: LiveReport | None = None
        keep_from_children(self)
        self._timeline = self._begin(list(setup_bytes(composer.voices, chosen)), clock)

    def append(self, row: Row, /) -> None:
        """See :class:`gradmidi.recording.row.RowSink`."""
        if self._off:
            return
        try:
            if self._fed.append(row) or self._waits:
                self._look(self._time.now())
        except Exception as error:
            self._switch_off(f"{type(error).__name__}: {error}")

    def feed(self, rows: Recording) -> None:
        """Play the steps of a recording, in order."""
        for i, step in enumerate(rows.steps.tolist()):
            metrics = {name: float(values[i]) for name, values in rows.metrics.items()}
            self.append(Row(step, rows.norms[i], rows.gaps[i], metrics))

    def hear(self, event: Event) -> None:
        """What began or ended in a row that is appended next, or was already; called in the training's thread."""
        if not self._off:
            self._happenings.hear(event)
            if is_urgent(event):
                self._fed.look_at = 0.0

    def close(self, drain: bool = True) -> LiveReport:
        """Play what is waiting (for at most 5 s; not at all if ``drain`` is false), end every note, and report."""
        if self._report is None:
            self._report = self._finish(drain and not self._off)
        return self._report

    def __enter__(self) -> LiveOutput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(drain=kind is None)

    def leave_to_parent(self) -> None:
        """See :class:`gradmidi.forking.Inherited`."""
        self._off = True
        self._report = LiveReport(self.port, self.system)

    def _begin(self, setup: list[bytes], clock: bool) -> Timeline:
        """Send the setup at the allowed rate; the piece starts after it."""
        first = self._time.now() + settle_time(self._link)
        self._link.send(b"".join(pack(first + i / self._max_rate, KEEP, data) for i, data in enumerate(setup)))
        start = self._begins = first + len(setup) / self._max_rate + AFTER_SETUP
        if not clock:
            return Timeline(start, self._waits)
        grid = Grid(start, 60 / self._composer.timing.tempo / CLOCK_TICKS)
        self._link.send(pack(start - START_AHEAD, CLOCK, CLOCK_DATA.pack(*grid)))
        return Timeline(start, self._waits, grid)

    def _look(self, now: float) -> None:
        """Process the steps since the last look, and send the player what is due."""
        if self._fed:
            rows = self._fed.take()
            self._timeline.hear(now, len(rows))
            self._move_controllers(rows, now)
            self._happenings.look(rows)
            alarm = self._pace.put(rows) or self._happenings.are_urgent
            if self._waits:
                now += self._wait(self._timeline.wanting(now))
            elif alarm and not self._alarm_sounds:
                self._cut(now)
            while self._pace and self._timeline.wanting(now) <= 0 and self._listening():
                self._perform(self._pace.take(), now)
        longest = LOOK_FOR_CONTROLLERS if self._controllers else LOOK_EVERY
        self._fed.limits = None if self._alarm_sounds else self._pace.limits  # while one sounds, others have to wait
        self._fed.look_at = now + min(max(self._timeline.wanting(now), LOOK_AGAIN), longest)

    def _wait(self, seconds: float) -> float:
        """Slow the training down, unless the player is gone; returns the seconds waited."""
        if seconds <= 0 or not self._listening():
            return 0.0
        self._time.sleep(seconds)
        return seconds

    def _listening(self) -> bool:
        """Whether the player accepts frames; warns if it is gone."""
        ready = self._link.ready()
        if self._link.failure:
            self._switch_off(self._link.failure)
        return ready and not self._off

    def _cut(self, now: float) -> None:
        """An alarm jumps the queue: the current step is cut short."""
        if self._listening() and (begin := self._timeline.cut(now)) is not None:
            self._link.send(pack(begin, CUT))
            self._stream.forget()

    def _perform(self, waiting: Waiting | None, now: float) -> None:
        if waiting is None:
            return
        alarm = bool(waiting.alarm) or self._happenings.are_urgent
        score = self._composer.feed(waiting.row, self._happenings.take())
        events = self._stream.events(score)
        origin = self._timeline.place(now, score.length, len(events) / self._max_rate)
        kinds = [_frame_kind(voice, alarm, score.held) for voice in score.voices]
        self._send_from(origin, events, kinds)
        self._alarm_sounds = alarm
        self._heard += 1

    def _send_from(self, origin: float, events: Sequence[TimedMessage], kinds: Sequence[int]) -> None:
        """Send messages of the piece, which begins at ``origin``; ``kinds`` are the frames' kinds by voice."""
        frames = zip(events, timed_bytes(events), strict=True)
        self._link.send(b"".join(pack(origin + event.time, kinds[event.voice], sent.data) for event, sent in frames))
        self._origin = origin
        self._rings_until = max([self._rings_until, *(origin + event.time for event in events)])

    def _move_controllers(self, rows: Recording, now: float) -> None:
        if now < self._begins:
            return
        for controller in self._controllers:
            value = controller.hear(rows, now)
            if value is not None and self._listening():
                status = 0xB0 | self._composer.voices[0].channel
                self._link.send(pack(now, KEEP, bytes((status, controller.number, value))))

    def _finish(self, drain: bool) -> LiveReport:
        patience = 0.0
        if drain:
            now = self._time.now()
            self._look(now)
            while self._pace and not self._off:
                self._perform(self._pace.take(), now)
            self._send_from(self._origin, self._stream.end(), [NOTE] * len(self._composer.voices))
            over = max(self._timeline.free_at, self._rings_until)
            patience = min(max(over - now, 0.0), LONGEST_ENDING)
            self._link.send(pack(now + patience, END))
        else:
            self._link.hush()
        told = self._link.close(patience)
        self._off = True
        pace = self._pace
        steps = pace.steps + len(self._fed)  # those not yet examined are skipped as well
        counts = {"steps": steps, "heard": self._heard, "alarms": pace.alarms, "merged": pace.merged}
        return LiveReport(
            port=self.port,
            system=self.system,
            skipped=steps - self._heard,
            realtime=self._link.realtime,
            failure=self._link.failure,
            **counts,
            **told,
        )

    def _switch_off(self, reason: str) -> None:
        self._off = True
        self._link.hush()
        warn(f"live MIDI to {self.port} ended, the training continues: {reason}")


def _frame_kind(voice: Voice, alarm: bool, drones: bool) -> int:
    """KEEP for what is heard even if a later alarm cuts its step.

    Never for what is held: as that begins anew after a cut, one that was kept would begin twice, and end once.
    """
    held = voice.sustained or (drones and not voice.percussion)
    return KEEP if (alarm or voice.name == EVENTS_NAME) and not held else NOTE
