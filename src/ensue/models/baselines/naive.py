"""Naive, seasonal naive and drift forecasts, with theoretical standard deviations.

Source: Hyndman & Athanasopoulos 2021, "Forecasting: principles and practice", ch. 5.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensue.data.series.panel import Series
from ensue.models.distributions import Normals
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.settings import Settings

History = NDArray[np.float64]
"""Values before the forecast origin, (steps, channels)."""
Steps = NDArray[np.int64]


class NaiveSettings(Settings):
    """Settings of the naive forecast, which has none: it repeats the last value."""

    name: Literal["naive"] = "naive"

    def build(self, sizes: Sizes) -> Naive:
        """Build the model."""
        return Naive(_repeat_value)


class SeasonalNaiveSettings(Settings):
    """Settings of the seasonal naive forecast, which has none: it repeats the last season."""

    name: Literal["seasonal-naive"] = "seasonal-naive"

    def build(self, sizes: Sizes) -> Naive:
        """Build the model."""
        return Naive(_repeat_season, sizes.season)


class DriftSettings(Settings):
    """Settings of drift, which has none: the line from the first value to the last."""

    name: Literal["drift"] = "drift"

    def build(self, sizes: Sizes) -> Naive:
        """Build the model."""
        return Naive(_extrapolate_line)


class Naive(HistoryForecaster):
    """A naive method, with the spread of the changes over a season before each origin."""

    def __init__(self, method: Method, season: int = 1) -> None:
        self.method, self.season = method, season

    def forecast(self, series: Series, origins: NDArray[np.int64], horizon: int) -> Normals:
        """Forecast from each origin."""
        at, ahead = origins[:, None], np.arange(1, horizon + 1)
        mean, growth = self.method(series.values, at, ahead, self.season)
        spread = _past_spreads(series.observed, origins, self.season)
        return Normals(mean, growth[:, :, None] * spread[:, None])


Method = Callable[[History, Steps, Steps, int], tuple[History, NDArray[np.float64]]]
"""Of the values, origins (origins, 1), steps ahead (horizon,) and the season: the mean of each
step, (origins, horizon, channels), and its standard deviation in that of one change, (origins,
horizon)."""


def _repeat_value(values: History, at: Steps, ahead: Steps, _: int) -> Any:
    return values[at - 1 + 0 * ahead], np.sqrt(ahead + 0.0 * at)


def _repeat_season(values: History, at: Steps, ahead: Steps, season: int) -> Any:
    lags = np.minimum(season, at)
    return values[at - lags + (ahead - 1) % lags], np.sqrt((ahead - 1) // lags + 1.0)


def _extrapolate_line(values: History, at: Steps, ahead: Steps, _: int) -> Any:
    count = np.maximum(at - 1, 1)
    slope = (values[at - 1] - values[:1]) / count[:, :, None]
    return values[at - 1] + ahead[:, None] * slope, np.sqrt(ahead * (1 + ahead / count))


def _past_spreads(observed: History, origins: NDArray[np.int64], season: int) -> History:
    """Return the root mean squared change over a season before each origin, (origins, channels)."""
    found = np.zeros((len(origins), observed.shape[1]))
    # Of a history of at most one season the changes from step to step are taken.
    for lag, rows in ((season, origins > season), (1, origins <= season)):
        changes = observed[lag:] - observed[:-lag]
        there = np.isfinite(changes)
        sums, counts = (
            np.concatenate([np.zeros((1, found.shape[1])), one.cumsum(0)])
            for one in (np.where(there, changes, 0.0) ** 2, there)
        )
        at = np.maximum(origins[rows] - lag, 0)
        found[rows] = np.sqrt(sums[at] / np.maximum(counts[at], 1))
    return found


def seasonal_differences(history: History, season: int) -> History:
    """Return seasonal differences, or first differences if the history has at most one season."""
    return (
        history[season:] - history[:-season] if len(history) > season else np.diff(history, axis=0)
    )


def observed_mean(values: History) -> History:
    """Return the mean of each column without NaN, or 0 if a column is all NaN."""
    observed = ~np.isnan(values)
    return np.where(observed, values, 0.0).sum(0) / np.maximum(observed.sum(0), 1)
