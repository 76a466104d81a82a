"""Fit in closed form, calibrate intervals, and backtest with or without refitting."""

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
from ensue.evaluation.scores import Role
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import forecast, non_overlapping
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.devices import choose_device
from ensue.training.folder.checkpoint import LoopState
from ensue.training.gradient import GradientLearner
from ensue.training.schedules import scale
from ensue.training.settings import TrainingSettings

CHUNK = 4096
"""Windows that are gathered at once, which bounds memory."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model, with what is needed to fit it again."""

    model: Any
    settings: Any
    inputs: WindowGatherer
    seconds: float
    how: str
    """What was selected on which part, in words."""
    updates: int = 0
    """Updates after which the validation loss of a network was lowest."""
    training: TrainingSettings | None = None
    """None for a model that was fitted in closed form."""

    @property
    def role(self) -> Role:
        """The role in the ranking: a network, or a baseline that was fitted in closed form."""
        return "network" if isinstance(self.model, nn.Module) else "baseline"


def build_model(settings: Any, prepared: Prepared) -> tuple[Any, WindowGatherer]:
    """Build a model and its input windows.

    Raises DataError where the head needs counts, and a value is none.
    """
    inputs = prepared.inputs("standard")
    model = settings.build(prepared.sizes(inputs))
    if getattr(getattr(model, "head", None), "scaling", inputs.scaling) == inputs.scaling:
        return model, inputs
    for one in prepared.panel.series:
        if len(bad := np.argwhere((one.values < 0) | (one.values != np.round(one.values)))):
            value, time = one.values[tuple(bad[0])], format_time(one.times[bad[0][0]])
            hint = "give counts, or another head, such as --set model.head=student"
            what = f"{value:g} at {time} is not a count, which the head needs"
            raise DataError(what, where=one.name, hint=hint)
    return model, prepared.inputs("level")


def fit_closed_form(settings: Any, prepared: Prepared) -> Fitted:
    """Fit a model in closed form on the train part, selecting on the validation part."""
    began = perf_counter()
    model, inputs = build_model(settings, prepared)
    model.fit(
        iterate_windows(inputs, prepared.origins("train")),
        iterate_windows(inputs, prepared.origins("validation")),
    )
    return Fitted(
        model, settings, inputs, perf_counter() - began, f"{model.selected}: on the validation part"
    )


def iterate_windows(inputs: WindowGatherer, origins: Origins) -> Callable[[], Iterator[Any]]:
    """Make an iterator over the windows of origins, in chunks; each call starts again."""
    # A horizon of filled-in values alone has no measurement to learn from.
    real = origins[inputs.measured(origins)] if inputs.filled.any() else origins

    def iterate() -> Iterator[Any]:
        for begin in range(0, len(real), CHUNK):
            yield inputs.arrays(real[begin : begin + CHUNK])

    return iterate


def refit(fitted: Fitted, prepared: Prepared, seed: int, ends: Sequence[int]) -> Fitted:
    """Refit on everything before a step of each series, `ends`.

    A network is trained from scratch with as many updates; other models keep what was selected.
    """
    layout = prepared.layout
    pairs = [
        (number, step)
        for number, end in enumerate(ends)
        for step in range(layout.min_context, end - layout.horizon + 1)
    ]
    origins = np.array(pairs, np.int64).reshape(-1, 2)
    if fitted.training is None:
        model = copy(fitted.model)
        model.refit(iterate_windows(fitted.inputs, origins))
        return replace(fitted, model=model)
    torch.manual_seed(seed)
    network, _ = build_model(fitted.settings, prepared)
    learner = GradientLearner(network, fitted.training, choose_device(fitted.training.hardware))
    feed = WindowFeed(fitted.inputs, origins, fitted.training.batching.batch_size, seed)
    done = 0
    while done < fitted.updates:
        for batch in feed.epoch(*divmod(done, len(feed))):
            learner.update(
                batch, scale(done, fitted.updates, LoopState().plateau, fitted.training.schedule)
            )
            done += 1
            if done == fitted.updates:
                break
    with learner.evaluation_mode():
        averaged = learner.arrays()
    learner.load(averaged)
    return replace(fitted, model=network.eval())


def calibrate(fitted: Fitted, prepared: Prepared, settings: ForecastSettings) -> ConformalIntervals:
    """Fit the conformal offsets of intervals on the calibration part.

    If that part is short and the model is refitted during the backtest, the calibration also uses
    a rehearsal: a backtest of the later half of the time before the test. It leaves out the
    validation part, on which the model was selected.
    """
    origins = prepared.origins("calibration")
    if (
        len(non_overlapping(origins, prepared.layout.horizon)) < FEW
        and fitted.training is None
        and prepared.layout.refit_fitted
    ):
        rehearsed = _choose_rehearsal(prepared, origins)
        if len(rehearsed):
            return _fit_offsets(
                fitted,
                walk_forward(fitted, prepared, settings, rehearsed, "rehearsal"),
                rehearsed,
            )
    predicted = forecast(
        fitted.model, fitted.inputs, origins, seed=settings.seed, paths=settings.sample_paths
    )
    return _fit_offsets(fitted, predicted, origins)


def _fit_offsets(fitted: Fitted, predicted: Forecast, origins: Origins) -> ConformalIntervals:
    """Fit conformal offsets; forecasts of filled-in values alone do not count."""
    real = origins[fitted.inputs.measured(origins)]
    return ConformalIntervals.fit(
        predicted,
        fitted.inputs.targets(origins),
        len(non_overlapping(real, fitted.inputs.layout.horizon)),
    )


def _choose_rehearsal(prepared: Prepared, calibration: Origins) -> Origins:
    """Choose origins of the rehearsal and the calibration part, without the validation part.

    Before each of them some series has a full window to fit on.
    """
    validation = {*map(tuple, prepared.origins("validation").tolist())}
    rehearsal = [
        one for one in prepared.origins("rehearsal").tolist() if tuple(one) not in validation
    ]
    origins = np.array(
        sorted({*map(tuple, rehearsal), *map(tuple, calibration.tolist())}), np.int64
    ).reshape(-1, 2)
    steps = prepared.layout.refit_fitted * prepared.layout.stride
    refits = _number_refits(prepared, origins, "rehearsal", steps)
    min_length = prepared.layout.min_context + prepared.layout.horizon
    possible = [
        number
        for number in np.unique(refits)
        if max(_get_ends(prepared, "rehearsal", int(number), steps)) >= min_length
    ]
    return origins[np.isin(refits, possible)]


def walk_forward(
    fitted: Fitted,
    prepared: Prepared,
    settings: ForecastSettings,
    origins: Origins,
    part: str = "test",
) -> Forecast:
    """Forecast a part from origin to origin, refitting as often as the layout says."""
    layout = prepared.layout
    every = layout.refit_fitted if fitted.training is None else layout.refit
    sampling = {"seed": settings.seed, "paths": settings.sample_paths}
    if not every:
        return forecast(fitted.model, fitted.inputs, origins, **sampling)
    refits = _number_refits(prepared, origins, part, every * layout.stride)
    parts, rows = [], []
    for number in np.unique(refits):
        ends = _get_ends(prepared, part, int(number), every * layout.stride)
        refitted = refit(fitted, prepared, settings.seed, ends)
        rows.append(np.flatnonzero(refits == number))
        parts.append(forecast(refitted.model, refitted.inputs, origins[rows[-1]], **sampling))
    return select(concatenate(parts), np.argsort(np.concatenate(rows), kind="stable"))


def count_refits(prepared: Prepared) -> int:
    """Count the refits of a network: those of the backtest, and the last one on all steps."""
    layout, origins = prepared.layout, prepared.origins("test")
    if not layout.refit:
        return 0
    return (
        len(np.unique(_number_refits(prepared, origins, "test", layout.refit * layout.stride))) + 1
    )


def _number_refits(prepared: Prepared, origins: Origins, part: str, steps: int) -> np.ndarray:
    """Number the refit that each origin belongs to: one every `steps` steps of its own series."""
    return (origins[:, 1] - np.array(prepared.ends(part))[origins[:, 0]]) // steps


def _get_ends(prepared: Prepared, part: str, number: int, steps: int) -> list[int]:
    """Get the step of each series that the training data of a refit ends at.

    It is at most the end of the series; in a rehearsal, at most the begin of its test.
    """
    limits = (
        prepared.ends("test")
        if part == "rehearsal"
        else [len(one) for one in prepared.panel.series]
    )
    begins = prepared.ends(part)
    return [min(begin + number * steps, limit) for begin, limit in zip(begins, limits, strict=True)]
