"""The exceptions and warnings that are written for the user: one line each, safe to print."""

from gradmidi.printable import printable


class _Plain(Exception):  # noqa: N818 — of warnings too
    """Whatever name of a file went into the message, a traceback, notebook or terminal shows it as plain text."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))


class InputError(_Plain, ValueError):
    """Input that cannot be used: a file, an option or an argument.

    The message is one line that names the thing, says what is wrong and what to do. The command line prints
    it as it is and exits with 2; a library caller catches it as a ``ValueError``.
    """


class MissingPartError(_Plain, RuntimeError):
    """Something that has to be installed first: a Python extra, libfluidsynth, a MIDI port, a sound device.

    The message is one line and ends with the command that installs it. The command line exits with 1.
    """


class TrainingWarning(_Plain, UserWarning):
    """Issued once when gradmidi switches itself off, or cannot measure, rather than disturb the training."""


class Notice(_Plain, UserWarning):
    """Issued once, through ``warnings``, about something that gradmidi did with your files without being asked.

    For example, an earlier recording was kept under another name. Nothing is wrong; silence it with
    ``warnings.simplefilter("ignore", gradmidi.Notice)``.
    """
