"""Naive, seasonal naive and drift forecasts, with theoretical standard deviations.

Source: Hyndman & Athanasopoulos 2021, "Forecasting: principles and practice", ch. 5.5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.forecasting.distributions import Normals

History = NDArray[np.float64]
"""Values before the forecast origin, (steps, channels)."""


def naive(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Repeat the last value; the spread grows as that of a random walk."""
    mean = np.repeat(history[-1:], horizon, axis=0)
    return Normals(mean[None], (spread * np.sqrt(_ahead(horizon)))[None])


def seasonal_naive(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Repeat the value of one season before."""
    season = min(season, len(history))
    mean = history[-season:][np.arange(horizon) % season]
    return Normals(mean[None], (spread * np.sqrt((_ahead(horizon) - 1) // season + 1))[None])


def drift(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Extrapolate the line from the first value to the last."""
    count = max(len(history) - 1, 1)
    ahead = _ahead(horizon)
    mean = history[-1:] + ahead * (history[-1:] - history[:1]) / count
    return Normals(mean[None], (spread * np.sqrt(ahead * (1 + ahead / count)))[None])


def errors_spread(history: History, season: int) -> History:
    """Return the root mean squared seasonal difference, (channels,); NaN values are missing."""
    return np.sqrt(observed_mean(seasonal_differences(history, season) ** 2))


def seasonal_differences(history: History, season: int) -> History:
    """Return seasonal differences, or first differences if the history has at most one season."""
    return (
        history[season:] - history[:-season] if len(history) > season else np.diff(history, axis=0)
    )


def observed_mean(values: History) -> History:
    """Return the mean of each column without NaN, or 0 if a column is all NaN."""
    observed = ~np.isnan(values)
    return np.where(observed, values, 0.0).sum(0) / np.maximum(observed.sum(0), 1)


def _ahead(horizon: int) -> NDArray[np.float64]:
    return np.arange(1.0, horizon + 1)[:, None]


Simple = Callable[[History, int, int, History], Normals]
SIMPLE: dict[str, Simple] = {"naive": naive, "seasonal naive": seasonal_naive, "drift": drift}
