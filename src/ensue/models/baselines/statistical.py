"""Models of statsforecast, fitted to the whole past of a series: ETS, Theta, ARIMA.

Each selects its own form when it is fitted (Hyndman & Khandakar 2008; Fiorucci et al. 2016).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.series.panel import Series
from ensue.errors import SettingError
from ensue.models.baselines.naive import NaiveSettings
from ensue.models.distributions import Quantiled
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.settings import Settings

LEVELS = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
_PER_CENT = [20, 40, 60, 80, 95]
"""Central intervals whose ends are the quantiles LEVELS, since statsforecast gives intervals."""
INSTALL = "install it with: pip install 'ensue[series]'"
LEAST, MOST = 1e-3, 1e9
"""Mean sizes of numbers that are not divided."""
WARM_UP = 50
"""Steps of the fit before the one that is timed: some versions compile at the first."""


class StatisticalSettings(Settings):
    """What the models of statsforecast share."""

    plans_time: ClassVar[bool] = True
    library_name: ClassVar[str]

    time_limit: float = Field(0.0, ge=0)
    """Time limit of all fits, in seconds; where it is too short, the model is fitted at fewer
    origins of the backtest. 0 is most of --minutes."""
    every: int = Field(0, ge=0)
    """Fit at one in so many origins of each series; 0 plans it by the time limit."""

    def build(self, sizes: Sizes) -> Statistical:
        """Build the model."""
        return Statistical(self.library_name, sizes, self.every or 1)


class ETSSettings(StatisticalSettings):
    """Settings of exponential smoothing, which has none: AutoETS of statsforecast."""

    name: Literal["ets"] = "ets"
    library_name: ClassVar[str] = "AutoETS"


class ThetaSettings(StatisticalSettings):
    """Settings of the Theta method, which has none: AutoTheta of statsforecast."""

    name: Literal["theta"] = "theta"
    library_name: ClassVar[str] = "AutoTheta"


class ARIMASettings(StatisticalSettings):
    """Settings of ARIMA, which has none: AutoARIMA of statsforecast."""

    name: Literal["arima"] = "arima"
    library_name: ClassVar[str] = "AutoARIMA"


class Statistical(HistoryForecaster):
    """A model of statsforecast, fitted to each channel alone.

    Between two fits, `every` origins apart, it forecasts with the parameters of the earlier one.
    """

    def __init__(self, library_name: str, sizes: Sizes, every: int) -> None:
        self.library_name, self.sizes, self.every = library_name, sizes, every

    def plan(self, longest: Series, counts: NDArray[np.int64], seconds: float, every: int) -> Plan:
        """Choose how often to fit, such that all forecasts take `seconds` where that is possible.

        One fit of the longest series tells. `counts` are the origins of each series in each part.
        With `every` it is chosen already.
        """
        values, times, channels = _rescale(longest.values[:, 0])[0], [], longest.values.shape[1]
        for steps in (values[-WARM_UP:], values):
            began = perf_counter()
            model = self._fit(steps)
            times.append(perf_counter() - began)
        began = perf_counter()
        with suppress(Exception):
            _run(model.forward, y=values, h=1, level=_PER_CENT)
        fit, forward = channels * times[-1], channels * (perf_counter() - began)

        def total() -> float:
            return float(fit * (-(-counts // self.every)).sum() + forward * counts.sum())

        while not every and total() > seconds and self.every < counts.max(initial=1):
            self.every *= 2
        return Plan(fit, total())

    def forecast(self, series: Series, origins: NDArray[np.int64], horizon: int) -> Quantiled:
        """Forecast from each origin; where the model cannot be fitted, as the naive forecast."""
        channels = [self._forecast_channel(one, origins, horizon) for one in series.values.T]
        values = np.stack(channels, 3)
        bad = ~np.isfinite(values).all((0, 2, 3))
        if bad.any():
            naive = NaiveSettings().build(self.sizes).forecast(series, origins[bad], horizon)
            values[:, bad] = np.stack([naive.quantile(level) for level in LEVELS])
        return Quantiled(values[LEVELS.index(0.5)], LEVELS, values)

    def _forecast_channel(
        self, values: NDArray[np.float64], origins: NDArray[np.int64], horizon: int
    ) -> NDArray[np.float64]:
        """Forecast one channel, (levels, origins, horizon); NaN where that is impossible."""
        found, fitted = np.full((len(LEVELS), len(origins), horizon), np.nan), None
        for place, origin in enumerate(origins):
            history, scale = _rescale(values[:origin])
            fresh = place % self.every == 0
            fitted = self._fit(history) if fresh else fitted
            call = getattr(fitted, "predict" if fresh else "forward", None)
            own = {} if fresh else {"y": history}
            with suppress(Exception):  # of each kind, as for a series of three steps
                found[:, place] = scale * _get_quantiles(
                    _run(call, h=horizon, level=_PER_CENT, **own)
                )
        return found

    def _fit(self, history: NDArray[np.float64]) -> Any:
        """Fit to one channel; None where that is impossible, as for a series of three steps."""
        model = getattr(load_library(), self.library_name)(season_length=self.sizes.season)
        with suppress(Exception):
            return _run(model.fit, y=history)
        return None


class Plan(NamedTuple):
    """The seconds of one fit of the longest series, and of all forecasts."""

    fit: float
    total: float


def is_installed() -> bool:
    """Check whether statsforecast is installed."""
    return find_spec("statsforecast") is not None


def load_library() -> Any:
    """Import the models of statsforecast. Raises SettingError if it is not installed."""
    if not is_installed():
        what = "ets, theta and arima are models of statsforecast, which is missing"
        raise SettingError(what, hint=INSTALL)
    from statsforecast import models

    return models


def _rescale(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Divide numbers of extreme size by their mean size: the library has absolute tolerances."""
    size = float(np.abs(values).mean())
    scale = 1.0 if LEAST < size < MOST else size or 1.0
    return values / scale, scale


def _run(call: Any, **values: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return call(**values)


def _get_quantiles(found: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the quantiles at LEVELS, (levels, horizon); rounding may leave them out of order."""
    ends = [f"lo-{per_cent}" for per_cent in reversed(_PER_CENT)]
    names = [*ends, "mean", *(f"hi-{per_cent}" for per_cent in _PER_CENT)]
    return np.sort([np.asarray(found[name], np.float64) for name in names], 0)
