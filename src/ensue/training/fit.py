"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from ensue.atomic_io import format_errors
from ensue.batch import Batch
from ensue.training.contract import (
    Callback,
    Event,
    Feed,
    Note,
    Outcome,
    Progress,
    Sample,
    Update,
)
from ensue.training.devices import memory_mb
from ensue.training.failure import NonFiniteError, TrainingError
from ensue.training.folder.checkpoint import Checkpoint, LoopState
from ensue.training.folder.run import CHECKPOINT, Run
from ensue.training.gradient import GradientLearner
from ensue.training.interrupt import catch_interrupt
from ensue.training.schedules import scale
from ensue.training.settings import PlateauSettings, TrainingSettings
from ensue.training.time_budget import EVALUATIONS, TimedStart

OVERRUN = 0.1
"""Tolerated overrun of a training by minutes, as a share; beyond it, the steps are reduced."""

Validate = Callable[[], float]
"""Returns the loss on the validation part, in nats per symbol."""
SOLVED = 0.001
"""Loss in nats below which nothing is left to learn. A density's loss may be negative, and then
goes on falling."""
SOLVED_EVALUATIONS = 3
"""Consecutive evaluations below SOLVED that end a training."""
MakeSample = Callable[[], tuple[str, float] | None]
"""Returns a text sampled from the model, and its negative log-likelihood in nats, if it can."""


def fit(
    learner: GradientLearner,
    feed: Feed,
    settings: TrainingSettings,
    run: Run,
    validate: Validate | None,
    sample: MakeSample | None,
    on_event: Callback,
) -> Outcome:
    """Train to the end of the budget, and save the best weights to the run.

    Training starts from the run's checkpoint if it has one. The result depends on learner, feed,
    settings and checkpoint alone, so a killed training resumes with the same bits. Raises
    TrainingError if loss or weights are not finite, RunError if the disk fails.
    """
    return _Fit(learner, feed, settings, run, validate, sample, on_event).train()


def reopen(run: Run) -> None:
    """Prepare a finished run for more training: the next `fit` starts a new budget and schedule.

    Source: warm restarts as in SGDR (Loshchilov & Hutter 2017).
    """
    checkpoint = run.checkpoint()
    if checkpoint is not None:
        old = checkpoint.state
        new = replace(old, start=old.step, start_seconds=old.seconds, steps=None, finished=False)
        # The timed start has no evaluations: they would be timed as steps.
        new = replace(new, evaluate_every=None, waited=0, solved=0)
        run.save(replace(checkpoint, state=new))


@dataclass
class _Fit:
    """The loop; all that it carries from step to step is `state`, part of every checkpoint."""

    learner: GradientLearner
    feed: Feed
    settings: TrainingSettings
    run: Run
    validate: Validate | None
    sample: MakeSample | None
    on_event: Callback
    state: LoopState = field(default_factory=LoopState)
    best: Mapping[str, np.ndarray] = field(default_factory=dict)

    def train(self) -> Outcome:
        self._begin()
        if self.state.finished:
            return self._restore_best(self._ending())
        with catch_interrupt() as interrupted:
            for batch in self._batches():
                self._update(batch)
                self._evaluate_or_report()
                if interrupted():
                    self._save()
                    return self._restore_best("interrupted")
            if self._ending() == "finished":
                self._report(self._evaluate())
            self.state = replace(self.state, finished=True)
            self._save()
            if interrupted():
                return self._restore_best("interrupted")
            return self._restore_best(self._ending())

    def _begin(self) -> None:
        """Restore the run's checkpoint, or save a first one."""
        checkpoint = self.run.checkpoint()
        if checkpoint is not None:
            self.state, self.best = checkpoint.state, checkpoint.best
            with format_errors(str(self.run.path / CHECKPOINT)):
                if self.state.steps is not None and self.state.evaluate_every is None:
                    raise ValueError("it has no evaluation interval")
                self.learner.restore(checkpoint.learner)
        self._clock = perf_counter() - self.state.seconds
        self._reported = perf_counter()
        self._timer: TimedStart | None = None
        self._counted_at: tuple[int, float] | None = None
        self._reduced = False
        """Step and seconds at which the remaining steps were counted; None if the budget is not
        in minutes."""
        if self.state.steps is None:
            self._plan()
        if checkpoint is None:
            # Weights before the checkpoint: whatever has a checkpoint then has weights.
            self.run.write_arrays(self._evaluation_arrays())
            self._save()
        self._record_plan()

    def _ending(self) -> str:
        return "finished" if self.state.step == self.state.steps else "stopped early"

    def _plan(self) -> None:
        """Convert the budget to a number of steps; a budget in minutes starts the timer instead."""
        settings, start = self.settings, self.state.start
        if settings.steps is None and settings.epochs is None:
            began = self._clock + self.state.start_seconds
            self._timer = TimedStart(began, began + 60 * settings.minutes)
            return
        steps = start + (settings.steps or (settings.epochs or 0) * len(self.feed))
        between = settings.evaluate_every or math.ceil((steps - start) / EVALUATIONS)
        self.state = replace(self.state, steps=steps, evaluate_every=between)

    def _batches(self) -> Iterator[Batch[np.ndarray]]:
        """Yield the remaining batches, epoch after epoch."""
        while not self._done():
            for batch in self.feed.epoch(*divmod(self.state.step, len(self.feed))):
                yield batch
                if self._done():
                    return

    def _done(self) -> bool:
        state, patience = self.state, self.settings.patience
        if state.step == state.steps or state.solved >= SOLVED_EVALUATIONS:
            return True
        return patience is not None and state.waited >= patience

    def _update(self, batch: Batch[np.ndarray]) -> None:
        try:
            update = self.learner.update(batch, self._scale(self.state.step))
        except NonFiniteError as error:
            raise self._failure(error, self.state.step + 1) from None
        self.state = _add(self.state, update)

    def _evaluate_or_report(self) -> None:
        """Evaluate, report and save if due; the last evaluation comes after the loop."""
        state = self.state
        if self._timer is not None and self._timer.step_done(perf_counter()):
            self._count_steps(self._timer)
        elif state.step == state.steps:
            return
        elif state.evaluate_every and state.step % state.evaluate_every == 0:
            self._report(self._evaluate())
            self._save()
        elif state.step % self.settings.report_every == 0:
            self._report(None)
            self._reduce_steps()

    def _count_steps(self, timer: TimedStart) -> None:
        """End the timed start: time an evaluation, and convert the remaining time to steps."""
        began = perf_counter()
        self._report(self._evaluate())
        self._save()
        now = perf_counter()
        steps, between = timer.count(now, now - began, self.settings.evaluate_every)
        self.state = replace(self.state, steps=self.state.step + steps, evaluate_every=between)
        steps += self.state.step - self.state.start
        self._timer = None
        self._counted_at = self.state.step, perf_counter() - self._clock
        self._save()
        self._record_plan()
        plan = f"{steps:,} steps, {steps / len(self.feed):.2g} epochs"
        self.on_event(Note(f"training takes {round(60 * self.settings.minutes):,} s: {plan}"))

    def _reduce_steps(self) -> None:
        """Reduce the number of steps if the machine became slower since they were counted."""
        state, now = self.state, perf_counter() - self._clock
        if self._counted_at is None or state.steps is None:
            return
        step, seconds = self._counted_at
        budget = 60 * self.settings.minutes
        left = budget - (now - state.start_seconds)
        each = (now - seconds) / max(state.step - step, 1)
        in_time = each * (state.steps - state.step) <= left + OVERRUN * budget
        if in_time or now - seconds < OVERRUN * budget:  # a few steps may be slow by chance
            return
        steps = state.step + max(int(left / each), 1)
        self.state, self._counted_at = replace(state, steps=steps), (state.step, now)
        self._save()
        self._record_plan()
        if not self._reduced:
            self._reduced, plan = True, f"fewer than the {state.steps:,} planned steps"
            self.on_event(Note(f"the machine has become slower: {plan}, to keep to --minutes"))

    def _evaluate(self) -> float | None:
        """Measure the validation loss, save the weights if it is the best, and draw a sample."""
        began = perf_counter()
        with self.learner.evaluation_mode():
            validation = self.validate() if self.validate else None
            if validation is not None and not math.isfinite(validation):
                broken = NonFiniteError("the whole model", "a validation loss that is not finite")
                raise self._failure(broken, self.state.step)
            if validation is None or self.state.best is None or validation < self.state.best:
                self.best = self._arrays()
                self.run.write_arrays(self.best)
                self.state = replace(
                    self.state, best=validation, best_step=self.state.step, waited=0
                )
            else:
                self.state = replace(self.state, waited=self.state.waited + 1)
            solved = validation is not None and 0 <= validation < SOLVED
            self.state = replace(self.state, solved=self.state.solved + 1 if solved else 0)
            if self.sample and (shown := self.sample()):
                self._emit(Sample(self.state.step, *shown))
        if validation is not None and isinstance(self.settings.schedule, PlateauSettings):
            plateau = self.state.plateau.after(validation, self.settings.schedule)
            self.state = replace(self.state, plateau=plateau)
        self._reported += perf_counter() - began  # the reported speed is that of the steps alone
        return validation

    def _report(self, validation: float | None) -> None:
        """Report the metrics of the steps since the last report."""
        state, now = self.state, perf_counter()
        seconds = now - self._clock
        left = (
            None
            if state.steps is None
            else (state.steps - state.step) * seconds / max(state.step, 1)
        )
        self._emit(
            Progress(
                step=state.step,
                steps=state.steps,
                epoch=state.step / len(self.feed),
                loss=state.nats / state.count if state.count else None,
                validation=validation,
                learning_rate=self.settings.optimiser.learning_rate * self._scale(state.step - 1),
                norm=state.norm,
                seconds=seconds,
                unit=self.feed.unit,
                per_second=state.count / max(now - self._reported, 1e-9),
                eta_seconds=left,
                memory_mb=memory_mb(),
            )
        )
        self.state = replace(state, nats=0.0, count=0, norm=None)
        self._reported = now

    def _emit(self, event: Event) -> None:
        self.run.record(event)
        self.on_event(event)

    def _scale(self, step: int) -> float:
        start, steps = self.state.start, self.state.steps
        total = None if steps is None else steps - start
        return scale(step - start, total, self.state.plateau, self.settings.schedule)

    def _save(self) -> None:
        self.state = replace(self.state, seconds=perf_counter() - self._clock)
        self.run.save(Checkpoint(self.state, self.learner.snapshot(), self.best))

    def _record_plan(self) -> None:
        """Write the number of steps to run.toml."""
        if self.state.steps is not None:
            planned = {"steps": self.state.steps, "evaluate_every": self.state.evaluate_every}
            self.run.describe({"planned": planned})

    def _evaluation_arrays(self) -> Mapping[str, np.ndarray]:
        with self.learner.evaluation_mode():
            return self._arrays()

    def _arrays(self) -> Mapping[str, np.ndarray]:
        try:
            return self.learner.arrays()
        except NonFiniteError as error:
            raise self._failure(error, self.state.step) from None

    def _restore_best(self, how: str) -> Outcome:
        """Put the best weights into the run and the model; before any evaluation, the last ones."""
        best = self.best or self._evaluation_arrays()
        self.run.write_arrays(best)
        if how != "interrupted":
            self.learner.load(best)
        state = self.state
        return Outcome(how, state.step, state.steps, state.seconds, state.best, state.best_step)

    def _failure(self, error: NonFiniteError, step: int) -> TrainingError:
        """Make the error for non-finite values, with the settings that are the likely cause."""
        optimiser = self.settings.optimiser
        hint = (
            f"lower training.optimiser.learning_rate (now {optimiser.learning_rate:g}) or "
            f"training.optimiser.max_grad_norm (now {optimiser.max_grad_norm})"
        )
        if self.settings.hardware.precision == "fp16":
            hint = (
                "numbers beyond 65504 overflow in fp16: set training.hardware.precision to "
                "bf16 or fp32"
            )
        problem = f"the loss is not finite: {error.cause} in layer {error.layer!r}"
        return TrainingError(
            problem, where=f"step {step}", hint=f"{hint}; the last good weights are saved"
        )


def _add(state: LoopState, update: Update) -> LoopState:
    """Add an update to the loop's counts."""
    norms = [norm for norm in (state.norm, update.norm) if norm is not None]
    return replace(
        state,
        step=state.step + 1,
        nats=state.nats + update.nats,
        count=state.count + update.count,
        norm=max(norms) if norms else None,
    )
