"""How fast sound is made, as multiples of real time, beside the post's own loop and the `fluidsynth` program."""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from benchmarks.timing import median_ratio, paired, table
from gradmidi.composition import compose
from gradmidi.outputs.levels import reference_gain, write_levelled
from gradmidi.outputs.sine import render_sine
from gradmidi.outputs.soundfont import render_wav
from gradmidi.outputs.soundfont_choice import find_soundfont
from gradmidi.outputs.synth import synth_blocks
from gradmidi.recording import Recording

STEPS, LAYERS, ROUNDS = 1000, 4, 3


def recording() -> Recording:
    """Norms as a healthy run of the post's network has them."""
    rng = np.random.default_rng(0)
    norms = np.float32(np.array([0.44, 1.84, 3.35, 2.36]) * np.exp(rng.normal(0, 0.4, (STEPS, LAYERS))))
    return Recording(("conv1", "conv2", "fc1", "fc2"), np.arange(STEPS), norms)


def the_listings_loop(norms: np.ndarray, path: Path) -> None:
    """What the post does for each norm, then its writer."""
    frames = []
    for row in norms.astype(np.float32):
        for norm in row:
            hertz = np.float32(200.0 + norm * 100.0)
            samples = np.sin(2 * np.pi * np.arange(44100 * 0.01) * hertz / 44100).astype(np.float32)
            frames.append(0.1 * samples)
        frames.append(np.zeros(882, dtype=np.float32))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(44100)
        file.writeframes(b"".join(frames))
    path.write_bytes(out.getvalue())


def main() -> None:
    run = recording()
    score = compose(run)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _sine(run, folder)
        _soundfont(score, folder)


def _sine(run: Recording, folder: Path) -> None:
    ways = {
        "the listing's loop": lambda: the_listings_loop(run.norms, folder / "a.wav"),
        "`render_sine`": lambda: render_sine(run, folder / "b.wav", container="post"),
    }
    seconds = paired(ways, 5 * ROUNDS)
    assert (folder / "a.wav").read_bytes() == (folder / "b.wav").read_bytes()
    length = STEPS * (LAYERS * 441 + 882) / 44100
    print(f"\nExact sine, {length:.0f} s of sound, the same bytes from both:\n")
    _print(seconds, length, "the listing's loop")


def _soundfont(score, folder: Path) -> None:
    soundfont = find_soundfont()
    program = shutil.which("fluidsynth")
    length = score.length
    ways = {
        "our own synthesiser": lambda: write_levelled(
            folder / "own.wav", synth_blocks(score), reference_gain(score, synth_blocks), "own"
        ),
        "`render_wav`": lambda: render_wav(score, folder / "ours.wav", soundfont),
    }
    if program is not None:
        score.save_midi(folder / "g.mid")
        command = [program, "-ni", "-q", "-F", folder / "theirs.wav", "-r", "44100", soundfont, folder / "g.mid"]
        ways["`fluidsynth -F`"] = lambda: subprocess.run(command, check=True, capture_output=True)
    seconds = paired(ways, ROUNDS)
    print(f"\nSoundFont, {length:.0f} s of sound, {len(score)} notes, {soundfont.name}:\n")
    _print(seconds, length, "`fluidsynth -F`" if program else "our own synthesiser")


def _print(seconds: dict[str, list[float]], length: float, peer: str) -> None:
    rows = [
        (
            name,
            f"{statistics.median(times):.2f} s",
            f"{length / statistics.median(times):.0f} ×",
            f"{median_ratio(times, seconds[peer]):.2f}",
        )
        for name, times in seconds.items()
    ]
    print(table(("way", "time", "of real time", f"ratio to {peer}"), rows))


if __name__ == "__main__":
    main()
