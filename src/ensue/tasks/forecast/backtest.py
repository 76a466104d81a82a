"""Walk forward from origin to origin, with a model that is refitted on the way, or not."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts
from ensue.data.series.windows import WindowFeed, iterate_windows
from ensue.decoding.forecasts import forecast
from ensue.models.distributions import Forecast, average, concatenate, select
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.models.quantile_pool import QuantilePool
from ensue.tasks.fitting import Fitted
from ensue.training.gradient import train_again


def walk_forward(
    fitted: Fitted, data: SeriesParts, origins: Origins, part: str = "test"
) -> Forecast:
    """Forecast a part from origin to origin; in the test and its rehearsal, refit on the way."""
    if fitted.members:
        parts = [walk_forward(one, data, origins, part) for one in fitted.members]
        return average(parts, fitted.model.weigh(data.layout.horizon))

    def forecast_with(model: Any, rows: Any = slice(None)) -> Forecast:
        seed, paths = fitted.settings.seed, fitted.settings.sample_paths
        return forecast(model, data.inputs(), origins[rows], seed=seed, paths=paths)

    every = _get_refit_interval(fitted, data)
    if not every or part not in ("test", "rehearsal"):
        return forecast_with(fitted.model)
    refits = data.refits(origins, part, every)
    parts = [forecast_with(refit(fitted, data, ends).model, rows) for ends, rows in refits]
    order = np.argsort(np.concatenate([rows for _, rows in refits]))
    return select(concatenate(parts), order)


def refit_at_end(fitted: Fitted, data: SeriesParts) -> Fitted:
    """Refit on all steps what was refitted in the backtest, each member of a mixture by itself."""
    if fitted.members:
        members = tuple(refit_at_end(one, data) for one in fitted.members)
        mixture = QuantilePool([one.model for one in members], fitted.model.weights)
        return replace(fitted, members=members, model=mixture)
    if not _get_refit_interval(fitted, data):
        return fitted
    return refit(fitted, data, [len(one) for one in data.panel.series])


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
    feed = WindowFeed(inputs, origins, training.batching.batch_size, settings.seed)
    train_again(network, feed, fitted.updates, training)
    return replace(fitted, model=network)


def _get_refit_interval(fitted: Fitted, data: SeriesParts) -> int:
    if isinstance(fitted.model, HistoryForecaster):
        return 0  # it is fitted at each origin
    return data.layout.refit if fitted.role == "network" else data.layout.refit_fitted
