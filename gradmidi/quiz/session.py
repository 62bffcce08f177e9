"""A listener's session: plays one clip after another, asks what was heard, and keeps each answer at once.

Everything is said in plain lines and answered by lines, so that a keyboard, a screen reader or a script can do it.
Nothing is printed while a clip plays, but for the sums of the dual protocol: a screen reader would speak over it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from gradmidi.printable import counted
from gradmidi.quiz.answers import ALL_LAYERS, Answer
from gradmidi.quiz.bank import HEALTHY, KINDS, named
from gradmidi.quiz.clips import Clip
from gradmidi.quiz.lines import POLL, Line, Lines
from gradmidi.quiz.sums import Sums
from gradmidi.quiz.trials import Trial

QUIT, AGAIN, SKIP = "q", "r", "s"


class Player(Protocol):
    """What plays a clip's file; :class:`gradmidi.outputs.sound_player.SoundPlayer` is one."""

    @property
    def is_playing(self) -> bool:
        """Whether the file that was begun is not over."""

    def start(self, path: Path) -> None:
        """Begin to play a file from its beginning."""

    def stop(self) -> None:
        """Fall silent."""


class QuitError(Exception):
    """The listener ends the session, or the input is over."""


class Settings(NamedTuple):
    """What is the same in every trial of a session; see :class:`gradmidi.quiz.answers.Answer`."""

    code: str
    kinds: tuple[str, ...]
    protocol: str
    sound: str
    seconds: float
    player: str
    seed: int
    version: str
    asks_layers: bool


class Heard(NamedTuple):
    """What a listener did while and after a clip sounded; see :class:`gradmidi.quiz.answers.Answer`."""

    answer: str
    layer_answer: str = ""
    reaction: float | None = None
    reported: float | None = None
    repeats: int = 0
    sums: int = 0
    sums_right: int = 0


class Session:
    """The conversation with one listener.

    Args:
        settings: what is the same in every trial.
        lines: where answers come from.
        say: shows a line.
        player: plays the clips' files; None where listeners do that themselves.
        make: writes a trial's clip under a name without ending, and returns it with its file.
        keep: takes each answer as soon as it is given.
        clock: s, the one that ``lines`` uses.
    """

    def __init__(
        self,
        settings: Settings,
        lines: Lines,
        say: Callable[[str], None],
        player: Player | None,
        make: Callable[[Trial, str], tuple[Clip, Path]],
        keep: Callable[[Answer], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._set, self._lines, self._say, self._player = settings, lines, say, player
        self._make, self._keep, self._clock = make, keep, clock

    def practise(self, examples: Sequence[Trial], trials: Sequence[Trial]) -> None:
        """Let each kind be heard with its name, then ask for some and say what was right.

        Raises:
            QuitError: the listener ends the session.
        """
        self._say(f"Practice. First you hear {counted(len(examples), 'run')}, each with its name.")
        self._say(f"Type {SKIP} and Enter to skip the practice. Type {QUIT} and Enter to quit, here or later.")
        for trial in examples:
            kind = trial.run.kind
            if self._ready(f"{named(kind)}: {KINDS[kind]}. Press Enter to listen.") == SKIP:
                return
            self._play_whole(trial, f"example-{kind}")
        self._say("Now you say what you hear, and are told whether it was right.")
        for trial in trials:
            clip, heard = self._hear(trial, f"Practice {trial.number} of {len(trials)}", f"practice-{trial.number}")
            self._say(_feedback(trial, clip, heard))
        self._say("The practice is over.")

    def run(self, trials: Sequence[Trial]) -> None:
        """Ask for each trial, without saying what was right.

        Raises:
            QuitError: the listener ends the session; the answers before that are kept.
        """
        for trial in trials:
            clip, heard = self._hear(trial, f"Trial {trial.number} of {len(trials)}", trial_name(trial))
            self._keep(self._answer(trial, clip, heard))

    def _answer(self, trial: Trial, clip: Clip, heard: Heard) -> Answer:
        now = self._set
        return Answer(
            code=now.code,
            trial=trial.number,
            clip=trial.run.name,
            truth=trial.run.kind,
            answer=heard.answer,
            reaction_s=heard.reaction,
            onset_s=clip.onset,
            reported_s=heard.reported,
            repeats=heard.repeats,
            layers=affected(trial),
            layer_answer=heard.layer_answer,
            sums=heard.sums,
            sums_right=heard.sums_right,
            protocol=now.protocol,
            sound=now.sound,
            kinds=" ".join(now.kinds),
            seconds=now.seconds,
            player=now.player,
            seed=now.seed,
            order=trial.order,
            version=now.version,
        )

    def _hear(self, trial: Trial, head: str, name: str) -> tuple[Clip, Heard]:
        clip, path = self._make(trial, name)
        try:
            heard = self._hear_dual(trial, clip, path, head) if self._set.protocol == "dual" else None
            heard = heard or self._hear_single(path, head)
        finally:
            if self._player is not None:
                self._player.stop()
        if self._set.asks_layers and heard.answer != HEALTHY:
            heard = heard._replace(layer_answer=self._which_layer(trial))
        return clip, heard

    def _hear_single(self, path: Path, head: str) -> Heard:
        if self._player is None:
            self._say(f"{head}. Listen to {path.name}.")
            return Heard(self._which_kind(self._question()))
        self._ready(f"{head}. Press Enter to listen.")
        repeats = 0
        while True:
            began = self._start(path)
            line = self._while_playing()
            if line is None:
                self._say(self._question(f"{AGAIN} plays it again. "))
                line = self._line()
            while (kind := self._kind_of(line.text or "")) is None and line.text != AGAIN:
                self._say(self._question(f"That was not understood. {AGAIN} plays it again. "))
                line = self._line()
            if kind is not None:
                return Heard(kind, reaction=max(0.0, line.at - began), repeats=repeats)
            repeats += 1

    def _hear_dual(self, trial: Trial, clip: Clip, path: Path, head: str) -> Heard:
        self._ready(f"{head}. Add the numbers; press Enter alone as soon as the sound changes. Press Enter to begin.")
        sums = Sums(self._set.seed * 1000 + trial.number)
        reported, began = None, self._start(path)
        self._say(sums.ask())
        while reported is None and (line := self._while_playing()) is not None:
            if not line.text:
                reported = max(0.0, line.at - began)
                continue
            try:
                sums.take(int(line.text))
            except ValueError:
                self._say("Type a number, or press Enter alone if the sound has changed.")
                continue
            self._say(sums.ask())
        if self._player is not None:
            self._player.stop()
        ended = "You reported a change." if reported is not None else "The sound is over."
        kind = self._which_kind(self._question(f"{ended} "))
        noticed = reported is not None and clip.onset is not None and reported >= clip.onset
        reaction = reported - clip.onset if noticed else None  # type: ignore[operator]
        return Heard(kind, reaction=reaction, reported=reported, sums=sums.answered, sums_right=sums.right)

    def _play_whole(self, trial: Trial, name: str) -> None:
        _, path = self._make(trial, name)
        if self._player is None:
            self._say(f"It is {path.name}; press Enter when you have heard it.")
            self._line()
            return
        self._start(path)
        try:
            self._while_playing()
        finally:
            self._player.stop()

    def _ready(self, text: str) -> str | None:
        """Wait for Enter; one that was pressed before the question does not count."""
        self._lines.forget()
        self._say(text)
        return self._line().text

    def _start(self, path: Path) -> float:
        assert self._player is not None
        self._lines.forget()
        self._player.start(path)
        return self._clock()

    def _while_playing(self) -> Line | None:
        """What is typed before the clip is over; None if nothing is."""
        assert self._player is not None
        while self._player.is_playing:
            line = self._lines.next(POLL)
            if line is not None:
                return _checked(line)
        return None

    def _line(self) -> Line:
        line = self._lines.next()
        assert line is not None
        return _checked(line)

    def _question(self, before: str = "") -> str:
        kinds = ", ".join(f"{i} {named(kind)}" for i, kind in enumerate(self._set.kinds, 1))
        return f"{before}What did you hear? {kinds}."

    def _which_kind(self, question: str) -> str:
        self._say(question)
        while (kind := self._kind_of(self._line().text or "")) is None:
            self._say(self._question("That was not understood. "))
        return kind

    def _kind_of(self, text: str) -> str | None:
        """By its number, or the beginning of one name."""
        if text.isascii() and text.isdigit():
            number = int(text)
            return self._set.kinds[number - 1] if 1 <= number <= len(self._set.kinds) else None
        found = [kind for kind in self._set.kinds if text and kind.startswith(text.lower())]
        return found[0] if len(found) == 1 else None

    def _which_layer(self, trial: Trial) -> str:
        layers = trial.run.recording.layers
        names = ", ".join(f"{i} {layer}" for i, layer in enumerate(layers, 1))
        while True:
            self._say(f"In which layer? {names}; several numbers with spaces between; 0 for all of them.")
            words = (self._line().text or "").split()
            if words == ["0"]:
                return ALL_LAYERS
            if words and all(word.isascii() and word.isdigit() and 1 <= int(word) <= len(layers) for word in words):
                chosen = sorted({int(word) for word in words})
                return ALL_LAYERS if len(chosen) == len(layers) else " ".join(layers[i - 1] for i in chosen)


def trial_name(trial: Trial) -> str:
    """The name of a trial's file, from which nobody can tell what is in it."""
    return f"trial-{trial.number:02d}"


def affected(trial: Trial) -> str:
    """The layers that a trial's fault is in, as :class:`Answer` has them."""
    layers = trial.run.layers
    return ALL_LAYERS if len(layers) == len(trial.run.recording.layers) else " ".join(layers)


def _feedback(trial: Trial, clip: Clip, heard: Heard) -> str:
    kind = trial.run.kind
    where = "" if kind == HEALTHY else f", in {affected(trial).replace(' ', ' and ').replace('all', 'all layers')}"
    when = "" if clip.onset is None else f", from {clip.onset:.1f} s on"
    reported = "" if heard.reported is None else f" You reported a change at {heard.reported:.1f} s."
    told = "Right" if heard.answer == kind else "No"
    return f"{told}: it was {named(kind)}{where}{when}.{reported}"


def _checked(line: Line) -> Line:
    if line.text is None or line.text.lower() == QUIT:
        raise QuitError
    return line
