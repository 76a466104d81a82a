"""Conformal prediction intervals of forecasts: split conformal, separately for each step ahead.

The nonconformity score is the distance of the actual value outside the interval, in widths of the
interval. It is measured on the calibration part, and a quantile of it moves later intervals. With
few independent forecasts that quantile does not exist: then all steps are pooled, and the offset is
widened by the ratio of Student's t to the normal distribution. Source: Romano et al. 2019,
"Conformalized quantile regression", here normalised by the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.intervals import t_quantile
from ensue.models.distributions import Forecast, Values

LEVELS = (80, 95)
"""Target coverages in per cent."""
FEW = 19
"""Fewest independent forecasts for a conformal quantile of 95 %: (n + 1) 0.95 <= n."""
LEAST, MOST = -0.499, 1e30
"""Bounds of an offset in widths: at -0.5 both ends would meet."""


@dataclass(frozen=True)
class ConformalIntervals:
    """Offsets of the ends of intervals for each step ahead, in widths of the interval."""

    offsets: Mapping[int, Sequence[float]]
    forecasts: int
    """Number of non-overlapping calibration forecasts."""

    @classmethod
    def fit(cls, forecast: Forecast, target: Values, measured: int) -> ConformalIntervals:
        """Fit offsets to forecasts of the calibration part, `measured` of which do not overlap.

        NaN in the target is missing. Without any target the intervals are uncalibrated.
        """
        if not np.isfinite(target).any():
            return UNCALIBRATED
        offsets = {}
        for per_cent in LEVELS:
            low, high = _ends(forecast, per_cent)
            width = np.maximum(high - low, 1e-12 * np.maximum(np.abs(target), 1e-300))
            outside = np.maximum(low - target, target - high) / width
            scores = np.sort(np.moveaxis(outside, 1, 0).reshape(outside.shape[1], -1), axis=1)
            if measured < FEW:
                # Half a width more, because Student's t scales errors from the middle.
                level = 0.5 + per_cent / 200
                size = np.nanquantile(scores + 0.5, per_cent / 100) / NormalDist().inv_cdf(level)
                by = np.full(len(scores), size * t_quantile(level, measured) - 0.5)
            else:
                by = np.array([_highest(of_step, per_cent) for of_step in scores])
                # A step without any target gets the largest offset of the others.
                by = np.where(np.isnan(by), np.nanmax(by), by)
            offsets[per_cent] = np.clip(by, LEAST, MOST).tolist()
        return cls(offsets, measured)

    def intervals(self, forecast: Forecast) -> dict[int, tuple[Values, Values]]:
        """Return both ends of each interval, above the forecast's lower bound.

        Past the calibrated horizon, the offsets of its last step are used.
        """
        found: dict[int, tuple[Values, Values]] = {}
        for per_cent in LEVELS:
            low, high = _ends(forecast, per_cent)
            steps = np.minimum(np.arange(low.shape[1]), len(self.offsets[per_cent]) - 1)
            move = np.array(self.offsets[per_cent])[steps][:, None] * (high - low)
            # Counts are never negative, whatever the offset.
            found[per_cent] = (
                np.maximum(low - move, forecast.lower_bound),
                np.maximum(high + move, forecast.lower_bound),
            )
        # The 95 % interval must contain the 80 % interval, which separate offsets do not ensure.
        low, high = (
            pick(found[95][end], found[80][end]) for end, pick in ((0, np.minimum), (1, np.maximum))
        )
        return found | {95: (low, high)}

    def columns(self, forecast: Forecast) -> dict[str, Values]:
        """Return the median and both ends of each interval, by the names of Nixtla's tools."""
        found = {"median": forecast.quantile(0.5)}
        for per_cent, (low, high) in self.intervals(forecast).items():
            found |= {f"lo_{per_cent}": low, f"hi_{per_cent}": high}
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "offsets": {str(per_cent): list(by) for per_cent, by in self.offsets.items()},
            "forecasts": self.forecasts,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ConformalIntervals:
        """Restore it from the values of `to_json`. Raises ValueError if they are impossible."""
        offsets = {
            int(per_cent): [float(one) for one in by] for per_cent, by in values["offsets"].items()
        }
        if offsets.keys() != set(LEVELS) or not all(
            by and min(by) >= LEAST and max(by) <= MOST for by in offsets.values()
        ):
            raise ValueError("the offsets of the intervals are impossible")
        return cls(offsets, int(values["forecasts"]))


UNCALIBRATED = ConformalIntervals({per_cent: [0.0] for per_cent in LEVELS}, 0)
"""The model's own intervals."""


def _highest(scores: NDArray[np.float64], per_cent: int) -> float:
    """Return the conformal quantile of ascending scores; NaN, at their end, do not count."""
    count = int(np.isfinite(scores).sum())
    return float(scores[min(ceil((count + 1) * per_cent / 100), count) - 1]) if count else np.nan


def _ends(forecast: Forecast, per_cent: int) -> tuple[Values, Values]:
    outside = (1 - per_cent / 100) / 2
    return forecast.quantile(outside), forecast.quantile(1 - outside)
