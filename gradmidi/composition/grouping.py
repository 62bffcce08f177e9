"""More layers than voices: layers that belong together by name are grouped by root-sum-square of their norms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import NDArray

from gradmidi.errors import InputError
from gradmidi.printable import shown
from gradmidi.recording import Recording

MAX_VOICES = 15  # the channels of one MIDI port without percussion
Path = tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Layers (by position) that play as one voice."""

    name: str
    layers: tuple[int, ...]


@dataclass(frozen=True)
class Grouping:
    """Which layers play together as one voice."""

    groups: tuple[Group, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the G voices."""
        return tuple(group.name for group in self.groups)

    @property
    def is_trivial(self) -> bool:
        """Whether every layer has its own voice."""
        return all(len(group.layers) == 1 for group in self.groups)

    def voice_of(self, layer: int) -> int | None:
        """The voice that a layer plays in, if any."""
        return self._voices.get(layer)

    @cached_property
    def _voices(self) -> dict[int, int]:
        """Voice by layer; the first one if custom groups share a layer."""
        pairs = [(layer, voice) for voice, group in enumerate(self.groups) for layer in group.layers]
        return dict(reversed(pairs))

    def join(self, recording: Recording) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Norms and gaps (N, G) of the voices: root-sum-square over a group; a gap only if all its layers have one."""
        if self.is_trivial:
            order = [group.layers[0] for group in self.groups]
            return recording.norms[:, order], recording.gaps[:, order]
        known = np.where(recording.gaps, 0.0, recording.norms)
        norms = np.stack([_root_sum_square(known[:, group.layers]) for group in self.groups], axis=1)
        gaps = np.stack([recording.gaps[:, group.layers].all(axis=1) for group in self.groups], axis=1)
        return np.where(gaps, np.nan, norms), gaps

    def describe(self) -> str:
        """One line for people: how many layers play as which voices."""
        count = sum(len(group.layers) for group in self.groups)
        voices = ", ".join(f"{group.name} ({len(group.layers)})" for group in self.groups)
        return f"{count} layers play as {len(self.groups)} voices, joined by root-sum-square: {voices}"


def _root_sum_square(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root-sum-square of each row of (N, K) norms, (N,); rows whose squares exceed float64 are scaled first."""
    with np.errstate(over="ignore", under="ignore"):
        joined = np.asarray(np.sqrt((norms**2).sum(axis=1)))
        largest = np.abs(norms).max(axis=1)
        beyond = np.flatnonzero((np.isinf(joined) & np.isfinite(largest)) | ((joined == 0) & (largest > 0)))
        if len(beyond):
            shares = norms[beyond] / largest[beyond, np.newaxis]
            scaled = largest[beyond] * np.sqrt((shares**2).sum(axis=1))
            joined[beyond] = np.minimum(scaled, np.finfo(np.float64).max)
    return joined


def group_layers(
    layers: Sequence[str], max_voices: int = MAX_VOICES, groups: Mapping[str, Sequence[str]] | None = None
) -> Grouping:
    """At most ``max_voices`` voices for ``layers``; each layer gets its own voice if there are no more than that.

    Otherwise the names are read as paths (``encoder.layer.3.attention``) and cut at the greatest common depth at which
    the groups fit. If one group then holds more than half of the layers, such as all blocks of a deep transformer,
    its children are grouped into as many runs of neighbours as fit.

    Args:
        layers: names in forward order.
        max_voices: 1 to 15.
        groups: custom voices: a name, and names or globs of its layers; layers that match none are left out.

    Raises:
        InputError: ``max_voices`` out of range, or a group that matches no layer, or too many groups.
    """
    check_max_voices(max_voices)
    if groups is not None:
        return _own_groups(layers, max_voices, groups)
    if len(layers) <= max_voices:
        return Grouping(tuple(Group(name, (i,)) for i, name in enumerate(layers)))
    return Grouping(tuple(_by_name(layers, max_voices)))


def check_max_voices(count: int) -> int:
    """``count``, if one MIDI port can play that many voices.

    Raises:
        InputError: it cannot.
    """
    if not isinstance(count, int | np.integer) or not 1 <= count <= MAX_VOICES:
        raise InputError(f"{shown(count)} voices are not possible; max_voices is 1 to {MAX_VOICES}, a port's channels")
    return count


def parse_groups(texts: Iterable[str], max_voices: int = MAX_VOICES) -> dict[str, list[str]]:
    """The ``groups`` of :func:`group_layers` from texts such as ``"stem=conv1,bn*"``.

    Raises:
        InputError: a text of another form, a name that appears twice, or more groups than ``max_voices``.
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, _, names = text.partition("=")
        name, patterns = name.strip(), [pattern.strip() for pattern in names.split(",")]
        if not name or not all(patterns):
            raise InputError(f"{text!r} is not NAME=LAYER,LAYER; write for instance 'stem=conv1,bn*'")
        if name in groups:
            raise InputError(f"{name!r} appears twice; list all its layers at once: '{name}=LAYER,LAYER'")
        groups[name] = patterns
    _check_count(len(groups), max_voices)
    return groups


def _own_groups(layers: Sequence[str], max_voices: int, groups: Mapping[str, Sequence[str]]) -> Grouping:
    if not isinstance(groups, Mapping) or not all(_are_names(patterns) for patterns in groups.values()):
        raise InputError(f"groups is {shown(groups)}; it must be a table such as {{'encoder': ['encoder.*']}}")
    made = []
    for name, patterns in groups.items():
        members = tuple(i for i, layer in enumerate(layers) if any(fnmatchcase(layer, p) for p in patterns))
        if not members:
            raise InputError(f"the group {name!r} ({', '.join(patterns)}) matches no layer")
        made.append(Group(name, members))
    _check_count(len(made), max_voices)
    return Grouping(tuple(made))


def _check_count(count: int, max_voices: int) -> None:
    if not 1 <= count <= max_voices:
        raise InputError(f"{count} groups were given; there can be 1 to {max_voices}")


def _are_names(patterns: object) -> bool:
    return (
        isinstance(patterns, Sequence) and not isinstance(patterns, str) and all(isinstance(p, str) for p in patterns)
    )


def _by_name(layers: Sequence[str], max_voices: int) -> list[Group]:
    paths = [tuple(name.split(".")) for name in layers]
    shared = [_shared(pair) for pair in pairwise(paths)]
    # As deep as the voices allow: neighbours are separated where they share fewer parts.
    depth = sorted(shared)[max_voices - 1]
    made = _cut_at(range(len(layers)), shared, depth)
    widest = max(range(len(made)), key=lambda n: len(made[n]))
    room = max_voices - len(made) + 1
    if 2 * len(made[widest]) > len(layers) and room > 1:
        made[widest : widest + 1] = _runs(_cut_at(made[widest], shared, depth + 1), room)
    return [Group(_name(group, paths), group) for group in made]


def _cut_at(group: Sequence[int], shared: Sequence[int], depth: int) -> list[tuple[int, ...]]:
    """Neighbours whose names agree in their first ``depth`` parts, together; ``shared``: by how many with the next."""
    cuts = [0, *(at for at in range(1, len(group)) if shared[group[at] - 1] < depth), len(group)]
    return [tuple(group[start:end]) for start, end in pairwise(cuts)]


def _shared(paths: Iterable[Path]) -> int:
    """The number of leading parts that all of them have in common."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


def _runs(parts: list[tuple[int, ...]], room: int) -> list[tuple[int, ...]]:
    """Equally many neighbouring parts in each of at most ``room`` runs (the last may have fewer)."""
    size = -(-len(parts) // room)
    return [tuple(i for part in parts[at : at + size] for i in part) for at in range(0, len(parts), size)]


def _name(group: tuple[int, ...], paths: Sequence[Path]) -> str:
    """The common prefix of a group's names, if no other layer has it; otherwise its range: ``h.0-1``."""
    names = [paths[i] for i in group]
    shared = _shared(names)
    beginning = names[0][:shared]
    if len(group) == 1 or (shared and sum(path[:shared] == beginning for path in paths) == len(group)):
        return ".".join(beginning)
    ends = (*names[0][shared : shared + 1], *names[-1][shared : shared + 1])
    return ".".join([*beginning, "-".join(dict.fromkeys(ends))])
