"""Which columns of a log are layers, which are metrics and which counts steps, unless that is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache
from itertools import accumulate
from shlex import quote as shell_word
from typing import NamedTuple

from gradmidi.errors import InputError
from gradmidi.printable import printable, shown

# Names of gradient norms, in lower case. The first row that matches any column decides.
NORMS: tuple[tuple[str, ...], ...] = (
    # grad_norm/conv1, train/grad_norm, conv1.grad_norm; Lightning's grad_2.0_norm/conv1; grad/conv1/norm, grad/conv1/l2
    (
        *("*grad_norm*", "*grad-norm*", "*gradnorm*", "*gradient_norm*", "*gradients_norm*", "*gradient norm*"),
        *("*grad_*_norm", "*grad_*_norm[/_.]*", "*norm/grad*", "*norms/grad*"),
        *("*grad*[/.]norm", "*grad*[/.]norm[/.]*", "*grad*[/._]l2", "*grad*[/._]l2[/.]*"),
    ),
    ("*grad*norm*", "*norm*grad*"),
    ("grad", "*[/.]grad", "*grad[/.]*", "*grads[/.]*", "*gradient[/.]*", "*gradients[/.]*"),
)
NOT_NORMS = tuple(f"*[/_.]{what}" for what in ("mean", "std", "var", "min", "max", "median", "scale", "hist"))
# Norms of the whole model: left out where there are layers as well.
WHOLE_MODEL = (
    *("grad_norm", "gradnorm", "gradient_norm", "train*/grad_norm", "optim*/grad_norm", "*/gradient_norm"),
    *("*[/_.]total", "*total_norm*", "*[/_.]global", "*global_norm*", "*global_grad*", "*total_grad*"),
)

# What the recording calls a metric that the composer and the picture know, and what others call it, best first.
METRICS = {
    "loss": ("loss", "train_loss", "training_loss", "train*/loss", "loss/train*", "*/loss", "*train*loss*", "*loss*"),
    "epoch": ("epoch", "*[/_.]epoch"),
    "lr": ("lr", "learning_rate", "*[/_.]lr", "*[/_.]learning_rate", "lr-*", "*[/_.]lr-*"),
}
NOT_TRAINING = ("*val*", "*test*", "*eval*")

# What counts steps, best first. A table that pandas wrote with its index has a column without a name.
STEPS = (
    *("step", "global_step", "trainer/global_step", "train/global_step", "_step", "iteration", "iter", "steps"),
    *("update", "batch", "n_iter", "unnamed: 0", ""),
)

SHOWN, LETTERS, LONGEST = 12, 240, 60  # names in a message, letters of all and of each of them

ADVICE = "choose with columns (on the command line --columns), such as 'grad*'"
ATTACH = "attach gradmidi to the next run (`gradmidi run`, gm.listen or a callback)"


class Chosen(NamedTuple):
    """How a log's columns are used: layers, metrics under their names in the recording, and a message."""

    layers: list[str]
    metrics: dict[str, str]
    notice: str


def choose(
    names: Sequence[str],
    columns: Iterable[str] | None,
    metrics: Iterable[str] | None,
    source: str,
    histograms: Sequence[str] = (),
) -> Chosen:
    """Layers and metrics among the columns of a log; see :func:`choose_layers` and :func:`choose_metrics`.

    Raises:
        InputError: a glob matches no column, or there are neither globs nor gradient norms.
    """
    layers = choose_layers(names, columns, source, histograms)
    taken = set(layers)
    others = choose_metrics([name for name in names if name not in taken], metrics, source)
    is_whole = columns is None and len(layers) == 1 and fits(layers[0].lower(), WHOLE_MODEL)
    what = f"{shortened(layers)} is the norm of the whole model, which is one voice"
    return Chosen(layers, others, f"{what}; for a voice per layer {ATTACH}" if is_whole else "")


def choose_layers(
    names: Sequence[str], columns: Iterable[str] | None, source: str, histograms: Sequence[str] = ()
) -> list[str]:
    """Columns that match one of the globs, or that look like gradient norms, in the log's order.

    Args:
        names: the columns.
        columns: globs, or ``None``.
        source: what messages call the log.
        histograms: columns logged as histograms, for the message if no column matches.

    Raises:
        InputError: a glob matches none, or none looks like a gradient norm; the message says what is possible instead.
    """
    if columns is not None:
        return _fitting(names, columns, source)
    found = next((found for globs in NORMS if (found := _norms(names, globs))), [])
    if not found:
        nothing = f"{source}: no column looks like a gradient norm; there are {shortened(names)}"
        raise InputError(f"{nothing}; {_instead(names, histograms)}")
    layers = [name for name in found if not fits(name.lower(), WHOLE_MODEL)]
    return layers or found


def _instead(names: Sequence[str], histograms: Sequence[str]) -> str:
    """What to do with a log that has no gradient norms."""
    if gradients := [name for name in histograms if "grad" in name.lower()]:
        return f"histograms, such as {shortened(gradients[:1])}, hold no norms: {ATTACH}"
    if (loss := choose_metrics(names, None, "").get("loss")) and printable(loss, LONGEST) == loss:
        return f"for only the loss use --columns {shell_word(loss)}, or {ATTACH}"
    return ADVICE


def looks_like_norms(names: Iterable[str]) -> bool:
    """Whether :func:`choose_layers` would find something by itself."""
    names = list(names)
    return any(_norms(names, globs) for globs in NORMS)


def choose_metrics(names: Sequence[str], metrics: Iterable[str] | None, source: str) -> dict[str, str]:
    """The recording's name for each chosen column, and the column.

    The training's loss, epoch and learning rate are called ``loss``, ``epoch`` and ``lr``, so that they are heard and
    drawn as such; other columns, which only globs choose, keep their names.

    Raises:
        InputError: a glob matches no column.
    """
    chosen = list(names) if metrics is None else _fitting(names, metrics, source)
    known: dict[str, str] = {}
    for role, globs in METRICS.items():
        some = [name for name in chosen if fits(name.lower(), globs) and not fits(name.lower(), NOT_TRAINING)]
        best = next((name for glob in globs for name in some if fits(name.lower(), [glob])), None)
        if best is not None and best not in known.values():
            known[role] = best
    columns = set(known.values())
    rest = [] if metrics is None else [name for name in chosen if name not in columns]
    return known | {name: name for name in rest}


def choose_step(names: Sequence[str], step: str | None, where: str) -> str:
    """The column that counts steps.

    Raises:
        InputError: the given column does not exist, or none is known to count steps.
    """
    if step is not None:
        if step in names:
            return step
        raise InputError(f"{where}: there is no column called {shown(step)}; there are {shortened(names)}")
    lowered = {name.lower(): name for name in reversed(names)}
    for name in STEPS:
        if name in lowered:
            return lowered[name]
    advice = "say which one counts steps: --step NAME (in Python step=NAME)"
    raise InputError(f"{where}: there is no column called 'step' among {shortened(names)}; {advice}")


def layer_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns without the common words at their ends that mark them as gradient norms.

    ``grad/conv1/norm`` and ``grad/fc1/norm`` are the layers ``conv1`` and ``fc1``.
    """
    parts = [re.split(r"([/.])", column) for column in columns]
    shortest = min(len(words) for words in parts)
    front = _spoken([{words[i] for words in parts} for i in range(shortest)])
    back = _spoken([{words[-1 - i] for words in parts} for i in range(shortest)])
    short = tuple("".join(words[front : len(words) - back]) for words in parts)
    return short if all(short) and len(set(short)) == len(short) else tuple(columns)


def _spoken(shared: list[set[str]]) -> int:
    """How many parts (words and separators, from one end) go: up to the last shared word about gradients."""
    length = 0
    for index, words in enumerate(shared):
        if len(words) > 1:
            break
        if re.search("grad|norm", min(words).lower()):
            length = index + 2  # with the separator
    return length


def fits(name: str, globs: Iterable[str]) -> bool:
    """Whether a name equals, or matches as a glob, one of ``globs``; ``a/b`` and ``a.b`` are the same."""
    return _compiled(tuple(globs)).fit(name)


class _Globs:
    """Names, and one pattern for all globs among them, as a hundred thousand columns are compared with each."""

    def __init__(self, globs: Sequence[str]) -> None:
        dotted = [glob.replace("/", ".") for glob in globs]
        patterns = [translate(glob) for glob in dotted if any(letter in glob for letter in "*?[")]
        self._exact = {*globs, *dotted}
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def fit(self, name: str) -> bool:
        dotted = name.replace("/", ".")
        if name in self._exact or dotted in self._exact:
            return True
        return self._pattern is not None and self._pattern.match(dotted) is not None


_compiled = lru_cache(256)(_Globs)


def shortened(names: Sequence[str]) -> str:
    """Names for a message: the first dozen, or fewer if they are long."""
    first = [printable(name, LONGEST) or "''" for name in names[:SHOWN]]
    count = max(1, sum(end <= LETTERS for end in accumulate(map(len, first))))
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(first[:count]) + more if names else "no columns"


def _norms(names: Sequence[str], globs: Sequence[str]) -> list[str]:
    lowered = [(name, name.lower()) for name in names]
    return [name for name, lower in lowered if fits(lower, globs) and not fits(lower, NOT_NORMS)]


def _fitting(names: Sequence[str], globs: Iterable[str], source: str) -> list[str]:
    globs = (globs,) if isinstance(globs, str) else tuple(globs)
    known = set(names)
    for glob in globs:
        if glob not in known and not any(fits(name, (glob,)) for name in names):
            raise InputError(f"{source}: no column fits {shown(glob)}; there are {shortened(names)}")
    wanted = _Globs(globs)
    return [name for name in names if wanted.fit(name)]
