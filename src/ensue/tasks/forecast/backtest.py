"""Fit in closed form, calibrate intervals, and backtest with or without refitting."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import chain, count, islice
from time import perf_counter

import numpy as np
import torch

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts
from ensue.data.series.windows import WindowFeed, iterate_windows
from ensue.decoding.forecasts import forecast
from ensue.evaluation.forecasting.calibration import get_calibration_origins
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.metrics import non_overlapping
from ensue.models.distributions import Forecast, average, concatenate, select
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.models.quantile_pool import QuantilePool
from ensue.tasks.fitting import Fitted
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.devices import choose_device
from ensue.training.folder.checkpoint import LoopState
from ensue.training.gradient import GradientLearner
from ensue.training.schedules import scale


def fit_closed_form(settings: ForecastSettings, data: SeriesParts) -> Fitted:
    """Fit a model in closed form on the train part, selecting on the validation part."""
    began, inputs = perf_counter(), data.inputs(settings.model)
    model = settings.model.build(Sizes.of(inputs))
    if isinstance(model, HistoryForecaster):
        return Fitted(model, perf_counter() - began, settings=settings)
    parts = (iterate_windows(inputs, data.origins(part)) for part in ("train", "validation"))
    model.fit(*parts)
    selected = (f"{model.selected}: on the validation part",)
    return Fitted(model, perf_counter() - began, selected, settings=settings)


def refit(fitted: Fitted, data: SeriesParts, ends: Sequence[int]) -> Fitted:
    """Refit on everything before a step of each series, `ends`.

    A network is trained from scratch with as many updates; other models keep what was selected.
    """
    settings, origins = fitted.settings, data.origins_before(ends)
    inputs, training = data.inputs(settings.model), settings.training
    if fitted.role == "baseline":
        model = copy(fitted.model)
        model.refit(iterate_windows(inputs, origins))
        return replace(fitted, model=model)
    torch.manual_seed(settings.seed)
    network = settings.model.build(Sizes.of(inputs))
    learner = GradientLearner(network, training, choose_device(training.hardware))
    feed = WindowFeed(inputs, origins, training.batching.batch_size, settings.seed)
    batches = chain.from_iterable(map(feed.epoch, count()))
    for done, batch in enumerate(islice(batches, fitted.updates)):
        learner.update(batch, scale(done, fitted.updates, LoopState().plateau, training.schedule))
    with learner.evaluation_mode():
        averaged = learner.arrays()
    learner.load(averaged)
    return replace(fitted, model=network.eval())


def refit_at_end(fitted: Fitted, data: SeriesParts) -> Fitted:
    """Refit on all steps what was refitted in the backtest, each member of a mixture by itself."""
    if fitted.members:
        members = tuple(refit_at_end(one, data) for one in fitted.members)
        mixture = QuantilePool([one.model for one in members], fitted.model.weights)
        return replace(fitted, members=members, model=mixture)
    if not _get_refit_interval(fitted, data):
        return fitted
    return refit(fitted, data, [len(one) for one in data.panel.series])


def _get_refit_interval(fitted: Fitted, data: SeriesParts) -> int:
    if isinstance(fitted.model, HistoryForecaster):
        return 0  # it is fitted at each origin
    return data.layout.refit if fitted.role == "network" else data.layout.refit_fitted


def calibrate(fitted: Fitted, data: SeriesParts) -> ConformalIntervals:
    """Fit the conformal offsets of intervals on the calibration part, or in a rehearsal.

    Forecasts of filled-in values alone do not count.
    """
    origins, part = data.origins("calibration"), "calibration"
    if not any(one.role == "network" for one in fitted.members or (fitted,)):
        origins, part = get_calibration_origins(data)
    inputs = data.inputs()
    real = non_overlapping(origins[inputs.measured(origins)], data.layout.horizon)
    predicted = walk_forward(fitted, data, origins, part)
    return ConformalIntervals.fit(predicted, inputs.targets(origins), len(real))


def walk_forward(
    fitted: Fitted, data: SeriesParts, origins: Origins, part: str = "test"
) -> Forecast:
    """Forecast a part from origin to origin; in the test and its rehearsal, refit on the way."""
    if fitted.members:
        parts = [walk_forward(one, data, origins, part) for one in fitted.members]
        return average(parts, fitted.model.weigh(data.layout.horizon))
    every = _get_refit_interval(fitted, data)
    if not every or part not in ("test", "rehearsal"):
        return _forecast(fitted, data, origins)
    refits = data.refits(origins, part, every)
    parts = [_forecast(refit(fitted, data, ends), data, origins[rows]) for ends, rows in refits]
    order = np.argsort(np.concatenate([rows for _, rows in refits]))
    return select(concatenate(parts), order)


def _forecast(fitted: Fitted, data: SeriesParts, origins: Origins) -> Forecast:
    """Forecast; those of models that are fitted at each origin are kept, since a mixture needs them
    again."""
    settings, key = fitted.settings, (fitted.model, origins.tobytes())
    if key in data.forecasts:
        return data.forecasts[key]
    sampling = {"seed": settings.seed, "paths": settings.sample_paths}
    found = forecast(fitted.model, data.inputs(), origins, **sampling)
    if isinstance(fitted.model, HistoryForecaster):
        data.forecasts[key] = found
    return found


def count_refits(data: SeriesParts) -> int:
    """Count the refits of a network: those of the backtest, and the last one on all steps."""
    every = data.layout.refit
    return len(data.refits(data.origins("test"), "test", every)) + 1 if every else 0
