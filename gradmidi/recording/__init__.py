"""What was measured: the recording in memory and in files, and everything that takes its rows."""

from gradmidi.recording.recording import RESUMED, Recording

__all__ = ["RESUMED", "Recording"]
