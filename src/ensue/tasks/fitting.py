"""Fit a model, by gradient or in closed form, and write its log and weights to the run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import nn

from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.errors import Interrupted, UserError
from ensue.evaluation.scores import Measured, Role, Score
from ensue.models.contract import Predictor
from ensue.models.names import is_network, name_model
from ensue.models.parameters import get_device, to_device
from ensue.training import devices
from ensue.training.contract import Callback, Feed, Note, Progress, Stage, Working
from ensue.training.fit import SOLVED, MakeSample, Validate, fit
from ensue.training.folder.run import METRICS, Run
from ensue.training.gradient import GradientLearner
from ensue.training.settings import HardwareSettings, TrainingSettings

RESERVED_SHARE = 0.1
"""Share of `minutes` reserved for scoring and the report."""
MIN_TRAINING_SHARE = 0.25
"""Smallest share of `minutes` that the training gets, however long reading took."""
BASELINES_SHARE = 0.2
"""Share of the remaining time for baselines; no baseline starts once it is spent."""

REPORT_SHARE = 0.05
"""Share of `minutes` for what is not timed in advance: the start of Python and the report."""
TIMING_SHARE = 0.05
"""Share of `minutes` for which scoring is timed in advance."""

MANY = 512
"""With so many examples or more, the time of a baseline is estimated on samples of them."""
SAMPLES, GROWTH = (512, 64, 8), 8
"""Times are estimated on one in so many examples, and each sample has GROWTH times as many as the
one before. A larger one is taken only if there is time: with many labels it may take minutes."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model, its training time, and what was selected on which part."""

    model: Any
    seconds: float
    selected: tuple[str, ...] = ()
    updates: int = 0
    """Updates after which a network had its lowest validation loss."""
    settings: Any = None
    """Settings of the training, with those of this model."""
    title: str = ""
    """Name in the table of results, if it is not that of its settings."""
    members: tuple[Fitted, ...] = ()
    """Members of a mixture."""

    @property
    def name(self) -> str:
        """Name in the table of results."""
        return self.title or name_model(self.settings.model)

    @property
    def before_validation(self) -> Any:
        """The model as it was before it also learned from the validation part, if it did."""
        return self.model

    @property
    def role(self) -> Role:
        """Role in the ranking: a mixture, a network, or a baseline fitted in closed form."""
        if self.members:
            return "mixture"
        return "network" if self.settings and is_network(self.settings.model) else "baseline"

    def score(self, measured: Measured) -> Score:
        """Make the row of the comparison table of what was measured of this model."""
        size = getattr(self.model, "parameter_count", 0)
        return measured.of(self.name, self.role, self.seconds, size)


def prepare_hardware(run: Run, settings: Any, on_event: Callback) -> HardwareSettings:
    """Select device and threads: those of before for a resumed run, the CPU without a network.

    A note names what differs from before. `settings` has the fields model, training and seed.
    """
    before, hardware = run.about.get("hardware", {}), settings.training.hardware
    hardware = devices.restore_hardware(
        hardware
        if is_network(settings.model)
        else HardwareSettings(device="cpu", threads=hardware.threads),
        before,
    )
    device = devices.prepare(hardware, settings.seed)
    now = devices.describe_hardware(device, hardware)
    if changed := devices.describe_changes(before, now):
        on_event(Note(changed))
    if not before:
        run.describe({"hardware": now})
    return hardware


@dataclass(frozen=True)
class Budget:
    """The time budget of a command, counted from the start of its task.

    `minutes` are inf if the budget is epochs or steps.
    """

    minutes: float
    began: float

    @staticmethod
    def of(training: TrainingSettings) -> Budget:
        """Start the clock."""
        timed = training.steps is None and training.epochs is None
        return Budget(training.minutes if timed else inf, perf_counter())

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return perf_counter() - self.began

    def left(self, least: float = 0.0) -> float:
        """Compute the seconds that are left, and at least this share of the budget."""
        return max(60 * self.minutes - self.spent, least * 60 * self.minutes)

    def expected_total(self, seconds: float) -> float:
        """Estimate the least seconds of the command if baselines begin `seconds` from now."""
        return (
            self.spent
            + seconds
            + 60 * self.minutes * (MIN_TRAINING_SHARE * (1 + BASELINES_SHARE) + RESERVED_SHARE)
        )


TS = TypeVar("TS", bound=TrainingSettings)


def remaining_training(
    training: TS,
    hardware: HardwareSettings,
    budget: Budget,
    on_event: Callback,
    reserved: float = RESERVED_SHARE,
) -> TS:
    """Give the training the minutes that are left, without the `reserved` share.

    It gets at least MIN_TRAINING_SHARE; a note says so if reading the data or scoring leave less.
    """
    minutes = training.minutes
    if isfinite(budget.minutes):
        spent, least = budget.spent, training.minutes * MIN_TRAINING_SHARE
        minutes = max(training.minutes * (1 - reserved) - spent / 60, least)
        if minutes == least:
            scoring = 60 * training.minutes * reserved
            what = (
                f"{spent:,.0f} s of {60 * training.minutes:,.0f} s were spent before the "
                f"training, and what comes after takes about {scoring:,.0f} s; the training "
                f"gets {60 * minutes:,.0f} s all the same, and the command takes about "
                f"{spent + 60 * minutes + scoring:,.0f} s (increase --minutes to train longer)"
            )
            on_event(Note(what))
    return training.model_copy(update={"minutes": minutes, "hardware": hardware})


T = TypeVar("T")
L = TypeVar("L")


def defer_failure(make: Callable[[], T], on_event: Callback) -> Callable[[], T]:
    """Fit baselines now, and defer a failure until the result is requested, after the training.

    A training must not be lost because a baseline fails. A UserError is raised at once, for it is
    about data or settings.
    """
    try:
        made = make()
    except UserError:
        raise
    except Exception as error:
        failed = error
        # The frames hold the arrays for which there was too little memory.
        traceback.clear_frames(failed.__traceback__)
        what = f"a baseline failed ({type(failed).__name__}); the training continues without it"
        on_event(Note(what))
    else:
        return lambda: made

    def fail() -> T:
        raise failed

    return fail


class OutOfTimeError(Exception):
    """A baseline exceeded a time limit of its own."""


def fit_baselines(
    candidates: Mapping[str, T],
    fit_one: Callable[[T, int], L],
    count: int,
    budget: Budget,
    on_event: Callback,
) -> tuple[dict[str, L], tuple[str, ...]]:
    """Fit and score baselines in order while their share of the time lasts; also return notes.

    `fit_one(candidate, every)` takes one in `every` of the `count` examples. A baseline is never
    interrupted, so its time is first estimated on samples, unless it plans its own.
    """
    share = BASELINES_SHARE * budget.left(MIN_TRAINING_SHARE)
    fitted = {}
    late = list[str]()
    notes = list[str]()
    ends, of_it = perf_counter() + share, f"the baselines' share of the time, {share:,.0f} s"
    for name, one in candidates.items():
        if perf_counter() > ends:
            late.append(name)
            continue
        on_event(Working(f"fitting {name}"))
        takes = 0.0
        if isfinite(share) and count >= MANY and not getattr(one, "plans_time", False):
            takes = estimate_seconds(partial(fit_one, one), ends - perf_counter())
        if perf_counter() + takes > ends:
            notes.append(f"{name}: not fitted; it would take about {takes:,.0f} s of {of_it}")
        else:
            try:
                fitted[name] = fit_one(one, 1)
            except OutOfTimeError as error:
                notes.append(f"{name}: not fitted; {error}")
    if late:
        notes.append(f"{', '.join(late)}: not fitted; {of_it}, is spent")
    for one in notes:
        on_event(Note(one))
    return fitted, tuple(notes)


def estimate_seconds(work: Callable[[int], object], affordable: float) -> float:
    """Estimate the seconds of `work(1)`; `work(every)` takes one in `every` examples.

    Samples are taken until the next one would exceed the seconds that are `affordable`.
    """
    taken: list[float] = []
    while len(taken) < len(SAMPLES) and sum(taken) + _extrapolate(taken, 1) <= affordable:
        began = perf_counter()
        with suppress(Exception):  # a sample may be too small for a model
            work(SAMPLES[len(taken)])
        taken.append(perf_counter() - began)
    return _extrapolate(taken, len(SAMPLES) + 1 - len(taken))


def _extrapolate(taken: Sequence[float], samples: int) -> float:
    """Predict the seconds of a later sample from those of the samples so far.

    Part of the time is constant, as for a model for each label; the rest grows with the examples,
    or up to their square. The first sample alone shows neither.
    """
    if len(taken) < 2:
        return 2 * sum(taken) * samples
    growing = max(taken[-1] - taken[-2], 0.0)
    growth = min(max(taken[-1] / max(taken[-2], 1e-9), GROWTH), GROWTH**2)
    return taken[-1] + growing * sum(growth**power for power in range(1, samples + 1))


def estimate_reserve(
    run: Run,
    build: Callable[[], Any],
    score_some: Callable[[Any, int], object],
    hardware: HardwareSettings,
    budget: Budget,
    on_event: Callback,
    most: float = inf,
) -> float:
    """Estimate the share of the minutes for scoring and report, with an untrained network.

    `score_some(network, every)` does what comes after the training, on one in `every` examples.
    The share is `most` at most.
    """
    if not isfinite(budget.minutes) or run.checkpoint():
        return RESERVED_SHARE
    on_event(Working("timing the scoring"))
    with torch.random.fork_rng(devices=[]):  # the trained network depends on the seed alone
        network = build().to(devices.choose_device(hardware)).eval()
    total = 60 * budget.minutes
    seconds = estimate_seconds(partial(score_some, network), TIMING_SHARE * total)
    share = min(max(RESERVED_SHARE, seconds / total + REPORT_SHARE), most)
    scoring = f"scoring and the report get about {share * total:,.0f} s after it"
    on_event(Stage(f"the training gets what is left of {total:,.0f} s, and {scoring}"))
    return share


def fit_network(
    run: Run,
    network: Any,
    training: TrainingSettings,
    feed: Feed,
    validate: Validate,
    on_event: Callback,
    sample: MakeSample | None = None,
) -> Fitted:
    """Train a network until the budget is spent, and restore the weights of the best validation.

    Raises Interrupted, after saving, if it was interrupted.
    """
    device = devices.choose_device(training.hardware)
    on_event(Working("training"))
    outcome = fit(
        GradientLearner(network, training, device), feed, training, run, validate, sample, on_event
    )
    if outcome.how == "interrupted":
        raise Interrupted(f"interrupted and saved; resume with `{run.resuming}`")
    if outcome.how == "stopped early":
        solved = outcome.validation is not None and 0 <= outcome.validation < SOLVED
        why = (
            f"its loss is below {SOLVED}"
            if solved
            else f"no improvement for {training.patience} evaluations"
        )
        what = (
            f"stopped early, at step {outcome.step:,} of {outcome.steps or 0:,}: "
            f"{why} on the validation part"
        )
        on_event(Note(what))
    if isinstance(network, nn.Module):
        network.to(
            "cpu" if device.type == "mps" else device
        ).eval()  # Metal has no float64, in which is scored
    selected = (
        f"the weights of the network, those of step {outcome.best_step}: on the validation part"
    )
    return Fitted(network, outcome.seconds, (selected,), max(outcome.best_step, 1))


@torch.no_grad()
def mean_nats(network: Predictor, examples: Examples, rows: int) -> float:
    """Compute the mean negative log-likelihood per target, in nats."""
    nats, count, device = 0.0, 0, get_device(network)
    for _, batch in iterate_sorted(examples, rows):
        loss, _ = network.loss(to_device(batch, device))
        nats, count = nats + float(loss.nats.cpu().double().sum()), count + int(batch.counts.sum())
    return nats / max(count, 1)


def log_closed_form(
    run: Run, validation: float, seconds: float, trained_on: tuple[int, str], on_event: Callback
) -> None:
    """Log a fit in closed form as one training step.

    `validation` is in nats per item; `trained_on` is the number of items and their unit.
    """
    count, unit = trained_on
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
    on_event(progress)
