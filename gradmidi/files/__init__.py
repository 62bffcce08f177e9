"""Files: written completely or not at all, read within limits, locked by one writer; nothing is trusted."""

from gradmidi.files.whole import cannot_write, check_file, check_folder, open_raw, spool, whole_file

__all__ = ["cannot_write", "check_file", "check_folder", "open_raw", "spool", "whole_file"]
