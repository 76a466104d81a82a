"""Forecast from any origins with any model, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np
import torch
from torch import nn

from ensue.data.series.backtest import Origins
from ensue.data.series.windows import WindowGatherer
from ensue.decoding.paths import draws, sample_paths
from ensue.evaluation.forecasting.distributions import Forecast, Normals, Sampled, concatenate
from ensue.models.contract import Predictor
from ensue.models.forecaster_contract import Forecasting
from ensue.models.parameters import get_device
from ensue.training.devices import to_device

BATCH_SIZE = 1024
"""Origins that are computed at once."""
MAX_DRAWS = 4_000_000
"""Sampled numbers that are computed at once; it bounds the memory of sample paths."""


def forecast(
    model: Predictor, inputs: WindowGatherer, origins: Origins, *, seed: int, paths: int
) -> Forecast:
    """Forecast from each origin, in units of the data; `paths` are sampled where needed."""
    assert isinstance(model, Forecasting)
    if isinstance(model, nn.Module):
        model.eval()
    return concatenate(
        [
            _forecast_batch(model, inputs, part, seed, paths)
            for part in _split_batches(inputs, origins, paths)
        ]
    )


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
    batch = to_device(inputs.batch(origins), get_device(model))
    with torch.no_grad():
        exact = model.normal(batch)
    if exact is not None:
        mean, spread = (one.double().cpu().numpy() for one in exact)
        return Normals(mean * scale + loc, spread * scale)
    names = [inputs.panel.series[number].name for number in origins[:, 0]]
    uniforms = draws(seed, names, origins[:, 1], paths, inputs.values.shape[1])
    lower_bound = getattr(getattr(model, "head", None), "lower_bound", -inf)
    return Sampled.of(sample_paths(model, batch, uniforms) * scale[None] + loc[None], lower_bound)


def non_overlapping(origins: Origins, horizon: int) -> list[int]:
    """Choose as many rows as possible whose forecasts do not overlap within a series.

    >>> non_overlapping(np.array([(0, 5), (0, 6), (0, 9), (1, 5)]), 4)
    [0, 2, 3]
    """
    rows: list[int] = []
    for row in np.lexsort(origins.T[::-1]).tolist():
        number, step = origins[row]
        if not rows or origins[rows[-1]][0] != number or step >= origins[rows[-1]][1] + horizon:
            rows.append(row)
    return rows


def number_blocks(origins: Origins, horizon: int) -> np.ndarray:
    """Number the blocks of overlapping forecasts, each a horizon of origins of one series.

    Origins after the last full block belong to it. Metrics are resampled by block, since forecasts
    that overlap are not independent.
    """
    begins = np.full(int(origins[:, 0].max()) + 1, np.iinfo(np.int64).max)
    ends = np.zeros_like(begins)
    np.minimum.at(begins, origins[:, 0], origins[:, 1])
    np.maximum.at(ends, origins[:, 0], origins[:, 1] + 1)
    most = np.maximum((ends - begins) // horizon, 1)[origins[:, 0]]
    block = np.minimum((origins[:, 1] - begins[origins[:, 0]]) // horizon, most - 1)
    return np.unique(np.stack([origins[:, 0], block], 1), axis=0, return_inverse=True)[1].reshape(
        -1
    )
