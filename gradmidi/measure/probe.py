"""GradientProbe: one row of per-layer gradient norms at each optimizer step, and nothing else about the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gradmidi.errors import InputError
from gradmidi.measure.amp import scales_itself
from gradmidi.measure.distributed import is_sharded, obstacle, records_here, saying_what_is_unheard
from gradmidi.measure.finding import raw_optimizer
from gradmidi.measure.hooks import StepHooks
from gradmidi.measure.joining import JoinHooks, Roster, joined
from gradmidi.measure.layers import LayerChoice, check_model
from gradmidi.measure.meter import Meter, OptimizerPart
from gradmidi.measure.row import RowMaker, StepNorms, narrowed
from gradmidi.measure.silence import Scene, versions_of, why_silent
from gradmidi.saying import warn

WHEN = ("after-clip", "before-clip")

__all__ = ["GradientProbe", "StepNorms"]


class GradientProbe:
    """Calls ``on_step`` with the gradient norm of every layer at each step of ``optimizer``.

    Attaches at construction; :meth:`detach`, or leaving it as a context manager, removes every hook again. On the
    CPU ``on_step`` runs inside ``optimizer.step()``, before the weights change. On CUDA the row is copied without
    waiting for the device, and arrives at a later step or at :meth:`flush`.

    Never changes gradients, weights or random state, and never raises into the training: if measuring or ``on_step``
    fails, one :class:`TrainingWarning` says so and the probe is off. A setup in which no correct norm can be read
    (FSDP1, DeepSpeed ZeRO) gives such a warning and no rows.

    Args:
        model: whose layers are measured; several networks go into an ``nn.ModuleDict``.
        optimizer: whose steps are counted. With several, a row is complete when each has stepped or one is about to
            step again; layers of those that did not are gaps.
        on_step: receives one :class:`StepNorms` per measured step; see ``ranks``.
        layers: ``"auto"`` (modules that own trainable parameters), ``"all"`` (frozen ones too, which are gaps until
            they are unfrozen and an optimizer has them), names or globs of modules in the order wanted, or a callable
            ``(name, module) -> bool``.
        parameters: ``"weights"`` as in the 2019 post, ``"biases"`` or ``"all"``; several in one module are joined
            by root-sum-square.
        quantities: names in :data:`gradmidi.measure.quantities.QUANTITIES`; the first one fills ``norms``.
        when: ``"after-clip"``, what the optimizer uses, or ``"before-clip"``, at the end of the backward pass.
        every: measure every so many steps, or a callable from the step to whether it is measured. With sharded
            parameters steps are counted from the attachment for this.
        scaler: the GradScaler of automatic mixed precision. Plain and fused optimizers are measured correctly without
            it; with it, a step that a plain optimizer skipped gives a row too, marked ``skipped``, and
            ``"before-clip"`` gives unscaled norms.
        ranks: which processes of a distributed training receive rows: ``"first"``, rank 0, or ``"each"``, for
            pipeline and expert parallelism, where each rank has different layers.

    Attributes:
        layers: names of the L layers.
        on_join: called with the names of layers that join the training under ``"auto"`` or ``"all"``: unfrozen, or
            added to the optimizer. If it returns True they are measured, and rows are longer from then on; otherwise,
            and as long as it is None, they are not.
        metrics: names of the numbers that every row has in its ``metrics``, besides those noted.

    Cost: a measured step takes one fused norm call per device and dtype, one stack and one copy per device; under FSDP2
    one more collective, in which every rank has to join. Nothing while detached.

    Raises:
        InputError: the model is not one module, nothing to measure, an unknown layer or option, or ``"before-clip"``
            under FSDP2.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        on_step: Callable[[StepNorms], None],
        *,
        layers: LayerChoice = "auto",
        parameters: str = "weights",
        quantities: Sequence[str] = ("grad_norm",),
        when: str = "after-clip",
        every: int | Callable[[int], bool] = 1,
        scaler: GradScaler | None = None,
        ranks: str = "first",
    ) -> None:
        check_model(model)
        self._records = records_here(ranks)
        if when not in WHEN:
            raise InputError(f"when={when!r} is not one of {', '.join(map(repr, WHEN))}")
        given = optimizer if isinstance(optimizer, Sequence) else [optimizer]
        optimizers = [raw_optimizer(one) for one in given]
        # Accelerate's wrapper around the optimizer knows the scaler.
        scaler = scaler or next(filter(None, (getattr(one, "scaler", None) for one in given)), None)
        self._roster = Roster(model, layers, parameters, optimizers)
        everything = self._roster.parameters
        self._sharded = any(is_sharded(parameter) for parameter in everything)
        if self._sharded and when == "before-clip":
            raise InputError("when='before-clip' is not supported for sharded parameters; measure after-clip instead")
        self._optimizers = optimizers
        self._quantities = quantities
        maker = self._make_maker()
        self.layers: tuple[str, ...] = maker.layers
        self.on_join: Callable[[Sequence[str]], bool] | None = None
        scaled = scaler is not None or any(map(scales_itself, optimizers))
        self.metrics: tuple[str, ...] = (*maker.metrics, "skipped") if scaled else maker.metrics
        if ranks == "first":
            on_step = saying_what_is_unheard(on_step, lambda: [part.reader for part in self._parts], len(self.layers))
        if self._sharded:
            on_step = self._within_its_room(on_step)
        self._first = 0
        self._meter = Meter(self._parts, maker, on_step if self._records else _nobody, self._due(every))
        self._make_hooks: Callable[[], StepHooks] = lambda: StepHooks(
            self._meter,
            optimizers,
            self._roster.parameters if when == "before-clip" else (),
            scaler,
            keep_going=self._sharded,
        )
        self._make_join_hooks: Callable[[], JoinHooks] = lambda: JoinHooks(
            given, optimizers, lambda: self._roster.frozen, self._look
        )
        self._hooks: StepHooks | None = None
        self._joining: JoinHooks | None = None
        self._failed = False
        self._scene = Scene(model, optimizers, everything, versions_of(everything), 0, 0)
        self._obstacle = obstacle(model, everything)
        if self._obstacle:
            warn(f"gradmidi cannot measure this training, which continues without it: {self._obstacle}")
        self._hang()

    def _make_maker(self) -> RowMaker:
        """What makes rows of the layers that the roster has now, and the parts that read them."""
        found = self._roster.layers
        maker = RowMaker(found, self._quantities)
        self._parts = [OptimizerPart(one, found, maker.terms, maker.needs_rates) for one in self._optimizers]
        return maker

    def _look(self) -> None:
        """See whether layers have joined; called when one may have."""
        if self._hooks is not None:
            self._hooks.guard(self._hooks.between_steps, self._take_newcomers)

    def _take_newcomers(self) -> None:
        newcomers = self._roster.newcomers()
        if newcomers is None or self._hooks is None:
            return
        accepted = bool(newcomers.new) and self._join([layer.name for layer in newcomers.new])
        before = set(map(id, self._roster.parameters))
        # Ranks that read together have to read the same, whatever each of them has room for.
        self._roster.take(newcomers, accepted or self._sharded)
        fresh = [parameter for parameter in self._roster.parameters if id(parameter) not in before]
        if fresh:
            maker = self._make_maker()
            self._meter.refit(self._parts, maker)
            self._hooks.refit(fresh)
            self.layers = maker.layers if accepted else self.layers

    def _due(self, every: int | Callable[[int], bool]) -> Callable[[int], bool] | None:
        """From the number of a step to whether it is measured; None for always."""
        due = _schedule(every)
        if due is None or not self._sharded:
            return due
        # Ranks that read together have to read at the same steps, and one alone may continue the count of a file.
        return lambda step: due(step - self._first)

    def _within_its_room(self, on_step: Callable[[StepNorms], None]) -> Callable[[StepNorms], None]:
        """``on_step`` without the layers that have joined and for which it has no room."""
        return lambda row: on_step(narrowed(row, self._roster.layers, len(self.layers)))

    def _join(self, names: Sequence[str]) -> bool:
        """Whether the receiver of the rows has room for these layers; warns if nothing else does."""
        if self.on_join is not None:
            return self.on_join(names)
        if self._records:
            warn(f'gradmidi: {joined(names)} while training and not measured; layers="all" takes all from the start')
        return False

    def attach(self) -> None:
        """Hook into the optimizers; does nothing if already attached. The step count continues."""
        if self._hooks is None:
            self._hang()
            self._look()

    def _hang(self) -> None:
        # A rank that does not record has nothing to do, unless it holds shards of the parameters.
        if not self._obstacle and (self._sharded or self._records):
            if self._roster.open:  # before the hooks that measure, so that what is unfrozen is measured immediately
                self._joining = self._make_join_hooks()
            self._hooks = self._make_hooks()

    @property
    def steps(self) -> int:
        """How many optimizer steps were seen."""
        return self._meter.steps - self._first

    def count_from(self, step: int) -> None:
        """Set the number of the next step, for a resumed training; to be called before the first step."""
        self._first = self._meter.steps = step

    def note(self, **values: float | Tensor) -> None:
        """Log numbers (floats or 0-d tensors) as metrics of the next step; on CUDA without synchronising.

        Call it before ``optimizer.step()``. What is noted for a step that ``every`` skips is dropped.
        """
        self._meter.note(values)

    def flush(self) -> None:
        """Deliver every row that is still on its way from the device; waits for it."""
        if self._hooks is not None:
            self._hooks.guard(self._meter.flush)

    def detach(self) -> None:
        """Deliver what is on its way and remove every hook; may be called twice."""
        if self._hooks is not None:
            self.flush()
            for hooks in (self._hooks, self._joining):
                if hooks is not None:
                    hooks.remove()
            self._failed = self._hooks.off
            self._hooks = None

    def missed(self) -> tuple[str, ...]:
        """Layers that have joined in a way that could not be noticed, such as by changing ``param_groups`` itself."""
        newcomers = self._roster.newcomers() if self._meter.heard else None
        return () if newcomers is None else tuple(layer.name for layer in newcomers.new)

    def silence(self) -> str | None:
        """Why no gradient was measured so far, as a sentence; None if one was, or if that has been reported."""
        failed = self._failed if self._hooks is None else self._hooks.off
        if self._meter.heard or failed or self._obstacle or not self._records:
            return None
        try:
            return why_silent(self._scene._replace(steps=self.steps, left_out=self._meter.left_out))
        except Exception as error:  # the search looks at objects of all kinds
            return f"why is not known ({type(error).__name__}: {error})"

    def __enter__(self) -> GradientProbe:
        self.attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


def _nobody(row: StepNorms) -> None:
    """Receives the rows of ranks that take part in a collective but do not record."""


def _schedule(every: int | Callable[[int], bool]) -> Callable[[int], bool] | None:
    if not isinstance(every, int):
        return every
    if every < 1:
        raise InputError(f"every={every} must be at least 1")
    return None if every == 1 else lambda step: step % every == 0
