"""Fit in closed form, calibrate intervals, and backtest with or without refitting."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts, get_scaling
from ensue.data.series.windows import WindowFeed, iterate_windows
from ensue.decoding.forecasts import forecast
from ensue.evaluation.forecasting.calibration import get_calibration_origins
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.metrics import (
    non_overlapping,
)
from ensue.models.distributions import Forecast, average, concatenate, select
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.models.names import is_network
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
    model = settings.model.build(Sizes.of(data.inputs()))
    if isinstance(model, HistoryForecaster):
        return Fitted(model, perf_counter() - began, settings=settings)
    model.fit(
        iterate_windows(inputs, data.origins("train")),
        iterate_windows(inputs, data.origins("validation")),
    )
    selected = (f"{model.selected}: on the validation part",)
    return Fitted(model, perf_counter() - began, selected, settings=settings)


def refit(fitted: Fitted, data: SeriesParts, ends: Sequence[int]) -> Fitted:
    """Refit on everything before a step of each series, `ends`.

    A network is trained from scratch with as many updates; other models keep what was selected.
    """
    settings, origins = fitted.settings, data.origins_before(ends)
    inputs, training = data.inputs(settings.model), settings.training
    if isinstance(fitted.model, HistoryForecaster):
        return fitted
    if not is_network(settings.model):
        model = copy(fitted.model)
        model.refit(iterate_windows(inputs, origins))
        return replace(fitted, model=model)
    torch.manual_seed(settings.seed)
    network = settings.model.build(Sizes.of(data.inputs()))
    learner = GradientLearner(network, training, choose_device(training.hardware))
    feed = WindowFeed(inputs, origins, training.batching.batch_size, settings.seed)
    done = 0
    while done < fitted.updates:
        for batch in feed.epoch(*divmod(done, len(feed))):
            learner.update(
                batch, scale(done, fitted.updates, LoopState().plateau, training.schedule)
            )
            done += 1
            if done == fitted.updates:
                break
    with learner.evaluation_mode():
        averaged = learner.arrays()
    learner.load(averaged)
    return replace(fitted, model=network.eval())


def mix(members: Sequence[Fitted], weights: NDArray[np.float64] | None) -> QuantilePool:
    """Make the mixture of several forecasters."""
    scalings = [get_scaling(one.settings.model) for one in members]
    return QuantilePool([one.model for one in members], weights, scalings)


def refit_at_end(fitted: Fitted, data: SeriesParts) -> Fitted:
    """Refit on all steps what was refitted in the backtest, each member of a mixture by itself."""
    if fitted.members:
        members = tuple(refit_at_end(one, data) for one in fitted.members)
        return replace(fitted, members=members, model=mix(members, fitted.model.weights))
    if not _get_refit_interval(fitted, data):
        return fitted
    return refit(fitted, data, [len(one) for one in data.panel.series])


def _get_refit_interval(fitted: Fitted, data: SeriesParts) -> int:
    layout = data.layout
    return layout.refit if fitted.role == "network" else layout.refit_fitted


def calibrate(fitted: Fitted, data: SeriesParts) -> ConformalIntervals:
    """Fit the conformal offsets of intervals on the calibration part.

    If that part is short and the model is refitted during the backtest, the calibration also uses
    a rehearsal: a backtest of the later half of the time before the test. It leaves out the
    validation part, on which the model was selected. Forecasts of filled-in values alone do not
    count.
    """
    origins, horizon, part = data.origins("calibration"), data.layout.horizon, ""
    if not any(one.role == "network" for one in fitted.members or (fitted,)):
        origins, part = get_calibration_origins(data)
    predicted = (
        walk_forward(fitted, data, origins, part) if part else forecast_once(fitted, data, origins)
    )
    inputs = data.inputs()
    real = non_overlapping(origins[inputs.measured(origins)], horizon)
    return ConformalIntervals.fit(predicted, inputs.targets(origins), len(real))


def forecast_once(fitted: Fitted, data: SeriesParts, origins: Origins) -> Forecast:
    """Forecast; those of models that are fitted at each origin are kept, since a mixture needs them
    again."""
    settings, key = fitted.settings, (fitted.model, origins.tobytes())
    if key in data.forecasts:
        return data.forecasts[key]
    sampling = {"seed": settings.seed, "paths": settings.sample_paths}
    found = forecast(fitted.model, data.inputs(settings.model), origins, **sampling)
    if isinstance(fitted.model, HistoryForecaster):
        data.forecasts[key] = found
    return found


def walk_forward(
    fitted: Fitted, data: SeriesParts, origins: Origins, part: str = "test"
) -> Forecast:
    """Forecast a part from origin to origin, refitting as often as the layout says."""
    layout = data.layout
    if fitted.members:
        parts = [walk_forward(one, data, origins, part) for one in fitted.members]
        return average(parts, fitted.model.weigh(layout.horizon))
    every = _get_refit_interval(fitted, data)
    if not every or isinstance(fitted.model, HistoryForecaster):
        return forecast_once(fitted, data, origins)
    refits = data.number_refits(origins, part, every * layout.stride)
    parts, rows = [], []
    for number in np.unique(refits):
        ends = data.refit_ends(part, int(number), every * layout.stride)
        rows.append(np.flatnonzero(refits == number))
        parts.append(forecast_once(refit(fitted, data, ends), data, origins[rows[-1]]))
    return select(concatenate(parts), np.argsort(np.concatenate(rows), kind="stable"))


def count_refits(data: SeriesParts) -> int:
    """Count the refits of a network: those of the backtest, and the last one on all steps."""
    layout, origins = data.layout, data.origins("test")
    if not layout.refit:
        return 0
    return len(np.unique(data.number_refits(origins, "test", layout.refit * layout.stride))) + 1
