"""The one exception that is written for the person at the keyboard."""


class InputError(ValueError):
    """Input that cannot be used: a file, an option or an argument.

    The message is one line that names the thing, says what is wrong and what to do. The command line prints
    it as it is and exits with 2; a library caller catches it as a ``ValueError``.
    """


class MissingPartError(RuntimeError):
    """Something that has to be installed first: a Python extra, libfluidsynth, a MIDI port, a sound device.

    The message is one line and ends with the command that installs it. The command line exits with 1.
    """


class TrainingWarning(UserWarning):
    """Said once when gradmidi switches itself off, or cannot measure, rather than disturb the training."""
