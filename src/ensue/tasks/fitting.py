"""Learning, as every task does it: step by step, or at one go; either way the run has its log
and its arrays then."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from ensue.data.dataset import Examples
from ensue.data.feeds import in_order
from ensue.errors import Interrupted, UserError
from ensue.models.contract import Predictor
from ensue.models.parameters import device_of
from ensue.training import devices
from ensue.training.contract import Callback, Feed, Note, Progress, Working
from ensue.training.fit import SOLVED, MakeSample, Validate, fit
from ensue.training.folder.run import METRICS, Run
from ensue.training.gradient import GradientLearner
from ensue.training.settings import HardwareSettings, TrainingSettings

RESERVED_SHARE = 0.1
"""The share of `minutes` kept for what comes after the training."""
MIN_TRAINING_SHARE = 0.25
"""The share of `minutes` that is for the training in any case."""
BASELINES_SHARE = 0.2
"""The share of the time left that baselines may take, each of which begins only while some of it
is left."""

MANY, ONE_IN = 4000, 8
"""From so many examples on, one in so many tell how long a baseline takes."""


@dataclass(frozen=True)
class Fitted:
    """A model, how long it took, and what was chosen on which part."""

    model: Any
    seconds: float
    selected: tuple[str, ...] = ()
    updates: int = 0
    """After which a network was best."""


def prepare_hardware(
    run: Run, settings: Any, watch: Callback, *, network: bool = True
) -> HardwareSettings:
    """Prepare the machine, the CPU for what is no network: as it was, for a run that is resumed;
    what cannot be so is named. `settings` has the fields training and seed.
    """
    before, machine = run.about.get("hardware", {}), settings.training.hardware
    machine = devices.restore_hardware(
        machine if network else HardwareSettings(device="cpu", threads=machine.threads), before
    )
    device = devices.prepare(machine, settings.seed)
    now = devices.describe_hardware(device, machine)
    if changed := devices.describe_changes(before, now):
        watch(Note(changed))
    if not before:
        run.describe({"hardware": now})
    return machine


@dataclass(frozen=True)
class Budget:
    """The time of a whole command, from when its task began; inf minutes where the budget is
    epochs or steps."""

    minutes: float
    began: float

    @staticmethod
    def of(training: TrainingSettings) -> Budget:
        """Begin to count."""
        timed = training.steps is None and training.epochs is None
        return Budget(training.minutes if timed else inf, perf_counter())

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return perf_counter() - self.began

    def left(self, least: float = 0.0) -> float:
        """Give the seconds that are left, but at least this share of all of them."""
        return max(60 * self.minutes - self.spent, least * 60 * self.minutes)

    def whole(self, seconds: float) -> float:
        """Give what the command takes at least where so many seconds more go by before baselines
        and training."""
        return (
            self.spent
            + seconds
            + 60 * self.minutes * (MIN_TRAINING_SHARE * (1 + BASELINES_SHARE) + RESERVED_SHARE)
        )


def remaining_training(
    training: TrainingSettings,
    machine: HardwareSettings,
    budget: Budget,
    watch: Callback,
    spared: float = RESERVED_SHARE,
) -> TrainingSettings:
    """Give the training what is left of its minutes, a share for what comes after it `spared`: a
    quarter or more.

    Reading may take all of it, and that says nothing of a network that has hardly learned: then a
    line says so.
    """
    minutes = training.minutes
    if isfinite(budget.minutes):
        minutes = max(
            training.minutes * (1 - spared) - budget.spent / 60,
            training.minutes * MIN_TRAINING_SHARE,
        )
        if minutes == training.minutes * MIN_TRAINING_SHARE:
            what = (
                f"{budget.spent:,.0f} s went by before the training, of "
                f"{60 * training.minutes:,.0f} s in all"
            )
            watch(
                Note(
                    f"{what}: it gets {60 * minutes:,.0f} s all the same (more with a "
                    f"larger --minutes)"
                )
            )
    return training.model_copy(update={"minutes": minutes, "hardware": machine})


T = TypeVar("T")
L = TypeVar("L")


def defer_failure(make: Callable[[], T], watch: Callback) -> Callable[[], T]:
    """Do now what stands beside a training; what fails of it fails when the result is asked for,
    after the training.

    Nobody's training is to be lost for a baseline. Raises UserError at once, for it is about data
    or settings.
    """
    try:
        made = make()
    except UserError:
        raise
    except Exception as error:
        failed = error
        traceback.clear_frames(
            failed.__traceback__
        )  # they hold what there was too little memory for
        watch(Note(f"a baseline failed ({type(failed).__name__}); the training goes on without it"))
    else:
        return lambda: made

    def fail() -> T:
        raise failed

    return fail


def fit_baselines(
    candidates: Mapping[str, T],
    fit_one: Callable[[T, Examples], L],
    train: Examples,
    budget: Budget,
    watch: Callback,
) -> tuple[dict[str, L], tuple[str, ...]]:
    """Fit baselines by name, one after the other, as long as their share of the time lasts; say
    which were left out.

    None is cut off once it has begun: one in so many examples tell before how long all of them will
    take.
    """
    share, fitted, late, said = (
        BASELINES_SHARE * budget.left(MIN_TRAINING_SHARE),
        {},
        list[str](),
        list[str](),
    )
    ends, of_it = perf_counter() + share, f"the baselines' share of the time, {share:,.0f} s"
    for name, one in candidates.items():
        if perf_counter() > ends:
            late.append(name)
            continue
        watch(Working(f"fitting {name}"))
        takes = _would_take(partial(fit_one, one), train) if isfinite(share) else 0.0
        if perf_counter() + takes > ends:
            said.append(f"{name}: not fitted, for it would take about {takes:,.0f} s of {of_it}")
        else:
            fitted[name] = fit_one(one, train)
    if late:
        said.append(f"{', '.join(late)}: not fitted, for {of_it}, was spent")
    for one in said:
        watch(Note(one))
    return fitted, tuple(said)


def _would_take(fit_some: Callable[[Examples], object], train: Examples) -> float:
    """Tell how many seconds all examples would take, by a few of them; 0 where there are few."""
    if len(train) < MANY:
        return 0.0
    began = perf_counter()
    with suppress(Exception):  # what fails of few may do with all
        fit_some(train.select(np.arange(0, len(train), ONE_IN)))
    return ONE_IN * (perf_counter() - began)


def fit_network(
    run: Run,
    network: Any,
    training: TrainingSettings,
    feed: Feed,
    validate: Validate,
    watch: Callback,
    sample: MakeSample | None = None,
) -> Fitted:
    """Train until the budget is spent; the weights with the least nats on the validation part are
    kept, in run and network.

    Raises Interrupted, once all is saved, where a person stopped it.
    """
    device = devices.choose_device(training.hardware)
    outcome = fit(
        GradientLearner(network, training, device), feed, training, run, validate, sample, watch
    )
    if outcome.how == "interrupted":
        raise Interrupted(f"interrupted and saved; go on with `{run.resuming}`")
    if outcome.how == "stopped early":
        solved = outcome.validation is not None and 0 <= outcome.validation < SOLVED
        why = (
            f"its loss is below {SOLVED}"
            if solved
            else f"no gain for {training.patience} evaluations"
        )
        watch(
            Note(
                f"stopped early, at step {outcome.step:,} of {outcome.steps or 0:,}: "
                f"{why} on the validation part"
            )
        )
    if isinstance(network, nn.Module):
        network.to(
            "cpu" if device.type == "mps" else device
        ).eval()  # Metal has no float64, in which is scored
    chosen = (
        f"the weights of the network, those of step {outcome.best_step}: on the validation part"
    )
    return Fitted(network, outcome.seconds, (chosen,), max(outcome.best_step, 1))


@torch.no_grad()
def mean_nats(network: Predictor, examples: Examples, rows: int) -> float:
    """Give the nats of each thing that is to be predicted, in the mean."""
    nats, count, device = 0.0, 0, device_of(network)
    for _, batch in in_order(examples, rows):
        loss, _ = network.loss(devices.to_device(batch, device))
        nats, count = nats + float(loss.nats.cpu().double().sum()), count + int(batch.counts.sum())
    return nats / max(count, 1)


def log_closed_form(
    run: Run, validation: float, seconds: float, learned_from: tuple[int, str], watch: Callback
) -> None:
    """Log as one step of training what was fitted at one go; `validation` is in nats for each of
    what was learned from, so many of a unit."""
    count, unit = learned_from
    progress = Progress(
        step=1,
        steps=1,
        epoch=1.0,
        loss=None,
        validation=validation,
        learning_rate=0.0,
        norm=None,
        seconds=seconds,
        unit=unit,
        per_second=count / max(seconds, 1e-9),
        eta_seconds=0.0,
        memory_mb=devices.memory_mb(),
    )
    if not run.rows(METRICS):
        run.record(progress)
    watch(progress)
