"""The child process that sends MIDI on time and ends every note: schedule, ports, panic. It loads no numpy."""
