"""The healthy runs: twins of the faulty ones, and trainings with what real ones have and no rule should mark."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.clinic.recipe import Recipe

TWIN = "healthy"
NUDGED = "healthy-nudged"  # the twin with weights that differ by a hundred-thousandth: what chaos alone does
SEEDS = (0, 1, 3)  # the last of them is held out
LONG = 20_000


def _sgd(recipe: Recipe) -> Recipe:
    steady = recipe.lr / (1 - recipe.momentum) if recipe.optimizer == "sgd" else 1 / 3
    return recipe._replace(optimizer="sgd", lr=0.06 * steady, momentum=0.9, weight_decay=5e-4)


def _adam(recipe: Recipe) -> Recipe:
    return recipe._replace(optimizer="adam", lr=2e-3, momentum=0.9, weight_decay=0.0)


def _adamw(recipe: Recipe) -> Recipe:
    return recipe._replace(optimizer="adamw", lr=2e-3, momentum=0.9, weight_decay=0.05)


def _tiny_batch(recipe: Recipe) -> Recipe:
    """The learning rate falls with the batch: in proportion for SGD, with its root for Adam."""
    share = recipe.least_batch / recipe.batch
    lr = recipe.lr * (share if recipe.optimizer == "sgd" else share**0.5)
    return recipe._replace(batch=recipe.least_batch, lr=lr, steps=2000)


def _tuned(recipe: Recipe) -> Recipe:
    return recipe._replace(pretrained=800, lr=recipe.lr / 3, steps=600)


# How each kind of healthy training changes the ward's own recipe.
HEALTHY: dict[str, Callable[[Recipe], Recipe]] = {
    TWIN: lambda recipe: recipe,
    "healthy-cosine": lambda recipe: recipe._replace(schedule="cosine"),
    "healthy-step": lambda recipe: recipe._replace(schedule="step"),
    "healthy-one-cycle": lambda recipe: recipe._replace(schedule="one-cycle", lr=2 * recipe.lr, warmup=0),
    "healthy-clip": lambda recipe: recipe._replace(clip=1.0),
    "healthy-dropout": lambda recipe: recipe._replace(dropout=0.2),
    "healthy-fine-tuned": _tuned,
    "healthy-head": lambda recipe: _tuned(recipe)._replace(frozen=2),
    "healthy-sgd": _sgd,
    "healthy-adam": _adam,
    "healthy-adamw": _adamw,
    "healthy-tiny-batch": _tiny_batch,
    "healthy-long": lambda recipe: recipe._replace(steps=LONG),
    NUDGED: lambda recipe: recipe,
}


def seeds(kind: str) -> tuple[int, ...]:
    """Which seeds a kind of healthy run is made with."""
    return {TWIN: (0, 1, 2, 3, 4), "healthy-long": (0,)}.get(kind, SEEDS)
