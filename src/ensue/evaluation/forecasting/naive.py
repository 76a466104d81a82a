"""The forecasts that cost nothing, with the spread that theory gives them (Hyndman &
Athanasopoulos 2021, ch. 5.5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.forecasting.distributions import Normals

History = NDArray[np.float64]
"""(steps, channels): what was before the first step that is forecast."""


def naive(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Say what was there last; the spread grows as that of a random walk."""
    mean = np.repeat(history[-1:], horizon, axis=0)
    return Normals(mean[None], (spread * np.sqrt(_ahead(horizon)))[None])


def seasonal_naive(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Say what was there a season ago."""
    season = min(season, len(history))
    mean = history[-season:][np.arange(horizon) % season]
    return Normals(mean[None], (spread * np.sqrt((_ahead(horizon) - 1) // season + 1))[None])


def drift(history: History, horizon: int, season: int, spread: History) -> Normals:
    """Go on along the line from the first step to the last."""
    count = max(len(history) - 1, 1)
    ahead = _ahead(horizon)
    mean = history[-1:] + ahead * (history[-1:] - history[:1]) / count
    return Normals(mean[None], (spread * np.sqrt(ahead * (1 + ahead / count)))[None])


def errors_spread(history: History, season: int) -> History:
    """Give the root of the mean squared difference of steps a season apart, (channels,); NaN is
    not measured."""
    return np.sqrt(observed_mean(apart(history, season) ** 2))


def apart(history: History, season: int) -> History:
    """Give the differences of steps a season apart, or of neighbours in a history that is no
    longer than that."""
    return (
        history[season:] - history[:-season] if len(history) > season else np.diff(history, axis=0)
    )


def observed_mean(values: History) -> History:
    """Give the mean of each column over what is not NaN, 0 where nothing is left."""
    there = ~np.isnan(values)
    return np.where(there, values, 0.0).sum(0) / np.maximum(there.sum(0), 1)


def _ahead(horizon: int) -> NDArray[np.float64]:
    return np.arange(1.0, horizon + 1)[:, None]


Simple = Callable[[History, int, int, History], Normals]
SIMPLE: dict[str, Simple] = {"naive": naive, "seasonal naive": seasonal_naive, "drift": drift}
