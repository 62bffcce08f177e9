"""What comes out of a JACK server's audio ports, and the pitches in it."""

import subprocess

import numpy as np

from tests.outputs.live.devices import wait_until

RATE = 48000
UNTIL_RECORDED = 0.5  # s from a sound's time until it has gone through the server and is in the file
LONGEST = 60  # s of a recording that nobody finishes


def recording_of(jack, source, wav):
    """A running ``jack_rec`` of a client's left and right, which has begun."""
    command = ["jack_rec", "-f", str(wav), "-d", str(LONGEST), "-b", "16", f"{source}:left", f"{source}:right"]
    recorder = subprocess.Popen(command, env=jack.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: "jackrec" in jack.ports() or "jack_rec" in jack.ports())
    return recorder


def finish(recorder):
    """Stop recording; the file's header is then missing, and nothing else."""
    recorder.terminate()
    recorder.wait(10)


def samples(path):
    """Left and right together; jack_rec's header is read by its data chunk alone."""
    raw = path.read_bytes()
    start = raw.index(b"data") + 8
    pairs = np.frombuffer(raw[start : start + (len(raw) - start) // 4 * 4], dtype="<i2").reshape(-1, 2)
    return pairs.sum(axis=1).astype(float)


def tones(sound, onsets, unit):
    """Hz of each note, from the middle of its time; the first sound is the first note's."""
    first = np.flatnonzero(np.abs(sound) > np.abs(sound).max() / 20)[0]
    found = []
    for onset in onsets:
        begin = first + round((onset + 0.1) * RATE)
        window = sound[begin : begin + round((unit - 0.16) * RATE)]
        spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), 1 << 19))
        found.append(np.argmax(spectrum) * RATE / (1 << 19))
    return np.array(found)
