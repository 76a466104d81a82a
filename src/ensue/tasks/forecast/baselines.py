"""Baselines that forecast from the whole past of a series: naive methods and statsforecast's."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.distributions import Forecast, Quantiled, concatenate
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.settings import Settings
from ensue.tasks.fitting import OutOfTimeError
from ensue.tasks.forecast.data import Prepared

STATISTICAL = {"ets": "AutoETS", "theta": "AutoTheta", "arima": "AutoARIMA"}
LEVELS = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
_PER_CENT = (20, 40, 60, 80, 95)
"""Central intervals whose ends are the quantiles LEVELS, since statsforecast gives intervals."""


class OriginBaseline(Settings):
    """A baseline that is fitted at each origin, on all steps before it; it makes no run."""

    @abstractmethod
    def forecast(self, data: Prepared, origins: Origins) -> Forecast:
        """Forecast from each origin. Raises OutOfTimeError."""


class NaiveSettings(OriginBaseline):
    """A naive method."""

    name: str

    def forecast(self, data: Prepared, origins: Origins) -> Forecast:
        """Forecast from each origin, with the spread of the changes before the test."""
        horizon, forecast = data.layout.horizon, SIMPLE[self.name]
        season = data.layout.season if self.name == "seasonal naive" else 1
        spreads = data.step_spreads(np.unique(origins[:, 0]).tolist(), season)
        parts = []
        for number, origin in origins:
            history = data.panel.series[number].values[:origin]
            parts.append(forecast(history, horizon, season, spreads[number]))
        return concatenate(parts)


class StatisticalSettings(OriginBaseline):
    """A model of statsforecast, which selects its own form at each origin."""

    name: str
    time_limit: float
    """Time limit, in seconds."""

    def forecast(self, data: Prepared, origins: Origins) -> Forecast:
        """Forecast from each origin with a freshly fitted model. Raises OutOfTimeError."""
        from statsforecast import models

        began, layout = perf_counter(), data.layout
        means, quantiles = [], []
        for done, (number, origin) in enumerate(origins):
            if (spent := perf_counter() - began) > self.time_limit:
                what = f"stopped after {spent:.0f} s, at {done:,} of {len(origins):,} forecasts"
                raise OutOfTimeError(f"{what} (increase --minutes or --set baselines.time_limit)")
            channels = [
                _forecast_one(
                    getattr(models, self.name)(season_length=layout.season), one, layout.horizon
                )
                for one in data.panel.series[number].values[:origin].T
            ]
            means.append(np.stack([mean for mean, _ in channels], 1))
            quantiles.append(np.stack([values for _, values in channels], 2))
        return Quantiled(np.stack(means), LEVELS, np.stack(quantiles, 1))


def is_installed() -> bool:
    """Check whether statsforecast is installed."""
    return find_spec("statsforecast") is not None


def _forecast_one(model: Any, history: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast one channel: the mean (horizon,) and the quantiles (levels, horizon)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = model.forecast(y=history.astype(np.float64), h=horizon, level=list(_PER_CENT))
    mean = np.asarray(found["mean"], np.float64)
    low = [found[f"lo-{per_cent}"] for per_cent in reversed(_PER_CENT)]
    high = [found[f"hi-{per_cent}"] for per_cent in _PER_CENT]
    return mean, np.stack([*low, mean, *high]).astype(np.float64)
