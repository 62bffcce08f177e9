"""What was measured: the recording in memory and in files, and everything that receives its rows."""

from gradmidi.recording.recording import RESUMED, Recording

__all__ = ["RESUMED", "Recording"]
