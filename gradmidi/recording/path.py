"""The path of a recording: steps are appended as CSV, so other file extensions are refused with a remedy."""

from __future__ import annotations

from pathlib import Path

from gradmidi.errors import InputError

CSV = "steps are appended as CSV; name it .csv"
COPY = ", and save a copy as .npz afterwards"
MIDI = ' and make the MIDI file afterwards: gradmidi.compose(session.recording).save_midi("{name}")'
SOUND = ' and make the sound afterwards: gradmidi.compose(session.recording).render_wav("{name}")'
PICTURE = " and make the picture afterwards: gradmidi render {stem}.csv --plot {name}"

# Remedies by extension, for those that are not CSV. Any other extension, or none, is accepted as it is.
REMEDIES = {
    **dict.fromkeys((".mid", ".midi", ".kar"), MIDI),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"), SOUND),
    **dict.fromkeys((".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp"), PICTURE),
    ".npz": COPY,
    **dict.fromkeys(
        (".npy", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".xml", ".html", ".tsv", ".xlsx", ".ods"), ""
    ),
    **dict.fromkeys((".parquet", ".arrow", ".feather", ".h5", ".hdf5", ".db", ".sqlite", ".pt", ".pth", ".pkl"), ""),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".py", ".ipynb", ".sf2", ".scl", ".kbm"), ""),
}


def check_recording_path(path: Path) -> None:
    """Refuse a name with the extension of another kind of file.

    Raises:
        InputError: it has such an extension.
    """
    remedy = REMEDIES.get(path.suffix.lower())
    if remedy is not None:
        raise InputError(f"{path}: {CSV}{remedy.format(name=path.name, stem=path.stem)}")
