"""Folders: files that are missing, called otherwise, are folders themselves, or are there a hundred times."""

from __future__ import annotations

from pathlib import PurePosixPath
from random import Random

from tests.fuzz.mutators.values import NAMES

Files = dict[str, bytes | None]
NAMES_OF_FILES = tuple(name for name in NAMES if name.strip() and 0 < len(name) < 60 and not set(name) & set("/\0"))
COPIES = (1, 2, 60)


def removed(files: Files, rng: Random) -> Files:
    gone = rng.choice(list(files))
    return {name: content for name, content in files.items() if name != gone}


def renamed(files: Files, rng: Random) -> Files:
    """A file, or one of the folders on the way to it."""
    old = rng.choice(list(files))
    parts = list(PurePosixPath(old).parts)
    parts[rng.randrange(len(parts))] = rng.choice(NAMES_OF_FILES)
    return {"/".join(parts) if name == old else name: content for name, content in files.items()}


def a_folder(files: Files, rng: Random) -> Files:
    """A folder with the name of a file."""
    return {**files, rng.choice(list(files)): None}


def copied(files: Files, rng: Random) -> Files:
    """The whole folder again, beside or below itself."""
    place = rng.choice(("", "checkpoint-", "version_", "run/", "a/b/c/d/e/f/"))
    more = {f"{place}{n}/{name}": content for n in range(rng.choice(COPIES)) for name, content in files.items()}
    return {**files, **more}


def moved(files: Files, rng: Random) -> Files:
    """Everything one folder up or down."""
    if rng.random() < 0.5:
        return {f"{rng.choice(NAMES_OF_FILES)}/{name}": content for name, content in files.items()}
    return {"/".join(PurePosixPath(name).parts[1:]) or name: content for name, content in files.items()}


def swapped(files: Files, rng: Random) -> Files:
    """The contents in each other's place."""
    return dict(zip(files, rng.sample(list(files.values()), len(files)), strict=True))


FOLDER = (removed, renamed, a_folder, copied, moved, swapped)


def folder(files: Files, rng: Random) -> Files:
    """One of FOLDER, where its outcome is a tree that can be written."""
    changed = rng.choice(FOLDER)(files, rng) if files else files
    kept: Files = {}
    for name in sorted(changed, key=len):
        ways = [str(way) for way in PurePosixPath(name).parents]
        if not any(kept.get(way) is not None for way in ways) and not any(way.startswith(f"{name}/") for way in kept):
            kept[name] = changed[name]
    return kept
