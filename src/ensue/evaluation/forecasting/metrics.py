"""How good forecasts were: by forecast, by step ahead and by series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.distributions import Forecast, Values
from ensue.evaluation.forecasting.naive import apart, observed_mean
from ensue.evaluation.intervals import Interval, widen_for_small_n
from ensue.evaluation.scores import with_intervals

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Scales:
    """What errors are measured by, of each forecast (forecasts, channels); from before the test
    alone."""

    naive: Rows
    """Mean absolute difference of steps a season apart; NaN where a series never changed
    (Hyndman & Koehler 2006)."""
    spread: Rows
    """The standard deviation of the training part."""


def naive_scale(history: Values, season: int) -> Rows:
    """Give what the absolute error of MASE is divided by, (channels,): NaN where there is nothing
    to divide by.

    NaN in the history is what nobody measured.
    """
    found = observed_mean(np.abs(apart(history, season)))
    # What is left of a season that repeats itself to the last digit is rounding.
    return np.where(
        found > 1e-9 * np.abs(np.nan_to_num(history)).max(0, initial=0.0), found, np.nan
    )


def observed_spread(values: Values) -> Rows:
    """Give the standard deviation of each column over what is not NaN, 1 where nothing varies."""
    spread = np.sqrt(observed_mean((values - observed_mean(values)) ** 2))
    return np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True)
class ScoredForecast:
    """Each figure of each number that was forecast, (forecasts, horizon, channels); NaN where it
    is not defined."""

    each: Mapping[str, Values]

    def metrics(
        self, rows: NDArray[np.int64] | slice = slice(None), step: int | None = None
    ) -> dict[str, float]:
        """Give the means over some forecasts, at one step ahead or all."""
        steps = slice(None) if step is None else slice(step, step + 1)
        found = {name: _mean(values[rows, steps]) for name, values in self.each.items()}
        found["rmse"] = float(np.sqrt(found["rmse"]))
        return found

    @property
    def cost(self) -> str:
        """What models are compared by: mase, or, of series that all never changed, mae."""
        return "mase" if np.isfinite(self.each["mase"]).any() else "mae"


def score(
    forecast: Forecast, target: Values, scales: Scales, bands: ConformalIntervals
) -> ScoredForecast:
    """Measure all figures.

    mase, smape (in per cent) and mae of the median; mse and rmse of the mean: mse is that of values
    scaled by the spread of the training part, rmse that of the values themselves, as are crps and
    the widths; coverage is a share. What was not measured, NaN in the target, counts in none of
    them.
    """
    median, mean = forecast.quantile(0.5), forecast.mean
    missed, error = np.abs(target - median), target - mean
    size = np.abs(target) + np.abs(median)
    each = {
        "mase": missed / scales.naive[:, None],
        "smape": 200 * missed / np.where(size == 0, 1.0, size),
        "mae": missed,
        "mse": (error / scales.spread[:, None]) ** 2,
        "rmse": error**2,
        "crps": forecast.crps(target),
    }
    gone = np.isnan(target)
    for per_cent, (low, high) in bands.intervals(forecast).items():
        inside = ((low <= target) & (target <= high)).astype(np.float64)
        each[f"coverage_{per_cent}"] = np.where(gone, np.nan, inside)
        each[f"width_{per_cent}"] = np.where(gone, np.nan, high - low)
    return ScoredForecast(each)


def blocked(
    scored: ScoredForecast, blocks: NDArray[np.int64]
) -> tuple[dict[str, float], dict[str, Interval], Rows]:
    """Give the metrics, their 95 % intervals, and the losses, block by block: their mean is the
    metric of `cost`.

    Forecasts that overlap depend on one another: those of a block, numbered from 0, are drawn again
    together. A block whose cost is not defined, as of a series that never changed, is left out of
    the losses as it is out of the metric.
    """
    total = int(blocks.max()) + 1
    sums, counts = {}, {}
    for name, values in scored.each.items():
        there = np.isfinite(values)
        sums[name] = np.bincount(blocks, np.where(there, values, 0).sum((1, 2)), total)
        counts[name] = np.bincount(blocks, there.sum((1, 2)), total)
    metrics = dict.fromkeys(sums, np.nan)
    intervals: dict[str, Interval] = dict.fromkeys(sums, (np.nan, np.nan))
    # A figure that some blocks do not have is drawn from the others alone: without it a block is
    # not 0.
    for defined in {tuple((each > 0).tolist()) for each in counts.values() if each.any()}:
        blocks_with = np.flatnonzero(defined)
        names = [name for name, each in counts.items() if tuple((each > 0).tolist()) == defined]

        def figures(
            rows: NDArray[np.int64], names: list[str] = names, of: Any = blocks_with
        ) -> dict[str, float]:
            found = {
                name: float(sums[name][of[rows]].sum() / counts[name][of[rows]].sum())
                for name in names
            }
            return found | ({"rmse": float(np.sqrt(found["rmse"]))} if "rmse" in found else {})

        some, ends = with_intervals(figures, count := len(blocks_with))
        metrics |= some
        for name, middle in some.items() if count > 1 else ():
            low, high = widen_for_small_n(ends[name], middle, count)
            intervals[name] = max(low, 0.0), min(high, 1.0) if name.startswith("coverage") else high
    there = counts[scored.cost] > 0
    # A block with more numbers weighs more, as it does in the metric.
    losses = sums[scored.cost][there] * (there.sum() / max(counts[scored.cost].sum(), 1))
    return metrics, intervals, losses if len(losses) else np.zeros(1)


def _mean(values: Values) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else np.nan
