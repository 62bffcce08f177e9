"""Files: written whole or not at all, read within bounds, held by one writer; nothing of the system is trusted."""

from gradmidi.files.whole import cannot_write, check_file, check_folder, open_raw, spool, whole_file

__all__ = ["cannot_write", "check_file", "check_folder", "open_raw", "spool", "whole_file"]
