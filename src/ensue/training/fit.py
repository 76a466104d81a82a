"""The one training loop, for everything that learns."""

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
    Learner,
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
from ensue.training.interrupt import asked_to_stop
from ensue.training.schedules import scale
from ensue.training.settings import TrainingSettings
from ensue.training.time_budget import EVALUATIONS, TimedStart

LATE = 0.1
"""A training by minutes that would take longer by more than this share takes fewer steps."""

Validate = Callable[[], float]
"""Gives the loss on the validation part, in nats per symbol."""
SOLVED = 0.001
"""Nats below which nothing is left to learn; what is measured with a density may have less than
none, and learn on."""
SURELY = 3
"""Evaluations in a row with so little left that end a training."""
MakeSample = Callable[[], tuple[str, float]]
"""Gives a text that the model makes up, and its nats."""


def fit(
    learner: Learner,
    feed: Feed,
    settings: TrainingSettings,
    run: Run,
    validate: Validate | None,
    sample: MakeSample | None,
    watch: Callback,
) -> Outcome:
    """Train until the end of the budget, from the run's checkpoint if it has one; the best weights
    end up in the run.

    Nothing but the learner, the feed, the settings and the checkpoint decides what is computed, so
    a training that was killed goes on to the same bits. Raises TrainingError if the numbers break,
    RunError if the disk fails.
    """
    return _Fit(learner, feed, settings, run, validate, sample, watch).train()


def reopen(run: Run) -> None:
    """Let a finished run learn more: the next `fit` takes its budget as counted from here, with a
    new schedule.

    A warm restart, as in SGDR (Loshchilov & Hutter 2017).
    """
    checkpoint = run.checkpoint()
    if checkpoint is not None:
        old = checkpoint.state
        anew = replace(old, start=old.step, start_seconds=old.seconds, steps=None, finished=False)
        # Nobody evaluates while the steps are timed.
        anew = replace(anew, evaluate_every=None, waited=0, solved=0)
        run.save(replace(checkpoint, state=anew))


@dataclass
class _Fit:
    """The loop. What it remembers from step to step is its course, which is part of every
    checkpoint."""

    learner: Learner
    feed: Feed
    settings: TrainingSettings
    run: Run
    validate: Validate | None
    sample: MakeSample | None
    watch: Callback
    state: LoopState = field(default_factory=LoopState)
    best: Mapping[str, np.ndarray] = field(default_factory=dict)

    def train(self) -> Outcome:
        self._begin()
        if self.state.finished:
            return self._keep_best(self._ending())
        with asked_to_stop() as stop:
            for batch in self._batches():
                self._update(batch)
                self._look()
                if stop():
                    self._save()
                    return self._keep_best("interrupted")
            self.learner.finish()
            if self._ending() == "finished":
                self._report(self._evaluate())
            self.state = replace(self.state, finished=True)
            self._save()
            if stop():
                return self._keep_best("interrupted")
            return self._keep_best(self._ending())

    def _begin(self) -> None:
        """Take up the run where it was left, or save the start, so that there is something to
        come back to."""
        checkpoint = self.run.checkpoint()
        if checkpoint is not None:
            self.state, self.best = checkpoint.state, checkpoint.best
            with format_errors(str(self.run.path / CHECKPOINT)):
                if self.state.steps is not None and self.state.evaluate_every is None:
                    raise ValueError("it is evaluated at no step")
                self.learner.restore(checkpoint.learner)
        self._clock = perf_counter() - self.state.seconds
        self._reported = perf_counter()
        self._timer: TimedStart | None = None
        self._counted_at: tuple[int, float] | None = None
        """The step and the seconds at which the steps that are left were counted; None where no
        clock has a say."""
        if self.state.steps is None:
            self._plan()
        if checkpoint is None:
            # First, for a run with a checkpoint has weights to come back to, whatever breaks.
            self.run.write_arrays(self._used())
            self._save()
        self._write_down()

    def _ending(self) -> str:
        return "finished" if self.state.step == self.state.steps else "stopped early"

    def _plan(self) -> None:
        """Turn the budget into a number of steps; by minutes that takes a timed start."""
        settings, start = self.settings, self.state.start
        if settings.steps is None and settings.epochs is None:
            began = self._clock + self.state.start_seconds
            self._timer = TimedStart(began, began + 60 * settings.minutes)
            return
        steps = start + (settings.steps or (settings.epochs or 0) * len(self.feed))
        between = settings.evaluate_every or math.ceil((steps - start) / EVALUATIONS)
        self.state = replace(self.state, steps=steps, evaluate_every=between)

    def _batches(self) -> Iterator[Batch[np.ndarray]]:
        """Give the batches that are left, epoch after epoch."""
        while not self._done():
            for batch in self.feed.epoch(*divmod(self.state.step, len(self.feed))):
                yield batch
                if self._done():
                    return

    def _done(self) -> bool:
        course, patience = self.state, self.settings.patience
        if course.step == course.steps or course.solved >= SURELY:
            return True
        return patience is not None and course.waited >= patience

    def _update(self, batch: Batch[np.ndarray]) -> None:
        try:
            update = self.learner.update(batch, self._scale(self.state.step))
        except NonFiniteError as error:
            raise self._failure(error, self.state.step + 1) from None
        self.state = _add(self.state, update)

    def _look(self) -> None:
        """Evaluate, report and save where it is due; the last evaluation waits until the learner
        has finished."""
        course = self.state
        if self._timer is not None and self._timer.step_done(perf_counter()):
            self._count_steps(self._timer)
        elif course.step == course.steps:
            return
        elif course.evaluate_every and course.step % course.evaluate_every == 0:
            self._report(self._evaluate())
            self._save()
        elif course.step % self.settings.report_every == 0:
            self._report(None)
            self._keep_to_the_time()

    def _count_steps(self, timer: TimedStart) -> None:
        """End the timed start: measure an evaluation too, count the steps, and from here on read
        no clock."""
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
        self._write_down()
        what = (
            f"{round(60 * self.settings.minutes):,} s of the time are for learning: "
            f"{steps:,} steps at this speed"
        )
        self.watch(Note(f"{what}, {steps / len(self.feed):.2g} times through the training data"))

    def _keep_to_the_time(self) -> None:
        """Take fewer steps where the machine has become slower since they were counted; never
        more."""
        course, now = self.state, perf_counter() - self._clock
        if self._counted_at is None or course.steps is None:
            return
        step, seconds = self._counted_at
        whole = 60 * self.settings.minutes
        left, each = (
            whole - (now - course.start_seconds),
            (now - seconds) / max(course.step - step, 1),
        )
        in_time = each * (course.steps - course.step) <= left + LATE * whole
        if in_time or now - seconds < LATE * whole:  # a few steps may be slow by chance
            return
        steps = course.step + max(int(left / each), 1)
        self.state, self._counted_at = replace(course, steps=steps), (course.step, now)
        self._save()
        self._write_down()
        what = f"{steps:,} steps instead of {course.steps:,}"
        self.watch(Note(f"the machine has become slower: {what}, to keep to the time"))

    def _evaluate(self) -> float | None:
        """Measure the model on the validation part, keep it if it is the best so far, and let it
        make up something."""
        began = perf_counter()
        with self.learner.as_used():
            validation = self.validate() if self.validate else None
            if validation is not None and not math.isfinite(validation):
                broken = NonFiniteError("the whole model", "a validation loss that is not finite")
                raise self._failure(broken, self.state.step)
            if validation is None or self.state.best is None or validation < self.state.best:
                self.best = self._learned()
                self.run.write_arrays(self.best)
                self.state = replace(
                    self.state, best=validation, best_step=self.state.step, waited=0
                )
            else:
                self.state = replace(self.state, waited=self.state.waited + 1)
            solved = validation is not None and 0 <= validation < SOLVED
            self.state = replace(self.state, solved=self.state.solved + 1 if solved else 0)
            if self.sample:
                self._emit(Sample(self.state.step, *self.sample()))
        if validation is not None:
            plateau = self.state.plateau.after(validation, self.settings.schedule)
            self.state = replace(self.state, plateau=plateau)
        self._reported += perf_counter() - began  # the speed that is told is that of the steps
        return validation

    def _report(self, validation: float | None) -> None:
        """Tell how the steps since the last report went."""
        course, now = self.state, perf_counter()
        seconds = now - self._clock
        left = (
            None
            if course.steps is None
            else (course.steps - course.step) * seconds / max(course.step, 1)
        )
        self._emit(
            Progress(
                step=course.step,
                steps=course.steps,
                epoch=course.step / len(self.feed),
                loss=course.nats / course.count if course.count else None,
                validation=validation,
                learning_rate=self.settings.optimiser.learning_rate * self._scale(course.step - 1),
                norm=course.norm,
                seconds=seconds,
                unit=self.feed.unit,
                per_second=course.count / max(now - self._reported, 1e-9),
                eta_seconds=left,
                memory_mb=memory_mb(),
            )
        )
        self.state = replace(course, nats=0.0, count=0, norm=None)
        self._reported = now

    def _emit(self, event: Event) -> None:
        self.run.record(event)
        self.watch(event)

    def _scale(self, step: int) -> float:
        start, steps = self.state.start, self.state.steps
        return scale(
            step - start,
            None if steps is None else steps - start,
            self.state.plateau,
            self.settings.schedule,
        )

    def _save(self) -> None:
        self.state = replace(self.state, seconds=perf_counter() - self._clock)
        self.run.save(Checkpoint(self.state, self.learner.snapshot(), self.best))

    def _write_down(self) -> None:
        """Say in run.toml how many steps the budget came to."""
        if self.state.steps is not None:
            planned = {"steps": self.state.steps, "evaluate_every": self.state.evaluate_every}
            self.run.describe({"planned": planned})

    def _used(self) -> Mapping[str, np.ndarray]:
        with self.learner.as_used():
            return self._learned()

    def _learned(self) -> Mapping[str, np.ndarray]:
        try:
            return self.learner.arrays()
        except NonFiniteError as error:
            raise self._failure(error, self.state.step) from None

    def _keep_best(self, how: str) -> Outcome:
        """Leave the best weights in the run and in the model; before any evaluation those are
        the last ones."""
        best = self.best or self._used()
        self.run.write_arrays(best)
        if how != "interrupted":
            self.learner.load(best)
        course = self.state
        return Outcome(
            how, course.step, course.steps, course.seconds, course.best, course.best_step
        )

    def _failure(self, error: NonFiniteError, step: int) -> TrainingError:
        """Say what broke and what probably helps; the run has the weights of its last
        evaluation, or of its start."""
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
        what = f"the loss is no longer a number: {error.cause} in layer {error.layer!r}"
        return TrainingError(
            what, where=f"step {step}", hint=f"{hint}; the last good weights are kept"
        )


def _add(course: LoopState, update: Update) -> LoopState:
    """Count one more step."""
    norms = [norm for norm in (course.norm, update.norm) if norm is not None]
    return replace(
        course,
        step=course.step + 1,
        nats=course.nats + update.nats,
        count=course.count + update.count,
        norm=max(norms) if norms else None,
    )
