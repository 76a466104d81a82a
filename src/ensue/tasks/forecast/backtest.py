"""Models that learn without the loop, or anew: fitted in one go, and from one origin of a test
to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from ensue.data.series.backtest import Origins
from ensue.data.series.windows import WindowFeed, WindowGatherer
from ensue.data.tables.times import format_time
from ensue.errors import DataError
from ensue.evaluation.forecasting.conformal import FEW, ConformalIntervals
from ensue.evaluation.forecasting.distributions import Forecast, concatenate, select
from ensue.evaluation.ranking import Role
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import forecast, non_overlapping
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.results import layer_name
from ensue.training.devices import choose_device
from ensue.training.folder.checkpoint import LoopState
from ensue.training.gradient import GradientLearner
from ensue.training.schedules import scale
from ensue.training.settings import TrainingSettings

WINDOWS = 4096
"""Windows that are gathered at once."""


@dataclass(frozen=True)
class Fitted:
    """A model that has learned; `updates` are those after which a network was best, `how` says
    what was chosen."""

    model: Any
    settings: Any
    inputs: WindowGatherer
    seconds: float
    how: str
    updates: int = 0
    training: TrainingSettings | None = None

    @property
    def role(self) -> Role:
        """Tell networks from what was fitted."""
        return "network" if isinstance(self.model, nn.Module) else "baseline"


def build(settings: Any, prepared: Prepared) -> tuple[Any, WindowGatherer]:
    """Make a model, and what it is given. Raises DataError where it takes counts, and the
    numbers are none."""
    inputs = prepared.inputs("standard")
    model = settings.build(prepared.sizes(inputs))
    if getattr(getattr(model, "head", None), "scaling", inputs.scaling) == inputs.scaling:
        return model, inputs
    for one in prepared.panel.series:
        if len(bad := np.argwhere((one.values < 0) | (one.values != np.round(one.values)))):
            value, time = one.values[tuple(bad[0])], format_time(one.times[bad[0][0]])
            hint = "give counts, or another head, such as --set model.head=student"
            raise DataError(
                f"{value:g} at {time} is no count, which the head is for", where=one.name, hint=hint
            )
    return model, prepared.inputs("level")


def fitted(settings: Any, prepared: Prepared) -> Fitted:
    """Fit a model that needs no gradient on the train part, choosing on the validation part."""
    began = perf_counter()
    model, inputs = build(settings, prepared)
    model.fit(
        windows(inputs, prepared.origins("train")), windows(inputs, prepared.origins("validation"))
    )
    return Fitted(
        model, settings, inputs, perf_counter() - began, f"{model.selected}: on the validation part"
    )


def windows(inputs: WindowGatherer, origins: Origins) -> Callable[[], Iterator[Any]]:
    """Give the windows of some origins, some at a time, as often as they are asked for."""

    # Nothing is learned from a horizon that was filled in from its first step to its last.
    real = origins[inputs.measured(origins)] if inputs.filled.any() else origins

    def gathered() -> Iterator[Any]:
        for begin in range(0, len(real), WINDOWS):
            yield inputs.arrays(real[begin : begin + WINDOWS])

    return gathered


def refit(learned: Fitted, prepared: Prepared, seed: int, ends: Sequence[int]) -> Fitted:
    """Learn anew from all that lies before a step of each series: by as many updates, or with
    the same penalty."""
    layout = prepared.layout
    found = [
        (number, step)
        for number, end in enumerate(ends)
        for step in range(layout.min_context, end - layout.horizon + 1)
    ]
    origins = np.array(found, np.int64).reshape(-1, 2)
    if learned.training is None:
        model = copy(learned.model)
        model.refit(windows(learned.inputs, origins))
        return replace(learned, model=model)
    torch.manual_seed(seed)
    network, _ = build(learned.settings, prepared)
    learner = GradientLearner(network, learned.training, choose_device(learned.training.hardware))
    feed = WindowFeed(learned.inputs, origins, learned.training.batching.batch_size, seed)
    done = 0
    while done < learned.updates:
        for batch in feed.epoch(*divmod(done, len(feed))):
            learner.update(
                batch, scale(done, learned.updates, LoopState().plateau, learned.training.schedule)
            )
            done += 1
            if done == learned.updates:
                break
    with learner.evaluation_mode():
        kept = learner.arrays()
    learner.load(kept)
    return replace(learned, model=network.eval())


def calibrated(
    learned: Fitted, prepared: Prepared, settings: ForecastSettings
) -> ConformalIntervals:
    """Say how far intervals are to be moved, by what was missed on the calibration part.

    If that is short, and the model learns anew as it goes, it has gone through the later half of
    the time before the test as it will go through the test; but for the validation part, on which
    it was chosen.
    """
    origins = prepared.origins("calibration")
    if (
        len(non_overlapping(origins, prepared.layout.horizon)) < FEW
        and learned.training is None
        and prepared.layout.refit_fitted
    ):
        rehearsed = _rehearse(prepared, origins)
        if len(rehearsed):
            return _calibrate(
                learned,
                walk_forward(learned, prepared, settings, rehearsed, "rehearsal"),
                rehearsed,
            )
    told = forecast(
        learned.model, learned.inputs, origins, seed=settings.seed, paths=settings.sample_paths
    )
    return _calibrate(learned, told, origins)


def _calibrate(learned: Fitted, told: Forecast, origins: Origins) -> ConformalIntervals:
    """Measure how far forecasts missed; those of steps that were filled in, each and all, do not
    count."""
    real = origins[learned.inputs.measured(origins)]
    return ConformalIntervals.fit(
        told,
        learned.inputs.targets(origins),
        len(non_overlapping(real, learned.inputs.layout.horizon)),
    )


def _rehearse(prepared: Prepared, calibrate: Origins) -> Origins:
    """Give the origins of the rehearsal and the calibration part, those of the validation part left
    out, before each of which there is something to learn from.
    """
    chosen_on = {*map(tuple, prepared.origins("validation").tolist())}
    rehearsed = [
        one for one in prepared.origins("rehearsal").tolist() if tuple(one) not in chosen_on
    ]
    whole = np.array(
        sorted({*map(tuple, rehearsed), *map(tuple, calibrate.tolist())}), np.int64
    ).reshape(-1, 2)
    steps = prepared.layout.refit_fitted * prepared.layout.stride
    turns = _turns(prepared, whole, "rehearsal", steps)
    least = prepared.layout.min_context + prepared.layout.horizon
    some = [
        turn
        for turn in np.unique(turns)
        if max(_ends(prepared, "rehearsal", int(turn), steps)) >= least
    ]
    return whole[np.isin(turns, some)]


def walk_forward(
    learned: Fitted,
    prepared: Prepared,
    settings: ForecastSettings,
    origins: Origins,
    part: str = "test",
) -> Forecast:
    """Forecast a part, from one origin to the next, learning anew before every so many of them
    if that is wanted."""
    layout = prepared.layout
    every = layout.refit_fitted if learned.training is None else layout.refit
    told = {"seed": settings.seed, "paths": settings.sample_paths}
    if not every:
        return forecast(learned.model, learned.inputs, origins, **told)
    turns = _turns(prepared, origins, part, every * layout.stride)
    parts, rows = [], []
    for turn in np.unique(turns):
        now = refit(
            learned,
            prepared,
            settings.seed,
            _ends(prepared, part, int(turn), every * layout.stride),
        )
        rows.append(np.flatnonzero(turns == turn))
        parts.append(forecast(now.model, now.inputs, origins[rows[-1]], **told))
    return select(concatenate(parts), np.argsort(np.concatenate(rows), kind="stable"))


def _turns(prepared: Prepared, origins: Origins, part: str, steps: int) -> np.ndarray:
    """Give in which turn of learning anew, each of so many steps, each origin is forecast: its
    own series counts."""
    return (origins[:, 1] - np.array(prepared.ends(part))[origins[:, 0]]) // steps


def _ends(prepared: Prepared, part: str, turn: int, steps: int) -> list[int]:
    """Give what each series has learned up to in a turn; a shorter one that has gone through the
    part stays there.

    A rehearsal ends where the test of that series begins.
    """
    limits = (
        prepared.ends("test")
        if part == "rehearsal"
        else [len(one) for one in prepared.panel.series]
    )
    begins = prepared.ends(part)
    return [min(begin + turn * steps, limit) for begin, limit in zip(begins, limits, strict=True)]


def name_of(settings: Any) -> str:
    """Name a model: "ridge", "linear", "mlp 2 x 128", "lstm 32"."""
    if settings.name == "direct":
        return f"mlp {settings.depth} x {settings.width}" if settings.depth else "linear"
    return layer_name(settings.body) if settings.name == "steps" else settings.name
