"""Features of a window, for models that see them all at once: lags, means, spreads, the calendar, and what is beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.models.forecasting.contract import Sizes

Array = NDArray[Any]
Fields = Mapping[str, Array]
"""The fields of a batch, as `Inputs.arrays` gives them."""


def window_features(fields: Fields, sizes: Sizes) -> Array:
    """Give a row for each channel of each window, (batch * channels, features).

    Of each window: its scaled values; the mean and the spread of its last 3 steps, season and two seasons, as far as
    it reaches; known columns of the whole horizon, the calendar among them; past and static columns.
    """
    past = np.moveaxis(fields["past"], 2, 1)
    spans = sorted({span for span in (3, sizes.season, 2 * sizes.season) if 1 < span < sizes.window})
    ends = [past[:, :, -span:] for span in spans]
    of_window = [past, *(end.mean(2, keepdims=True) for end in ends), *(end.std(2, keepdims=True) for end in ends)]
    rows = len(past)
    known = fields["known"][:, sizes.window : sizes.window + sizes.horizon].reshape(rows, -1)
    beside = np.concatenate([known, fields["covariate"].reshape(rows, -1), fields["static"]], 1)
    every = np.repeat(beside[:, None], past.shape[1], axis=1)
    whole = np.concatenate([*of_window, every], 2)
    return whole.reshape(-1, whole.shape[2])


def window_targets(fields: Fields) -> Array:
    """Give the scaled targets in the same order, (batch * channels, horizon)."""
    target = np.moveaxis(fields["target"], 2, 1)
    return target.reshape(-1, target.shape[2])


def by_channel(rows: Array, channels: int) -> Array:
    """Put rows of forecasts (batch * channels, horizon) back as (batch, horizon, channels)."""
    return np.moveaxis(rows.reshape(-1, channels, rows.shape[1]), 1, 2)
