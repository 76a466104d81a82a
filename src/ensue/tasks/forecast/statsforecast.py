"""AutoETS, AutoTheta and AutoARIMA of statsforecast, refitted at each origin."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.distributions import Forecast, Quantiled
from ensue.tasks.forecast.data import Prepared

MODELS = {"ets": "AutoETS", "theta": "AutoTheta", "arima": "AutoARIMA"}
LEVELS = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
_PER_CENT = (20, 40, 60, 80, 95)
"""Central intervals whose ends are the quantiles LEVELS, since statsforecast gives intervals."""


def is_installed() -> bool:
    """Check whether statsforecast is installed."""
    return find_spec("statsforecast") is not None


def forecast_automatic(
    name: str, prepared: Prepared, origins: Origins, seconds: float
) -> tuple[Forecast | None, float, int]:
    """Forecast from each origin with a freshly fitted model.

    Returns the forecasts, the seconds that passed and how many forecasts were made. The forecasts
    are None if the time limit `seconds` was exceeded.
    """
    from statsforecast import models

    began = perf_counter()
    model = getattr(models, MODELS[name])

    def make() -> Any:
        return model(season_length=prepared.layout.season)

    means, quantiles = [], []
    for done, (number, origin) in enumerate(origins):
        if perf_counter() - began > seconds:
            return None, perf_counter() - began, done
        history = prepared.panel.series[number].values[:origin]
        channels = [_forecast_one(make(), one, prepared.layout.horizon) for one in history.T]
        means.append(np.stack([mean for mean, _ in channels], 1))
        quantiles.append(np.stack([values for _, values in channels], 2))
    forecast = Quantiled(np.stack(means), LEVELS, np.stack(quantiles, 1))
    return forecast, perf_counter() - began, len(origins)


def _forecast_one(model: Any, history: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast one channel: the mean (horizon,) and the quantiles (levels, horizon)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = model.forecast(y=history.astype(np.float64), h=horizon, level=list(_PER_CENT))
    mean = np.asarray(found["mean"], np.float64)
    low = [found[f"lo-{per_cent}"] for per_cent in reversed(_PER_CENT)]
    high = [found[f"hi-{per_cent}"] for per_cent in _PER_CENT]
    return mean, np.stack([*low, mean, *high]).astype(np.float64)
