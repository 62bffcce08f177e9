"""Options that several commands share, and the library's arguments for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gradmidi.errors import InputError

if TYPE_CHECKING:
    from gradmidi.recording import Recording
    from gradmidi.score import Score
    from gradmidi.theory.scale import Scale

Made = TypeVar("Made")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """How to report: ``--json`` and ``--quiet``."""
    group = parser.add_argument_group("reporting")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument("--quiet", action="store_true", help="print errors only")


def add_sound_options(parser: argparse.ArgumentParser) -> None:
    """How norms become notes and sound."""
    notes = parser.add_argument_group("notes")
    notes.add_argument(
        "--sound",
        metavar="NAME",
        default="debug",
        help="debug (default), post, ambient, concert, percussive, FILE.toml",
    )
    notes.add_argument(
        "--scale", metavar="SCALE", help="'D dorian', '0 3 5 7 10', FILE.scl or none (default: A minor pentatonic)"
    )
    notes.add_argument("--mapping", metavar="NAME", help="norm to pitch: wide (default), log, post, adaptive or rank")
    notes.add_argument("--invert", action="store_true", help="large norms low, small ones high")
    notes.add_argument("--beyond", metavar="HOW", help="tones outside the mapping's range: clamp or fold (by octaves)")
    notes.add_argument("--hysteresis", metavar="X", type=float, help="keep a tone near its border: 0 to 1")
    notes.add_argument("--dynamics", metavar="NAME", default="voice", help="loudness: voice (default) or loss-change")
    notes.add_argument("--style", metavar="NAME", help="sequence (default), chord or drone")
    notes.add_argument("--tuning", metavar="NAME", default="auto", help="pitch over MIDI: auto, 12tet, bend or mts")
    notes.add_argument("--unit", metavar="LENGTH", default="50ms", help="one note: 50ms (default), 0.05s or 1/16")
    notes.add_argument(
        "--tempo", metavar="BPM", type=float, default=125.0, help="for bar lines and note values (default 125)"
    )
    notes.add_argument(
        "--duration", metavar="TIME", help="maximum length, such as 60s: a time-lapse of the run's peaks"
    )
    notes.add_argument("--voices", metavar="FILE", help="which instrument plays which layer: a TOML file")
    notes.add_argument("--max-voices", metavar="N", type=int, default=15, help="group layers into at most N voices")
    notes.add_argument(
        "--group",
        dest="groups",
        metavar="NAME=LAYERS",
        action="append",
        help="your own voices: a name, and names or globs of its layers; once per voice: --group 'stem=conv1,bn*'",
    )
    notes.add_argument("--layers", metavar="NAMES", help="only these layers, comma-separated; or globs such as 'conv*'")
    notes.add_argument("--title", metavar="TEXT", help="the piece's name (default: that of the recording)")
    sound = parser.add_argument_group("sound")
    sound.add_argument("--soundfont", metavar="FILE", help="the .sf2 or .sf3 file to play with, or gm for the system's")


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """How the exact sine and the picture are written."""
    files = parser.add_argument_group("sine and picture")
    files.add_argument(
        "--container", metavar="NAME", default="float", help="format of the sine: float (default) or post"
    )
    files.add_argument("--nonfinite", metavar="HOW", help="NaN in the sine: alarm or keep (the formula's samples)")
    files.add_argument(
        "--aliased", metavar="HOW", default="keep", help="sine tones above 22,050 Hz: keep (default) or alarm"
    )
    files.add_argument("--plot-size", metavar="WxH", help="size of the picture in pixels (default: 1560x840)")


def check_file_options(args: argparse.Namespace) -> None:
    """Check the options of the sine and the picture.

    Raises:
        InputError: a container, a choice or a size that does not exist.
    """
    from gradmidi.outputs.sine import check_choices

    check_choices(args.container, args.nonfinite, args.aliased)
    chosen_size(args)


def chosen_size(args: argparse.Namespace) -> tuple[int, int]:
    """Width and height of the picture in pixels.

    Raises:
        InputError: it is not a size.
    """
    from gradmidi.outputs.picture import DEFAULT_SIZE, parse_size

    return DEFAULT_SIZE if args.plot_size is None else _of_option("--plot-size", lambda: parse_size(args.plot_size))


def compose_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options as arguments of :func:`gradmidi.composition.compose`.

    Raises:
        InputError: an option that cannot be used.
    """
    from gradmidi.composition.grouping import check_max_voices
    from gradmidi.composition.mapping import choose_mapping
    from gradmidi.composition.options import DEFAULT_SCALE
    from gradmidi.composition.sound import choose_sound
    from gradmidi.composition.styles import check_style
    from gradmidi.composition.timing import choose_timing
    from gradmidi.composition.voices import load_parts
    from gradmidi.outputs.soundfont_choice import find_soundfont
    from gradmidi.outputs.tuning import check_tuning

    check_tuning(args.tuning)
    find_soundfont(args.soundfont)
    _of_option("--tempo", lambda: choose_timing(None, None, args.tempo))
    text = DEFAULT_SCALE if args.scale is None else args.scale
    sound = _of_option("--sound", lambda: choose_sound(args.sound))
    if args.mapping is not None:
        choose_mapping(args.mapping, beyond=args.beyond, invert=args.invert)
    return {
        "sound": sound,
        "timing": _of_option("--unit", lambda: choose_timing(None, args.unit, args.tempo)),
        "scale": text if args.scale is None else _of_option("--scale", lambda: _scale(text)),
        "mapping": args.mapping,
        "beyond": args.beyond,
        "invert": args.invert,
        "hysteresis": args.hysteresis,
        "dynamics": args.dynamics,
        "style": None if args.style is None else check_style(args.style),
        "title": args.title,
        "parts": None if args.voices is None else load_parts(args.voices),
        "max_voices": _of_option("--max-voices", lambda: check_max_voices(args.max_voices)),
        "groups": chosen_groups(args),
    }


def _scale(text: str) -> Scale | None:
    from gradmidi.theory.scale import Scale

    return None if text.strip().lower() == "none" else Scale.parse(text)


def chosen_groups(args: argparse.Namespace) -> dict[str, list[str]] | None:
    """The layers of each voice, if ``--group`` is given.

    Raises:
        InputError: it is not a name and its layers, or there are more groups than voices.
    """
    from gradmidi.composition.grouping import parse_groups

    texts = args.groups
    return None if texts is None else _of_option("--group", lambda: parse_groups(texts, args.max_voices))


def _of_option(option: str, make: Callable[[], Made]) -> Made:
    """Return ``make()``; an error names the option."""
    try:
        return make()
    except InputError as error:
        raise InputError(f"{option}: {error}") from None


def chosen_layers(args: argparse.Namespace, recording: Recording) -> Recording:
    """The recording with only the layers that ``--layers`` names.

    If each layer has a voice, the others fall silent and the chosen ones keep their instrument and their time. If
    layers are grouped, the chosen ones get separate voices, or those of ``--group``.
    """
    if not args.layers:
        return recording
    alone = _have_own_voices(args, recording.layers)
    return recording.solo(_patterns(args)) if alone else recording.only(_patterns(args))


def heard_layers(args: argparse.Namespace, recording: Recording) -> tuple[str, ...]:
    """Names of the layers that ``--layers`` selects; all of them without it."""
    return recording.only(_patterns(args)).layers if args.layers else recording.layers


def joined_layers(args: argparse.Namespace, layers: Sequence[str]) -> str | None:
    """How layers are grouped into voices, in words; None if each layer has its own voice."""
    from gradmidi.composition.composer import most_voices
    from gradmidi.composition.grouping import group_layers
    from gradmidi.composition.sound import choose_sound
    from gradmidi.printable import counted

    most = most_voices(choose_sound(args.sound), args.max_voices)
    grouping = group_layers(layers, most, chosen_groups(args))
    said = [] if grouping.is_trivial else [grouping.describe()]
    if unheard := len(layers) - len({layer for group in grouping.groups for layer in group.layers}):
        said.append(f"{counted(unheard, 'layer')} in no group: not played")
    return "; ".join(said) or None


def _have_own_voices(args: argparse.Namespace, layers: Sequence[str]) -> bool:
    """Whether each layer is a voice that has the layer's name."""
    return args.groups is None and joined_layers(args, layers) is None


def check_layers(args: argparse.Namespace, layers: Sequence[str]) -> None:
    """Refuse, before training, names in ``--layers`` that its recording will not have, or too short a ``--duration``.

    Raises:
        InputError: a name or glob that matches none of ``layers``, or a duration shorter than one step.
    """
    from gradmidi.recording import Recording

    compose_recording(args, Recording.from_arrays([[1.0] * len(layers)], layers))


def _patterns(args: argparse.Namespace) -> list[str]:
    return [name.strip() for name in args.layers.split(",")]


def chosen_duration(args: argparse.Namespace) -> float | None:
    """The maximum length of a piece in seconds, if one is given.

    Raises:
        InputError: it is not a duration.
    """
    from gradmidi.composition.timing import parse_duration

    return None if args.duration is None else _of_option("--duration", lambda: parse_duration(args.duration))


def compose_recording(args: argparse.Namespace, recording: Recording) -> Score:
    """The score that the options ask for."""
    from gradmidi.composition import compose

    chosen = chosen_layers(args, recording)
    score = compose(chosen, duration=chosen_duration(args), **compose_options(args))
    if not args.layers or not _have_own_voices(args, recording.layers):
        return score
    others = [voice.name for voice in score.voices[len(recording.layers) :]]
    return score.only([*heard_layers(args, recording), *others])
