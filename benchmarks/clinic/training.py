"""One training of the clinic, recorded by gradmidi as any user would record it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

import gradmidi
from benchmarks.clinic.data import Batch, batches
from benchmarks.clinic.recipe import Recipe
from benchmarks.clinic.wards import Ward
from gradmidi.recording import Recording

QUANTITIES = ("grad_norm", "update_ratio")
OTHER_ORDER = 1000  # added to the seed for the data order of a fine-tuning

OnBatch = Callable[[Batch], Batch]


class Training:
    """A training that a fault may change at any step. The same arguments give the same numbers, bit for bit.

    Args:
        ward: the net and its task.
        recipe: how it is trained.
        seed: of the weights, of the order of the data, and of dropout.

    Attributes:
        step: number of the next step.
        factor: what multiplies the learning rate, besides the schedule.
        growth: what ``factor`` is multiplied by after each step.
        warmup: whether the recipe's warm-up is kept.
        clears: whether gradients are set to zero before a step.
        reduction: of the loss, ``"mean"`` or ``"sum"``.
        on_batch: what each batch goes through.
        on_inputs: what the numbers that the net is fed go through: the batch's, or, of text, their embedding.
        after_backward: called in order between the backward pass and the optimizer's step.
    """

    def __init__(self, ward: Ward, recipe: Recipe, seed: int) -> None:
        torch.manual_seed(seed)
        self.ward, self.recipe, self.seed = ward, recipe, seed
        self.data = ward.data()
        self.net = ward.make()
        self.step = 0
        self.factor = self.growth = 1.0
        self.warmup = self.clears = True
        self.reduction = "mean"
        self.on_batch: list[OnBatch] = []
        self.on_inputs: list[Callable[[Tensor], Tensor]] = []
        self.after_backward: list[Callable[[], object]] = []
        if recipe.pretrained:
            before = recipe._replace(steps=recipe.pretrained, lr=ward.recipe.lr, pretrained=0, frozen=0)
            self._begin(before, seed)
            for _ in range(before.steps):
                self._advance()
            seed += OTHER_ORDER
        self._begin(recipe, seed)
        self._prepare()

    def module(self, name: str) -> nn.Module:
        """A part of the net by its name."""
        return self.net.get_submodule(name)

    def record(
        self, steps: int, onset: int | None = None, change: Callable[[Training], None] | None = None
    ) -> Recording:
        """Train and record so many steps.

        Args:
            steps: how many.
            onset: the step before which ``change`` is made. A change at 0 is made before gradmidi is attached, as it
                would be in a script that has always been wrong.
            change: the fault.
        """
        if onset == 0 and change is not None:
            change(self)
        with (
            warnings.catch_warnings(action="ignore"),
            gradmidi.listen(self.net, self.optimizer, quantities=QUANTITIES, metrics=("loss",)) as session,
        ):
            for _ in range(steps):
                if onset and self.step == onset and change is not None:
                    change(self)
                self._advance(session.loss)
        return session.recording

    def _begin(self, recipe: Recipe, seed: int) -> None:
        self.current = recipe
        self.step = 0
        self.optimizer = recipe.make_optimizer(list(self.net.parameters()))
        for group in self.optimizer.param_groups:
            group["base"] = group["lr"]
        self._stream: Iterator[Batch] = batches(self.data, recipe.batch, seed)

    def _prepare(self) -> None:
        recipe = self.recipe
        owners = [module for module in self.net.modules() if any(True for _ in module.parameters(recurse=False))]
        for owner in owners[: recipe.frozen]:
            owner.requires_grad_(False)
        if recipe.dropout:
            for name in self.ward.hidden:
                self.module(name).register_forward_hook(partial(_drop, recipe.dropout))
        if recipe.clip:
            self.after_backward.append(partial(nn.utils.clip_grad_norm_, list(self.net.parameters()), recipe.clip))
        if not self.data.inputs.is_floating_point():
            self.module("embed").register_forward_hook(lambda module, args, output: self._fed(output))

    def _fed(self, numbers: Tensor) -> Tensor:
        for change in self.on_inputs:
            numbers = change(numbers)
        return numbers

    def _advance(self, log: Callable[[Tensor], Tensor] = lambda loss: loss) -> None:
        recipe = self.current if self.warmup else self.current._replace(warmup=0)
        rate = recipe.rate(self.step) * self.factor
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * rate
        batch = next(self._stream)
        for change in self.on_batch:
            batch = change(batch)
        inputs = self._fed(batch.inputs) if batch.inputs.is_floating_point() else batch.inputs
        if self.clears:
            self.optimizer.zero_grad()
        log(self.data.loss(self.net(inputs), batch.targets, reduction=self.reduction)).backward()
        for call in self.after_backward:
            call()
        self.optimizer.step()
        self.factor *= self.growth
        self.step += 1


def _drop(share: float, module: nn.Module, args: object, output: Tensor) -> Tensor:
    return nn.functional.dropout(output, share)
