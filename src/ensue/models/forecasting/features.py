"""Features of a window, for models that see all of it at once: lags, means, spreads, the calendar, what is beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.models.forecasting.contract import Sizes

Array = NDArray[Any]
LIMIT = 3.0
"""Spreads from the mean of a window beyond which its values count as so many: one jump would outweigh all the rest."""

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
    whole = np.concatenate([np.clip(np.concatenate(of_window, 2), -LIMIT, LIMIT), every], 2)
    return whole.reshape(-1, whole.shape[2])


def window_targets(fields: Fields) -> Array:
    """Give the scaled targets in the same order, (batch * channels, horizon)."""
    target = np.moveaxis(fields["target"], 2, 1)
    return target.reshape(-1, target.shape[2])


def anchors(fields: Fields, sizes: Sizes) -> dict[str, Array]:
    """Give the forecasts that a model may begin from, (batch * channels, horizon) each.

    The mean of the window, its last value, and, where there are seasons, the values of the last one.
    """
    past = np.moveaxis(fields["past"], 2, 1)
    past = past.reshape(-1, past.shape[2])
    found = {"mean": np.zeros((len(past), sizes.horizon)), "last": np.repeat(past[:, -1:], sizes.horizon, axis=1)}
    if 1 < sizes.season <= sizes.window:
        found["season"] = past[:, sizes.window - sizes.season + np.arange(sizes.horizon) % sizes.season]
    return found


def by_channel(rows: Array, channels: int) -> Array:
    """Put rows of forecasts (batch * channels, horizon) back as (batch, horizon, channels)."""
    return np.moveaxis(rows.reshape(-1, channels, rows.shape[1]), 1, 2)
