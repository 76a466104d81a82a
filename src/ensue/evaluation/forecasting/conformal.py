"""Intervals that hold what they promise: split conformal, for each step ahead by itself.

How far the truth was outside an interval, in widths of that interval, is measured on the
calibration part (Romano et al. 2019, "Conformalized quantile regression", normalised by the width);
later intervals are moved by a quantile of that. From few independent forecasts no such quantile
follows: then all steps tell together, and what they tell is widened as Student's t is wider than
the normal distribution, the more the fewer forecasts there were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.forecasting.distributions import Forecast, Values
from ensue.evaluation.intervals import t_quantile

LEVELS = (80, 95)
"""Per cent that intervals promise to hold."""
FEW = 19
"""With fewer independent forecasts no quantile of what they missed promises 95 %."""
LEAST, MOST = -0.499, 1e30
"""How far an end is moved, in widths: not so far inwards that an interval is turned inside out."""


@dataclass(frozen=True)
class ConformalIntervals:
    """How far the ends of intervals are moved at each step ahead, in widths."""

    offsets: Mapping[int, Sequence[float]]
    forecasts: int
    """How many forecasts that do not overlap said so."""

    @classmethod
    def fit(cls, forecast: Forecast, target: Values, measured: int) -> ConformalIntervals:
        """Measure forecasts of the calibration part, of which so many do not overlap; NaN is no
        truth.

        Without any truth intervals stay as the model gives them.
        """
        if not np.isfinite(target).any():
            return UNCALIBRATED
        moved = {}
        for per_cent in LEVELS:
            low, high = _ends(forecast, per_cent)
            width = np.maximum(high - low, 1e-12 * np.maximum(np.abs(target), 1e-300))
            outside = np.maximum(low - target, target - high) / width
            scores = np.sort(np.moveaxis(outside, 1, 0).reshape(outside.shape[1], -1), axis=1)
            if measured < FEW:
                # Half a width more than how far outside: an error is counted from the middle.
                level = 0.5 + per_cent / 200
                size = np.nanquantile(scores + 0.5, per_cent / 100) / NormalDist().inv_cdf(level)
                by = np.full(len(scores), size * t_quantile(level, measured) - 0.5)
            else:
                by = np.array([_highest(of_step, per_cent) for of_step in scores])
                # A step ahead at which nothing was measured is moved as far as any other.
                by = np.where(np.isnan(by), np.nanmax(by), by)
            moved[per_cent] = np.clip(by, LEAST, MOST).tolist()
        return cls(moved, measured)

    def intervals(self, forecast: Forecast) -> dict[int, tuple[Values, Values]]:
        """Give both ends of each interval, within what can be; past the measured horizon its
        last step counts."""
        found: dict[int, tuple[Values, Values]] = {}
        for per_cent in LEVELS:
            low, high = _ends(forecast, per_cent)
            steps = np.minimum(np.arange(low.shape[1]), len(self.offsets[per_cent]) - 1)
            move = np.array(self.offsets[per_cent])[steps][:, None] * (high - low)
            # Counts are never below zero, however far an interval is moved.
            found[per_cent] = (
                np.maximum(low - move, forecast.lower_bound),
                np.maximum(high + move, forecast.lower_bound),
            )
        # The wider promise is never the narrower interval.
        low, high = (
            pick(found[95][end], found[80][end]) for end, pick in ((0, np.minimum), (1, np.maximum))
        )
        return found | {95: (low, high)}

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {
            "offsets": {str(per_cent): list(by) for per_cent, by in self.offsets.items()},
            "forecasts": self.forecasts,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ConformalIntervals:
        """Make what gave `to_json`."""
        moved = {
            int(per_cent): [float(one) for one in by] for per_cent, by in values["offsets"].items()
        }
        if moved.keys() != set(LEVELS) or not all(
            by and min(by) >= LEAST and max(by) <= MOST for by in moved.values()
        ):
            raise ValueError("these are no intervals")
        return cls(moved, int(values["forecasts"]))


UNCALIBRATED = ConformalIntervals({per_cent: [0.0] for per_cent in LEVELS}, 0)
"""Intervals as the model itself gives them."""


def _highest(scores: NDArray[np.float64], per_cent: int) -> float:
    """Give the conformal quantile of scores in ascending order, NaN at their end: as many as
    there are count."""
    count = int(np.isfinite(scores).sum())
    return float(scores[min(ceil((count + 1) * per_cent / 100), count) - 1]) if count else np.nan


def _ends(forecast: Forecast, per_cent: int) -> tuple[Values, Values]:
    outside = (1 - per_cent / 100) / 2
    return forecast.quantile(outside), forecast.quantile(1 - outside)
