"""What `gradmidi run` puts into the processes of a script that knows nothing of it."""
