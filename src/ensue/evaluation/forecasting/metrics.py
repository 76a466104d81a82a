"""Metrics of forecasts: MASE, sMAPE, MAE, MSE, RMSE, CRPS, and coverage of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.intervals import Interval, widen_for_small_n
from ensue.evaluation.scores import Measured, with_intervals
from ensue.models.baselines.naive import observed_mean, seasonal_differences
from ensue.models.distributions import Forecast, Values
from ensue.models.quantile_pool import LEVELS

Rows = NDArray[np.float64]
MAX_SERIES = 100
"""Series whose own metrics a result holds."""


@dataclass(frozen=True)
class Scales:
    """Scales of the errors, (forecasts, channels), computed from data before the test part."""

    naive: Rows
    """Mean absolute seasonal difference (Hyndman & Koehler 2006); NaN if a series is constant."""
    spread: Rows
    """Standard deviation of the training part."""

    @classmethod
    def of(
        cls, origins: Origins, before: Sequence[Values], train: Sequence[Values], season: int
    ) -> Scales:
        """Compute the scales from the steps of each series `before` its test, and of `train`."""
        numbers = np.unique(origins[:, 0]).tolist()
        scales = {
            one: (naive_scale(before[one], season), observed_spread(train[one])) for one in numbers
        }
        rows = [scales[one] for one in origins[:, 0].tolist()]
        return cls(*map(np.stack, zip(*rows, strict=True)))


def naive_scale(history: Values, season: int) -> Rows:
    """Return the denominator of MASE: mean absolute seasonal difference, (channels,).

    It is NaN if the series is constant or exactly seasonal. NaN in the history is missing.
    """
    found = observed_mean(np.abs(seasonal_differences(history, season)))
    # Differences of an exactly seasonal series are rounding errors, not 0.
    return np.where(
        found > 1e-9 * np.abs(np.nan_to_num(history)).max(0, initial=0.0), found, np.nan
    )


def observed_spread(values: Values) -> Rows:
    """Return the standard deviation of each column without NaN, or 1 if it is constant."""
    spread = np.sqrt(observed_mean((values - observed_mean(values)) ** 2))
    return np.where(spread > 0, spread, 1.0)


def compute_scales(data: SeriesParts, origins: Origins) -> Scales:
    """Compute the scales of errors of forecasts, from the data before the test alone."""
    ends = zip(data.panel.series, data.ends("test"), strict=True)
    before = [one.observed[:end] for one, end in ends]
    return Scales.of(origins, before, data.training_values(), data.layout.season)


def scale_quantile_errors(forecast: Forecast, data: SeriesParts, origins: Origins) -> Values:
    """Compute the scaled errors of quantiles, (items, horizon, levels).

    An item is a channel of a forecast. A series without a naive error is scaled by its spread.
    """
    target, scales = data.inputs().targets(origins), compute_scales(data, origins)
    scale = np.where(np.isfinite(scales.naive), scales.naive, scales.spread)[:, None]
    errors = np.stack([(forecast.quantile(level) - target) / scale for level in LEVELS], 3)
    return np.moveaxis(errors, 2, 1).reshape(-1, data.layout.horizon, len(LEVELS))


@dataclass(frozen=True)
class ScoredForecast:
    """Metrics of each forecast value, (forecasts, horizon, channels); NaN if undefined."""

    each: Mapping[str, Values]

    def metrics(
        self, rows: NDArray[np.int64] | slice = slice(None), step: int | None = None
    ) -> dict[str, float]:
        """Return the mean of each metric over some forecasts, at one step ahead or all."""
        steps = slice(None) if step is None else slice(step, step + 1)
        found = {name: _mean(values[rows, steps]) for name, values in self.each.items()}
        found["rmse"] = float(np.sqrt(found["rmse"]))
        return found

    @property
    def cost(self) -> str:
        """The metric by which models are compared: mase, or mae if all series are constant."""
        return "mase" if np.isfinite(self.each["mase"]).any() else "mae"


def score(
    forecast: Forecast, target: Values, scales: Scales, conformal: ConformalIntervals
) -> ScoredForecast:
    """Compute all metrics of forecasts.

    mase, smape (in per cent) and mae are of the median; mse and rmse of the mean. mse is in units
    of the training part's standard deviation; mae, rmse, crps and widths are in units of the data.
    Coverage is a share. NaN in the target is missing, and counts in no metric.
    """
    median, mean = forecast.quantile(0.5), forecast.mean
    absolute, error = np.abs(target - median), target - mean
    size = np.abs(target) + np.abs(median)
    each = {
        "mase": absolute / scales.naive[:, None],
        "smape": 200 * absolute / np.where(size == 0, 1.0, size),
        "mae": absolute,
        "mse": (error / scales.spread[:, None]) ** 2,
        "rmse": error**2,
        "crps": forecast.crps(target),
    }
    missing = np.isnan(target)
    for per_cent, (low, high) in conformal.intervals(forecast).items():
        inside = ((low <= target) & (target <= high)).astype(np.float64)
        each[f"coverage_{per_cent}"] = np.where(missing, np.nan, inside)
        each[f"width_{per_cent}"] = np.where(missing, np.nan, high - low)
    return ScoredForecast(each)


def score_forecasts(
    forecast: Forecast, data: SeriesParts, origins: Origins, conformal: ConformalIntervals
) -> ScoredForecast:
    """Compute all metrics of forecasts against the actual values."""
    target, scales = data.inputs().targets(origins), compute_scales(data, origins)
    return score(forecast, target, scales, conformal)


def measure_forecasts(
    forecast: Forecast, data: SeriesParts, origins: Origins, conformal: ConformalIntervals
) -> Measured:
    """Measure forecasts against the actual values, with intervals by block."""
    scored = score_forecasts(forecast, data, origins, conformal)
    measured = compute_block_metrics(scored, number_blocks(origins, data.layout.horizon))
    return Measured(*measured, scored.cost.upper(), count=len(origins))


def describe_test(
    forecast: Forecast, data: SeriesParts, conformal: ConformalIntervals
) -> dict[str, Any]:
    """Describe the backtest, with metrics of forecasts of the test by steps ahead and by series."""
    origins, series = data.origins("test"), data.panel.series
    scored = score_forecasts(forecast, data, origins, conformal)
    steps = [scored.metrics(step=step) for step in range(data.layout.horizon)]
    rows = {
        one.name: np.flatnonzero(origins[:, 0] == number)
        for number, one in enumerate(series[:MAX_SERIES])
    }
    return {
        "layout": data.layout.to_json(),
        "series": len(series),
        "skipped": [one.name for one in data.short.series],
        "forecasts": len(origins),
        "calibration_forecasts": conformal.forecasts,
        "by_step": {name: [step[name] for step in steps] for name in steps[0]},
        "by_series": {name: scored.metrics(own) for name, own in rows.items() if len(own)},
    }


def compute_block_metrics(
    scored: ScoredForecast, blocks: NDArray[np.int64]
) -> tuple[dict[str, float], dict[str, Interval], Rows]:
    """Return the metrics, their 95 % block bootstrap intervals, and the loss of each block.

    Overlapping forecasts are dependent, so those of a block, numbered from 0, are resampled
    together. The mean loss is the metric `cost`. Blocks with an undefined cost, as of a constant
    series, are left out of losses and metric.
    """
    total = int(blocks.max()) + 1
    sums, counts = {}, {}
    for name, values in scored.each.items():
        defined = np.isfinite(values)
        sums[name] = np.bincount(blocks, np.where(defined, values, 0).sum((1, 2)), total)
        counts[name] = np.bincount(blocks, defined.sum((1, 2)), total)
    metrics = dict.fromkeys(sums, np.nan)
    intervals: dict[str, Interval] = dict.fromkeys(sums, (np.nan, np.nan))
    # A metric is resampled from the blocks that have it: in the others it is undefined, not 0.
    for pattern in {tuple((each > 0).tolist()) for each in counts.values() if each.any()}:
        blocks_with = np.flatnonzero(pattern)
        names = [name for name, each in counts.items() if tuple((each > 0).tolist()) == pattern]

        def compute(
            rows: NDArray[np.int64], names: list[str] = names, of: Any = blocks_with
        ) -> dict[str, float]:
            found = {
                name: float(sums[name][of[rows]].sum() / counts[name][of[rows]].sum())
                for name in names
            }
            return found | ({"rmse": float(np.sqrt(found["rmse"]))} if "rmse" in found else {})

        some, ends = with_intervals(compute, count := len(blocks_with))
        metrics |= some
        for name, middle in some.items() if count > 1 else ():
            low, high = widen_for_small_n(ends[name], middle, count)
            intervals[name] = max(low, 0.0), min(high, 1.0) if name.startswith("coverage") else high
    used = counts[scored.cost] > 0
    # A block with more values weighs more, as it does in the metric.
    losses = sums[scored.cost][used] * (used.sum() / max(counts[scored.cost].sum(), 1))
    return metrics, intervals, losses if len(losses) else np.zeros(1)


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


def _mean(values: Values) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else np.nan
