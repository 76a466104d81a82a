"""Forecast from any origins with any model, in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from ensue.data.series.backtest import Origins
from ensue.data.series.windows import WindowGatherer
from ensue.decoding.paths import draws, sample_paths
from ensue.models.contract import Predictor
from ensue.models.distributions import Forecast, Normals, Sampled, average, concatenate, select
from ensue.models.forecaster_contract import Forecasting, HistoryForecaster
from ensue.models.parameters import get_device
from ensue.models.quantile_pool import QuantilePool

BATCH_SIZE = 1024
"""Origins that are computed at once."""
MAX_DRAWS = 4_000_000
"""Sampled numbers that are computed at once; it bounds the memory of sample paths."""


def forecast(
    model: Predictor | HistoryForecaster | QuantilePool,
    inputs: WindowGatherer,
    origins: Origins,
    *,
    seed: int,
    paths: int,
) -> Forecast:
    """Forecast from each origin, in units of the data; `paths` are sampled where needed."""
    if isinstance(model, QuantilePool):
        parts = [forecast(one, inputs, origins, seed=seed, paths=paths) for one in model.members]
        return average(parts, model.weigh(inputs.layout.horizon))
    if isinstance(model, HistoryForecaster):
        # A mixture needs the forecasts of its members again, and each is a fit.
        key = model, origins.tobytes()
        if key not in inputs.forecasts:
            inputs.forecasts[key] = _forecast_histories(model, inputs, origins)
        return inputs.forecasts[key]
    assert isinstance(model, Forecasting)
    inputs = inputs.rescaled(model.scaling)
    if isinstance(model, nn.Module):
        model.eval()
    return concatenate(
        [
            _forecast_batch(model, inputs, part, seed, paths)
            for part in _split_batches(inputs, origins, paths)
        ]
    )


def _forecast_histories(
    model: HistoryForecaster, inputs: WindowGatherer, origins: Origins
) -> Forecast:
    order, parts = np.lexsort(origins.T[::-1]), []
    for number in np.unique(origins[:, 0]):
        steps = origins[order, 1][origins[order, 0] == number]
        parts.append(model.forecast(inputs.panel.series[number], steps, inputs.layout.horizon))
    return select(concatenate(parts), np.argsort(order))


def _split_batches(inputs: WindowGatherer, origins: Origins, paths: int) -> Iterator[Origins]:
    channels = inputs.values.shape[1]
    draws_per_origin = paths * channels * (inputs.layout.horizon + inputs.layout.window)
    rows = min(BATCH_SIZE, max(MAX_DRAWS // draws_per_origin, 1))
    for begin in range(0, len(origins), rows):
        yield origins[begin : begin + rows]


def _forecast_batch(
    model: Forecasting, inputs: WindowGatherer, origins: Origins, seed: int, paths: int
) -> Forecast:
    fields = inputs.arrays(origins)
    loc, scale = fields["loc"][:, None], fields["scale"][:, None]
    device = get_device(model)
    batch = inputs.batch(origins).map(lambda array: torch.tensor(array, device=device))
    with torch.no_grad():
        exact = model.normal(batch)
    if exact is not None:
        mean, spread = (one.double().cpu().numpy() for one in exact)
        return Normals(mean * scale + loc, spread * scale)
    names = [inputs.panel.series[number].name for number in origins[:, 0]]
    uniforms = draws(seed, names, origins[:, 1], paths, inputs.values.shape[1])
    paths_drawn = sample_paths(model, batch, uniforms) * scale[None] + loc[None]
    return Sampled.of(paths_drawn, model.lower_bound)
