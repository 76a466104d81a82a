"""What a forecast says, whoever made it: a mean, quantiles, and what it costs (continuous ranked
probability score).

CRPS(F, y) = E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007, eq. 21), in units of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import inf, pi, sqrt
from statistics import NormalDist
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""(forecasts, horizon, channels), in units of the data."""


class Forecast(Protocol):
    """The distributions of the steps to come, of several forecasts."""

    @property
    def mean(self) -> Values:
        """The mean, (forecasts, horizon, channels)."""
        ...

    @property
    def lower_bound(self) -> float:
        """Below which no number can lie."""
        ...

    def quantile(self, level: float) -> Values:
        """Give the number below which a share `level` lies."""
        ...

    def crps(self, target: Values) -> Values:
        """Give what each number cost."""
        ...


F = TypeVar("F", bound=Any)


@dataclass(frozen=True)
class Normals:
    """Normal distributions; figures are exact."""

    mean: Values
    spread: Values
    lower_bound = -inf

    def quantile(self, level: float) -> Values:
        """Give the number below which a share `level` lies."""
        return self.mean + NormalDist().inv_cdf(level) * self.spread

    def crps(self, target: Values) -> Values:
        """spread (z (2 P(z) - 1) + 2 p(z) - 1 / sqrt(pi)), z = (y - mean) / spread (Gneiting et
        al. 2005, eq. 5)."""
        error, spread = target - self.mean, np.maximum(self.spread, 1e-300)
        z = np.clip(error / spread, -1e150, 1e150)
        below = torch.erf(torch.from_numpy(np.ascontiguousarray(z / sqrt(2)))).numpy()
        density = np.exp(-np.minimum(z * z, 1400) / 2) / sqrt(2 * pi)
        return error * below + spread * (2 * density - 1 / sqrt(pi))


@dataclass(frozen=True)
class Sampled:
    """Paths that were drawn, (paths, forecasts, horizon, channels), in ascending order at each
    place."""

    paths: NDArray[np.float64]
    lower_bound: float = -inf

    @classmethod
    def of(cls, paths: NDArray[np.float64], least: float = -inf) -> Sampled:
        """Sort what was drawn."""
        return cls(np.sort(paths, axis=0), least)

    @property
    def mean(self) -> Values:
        """The mean of the paths."""
        return self.paths.mean(0)

    def quantile(self, level: float) -> Values:
        """Give the number below which a share `level` of the paths lies, between two of them."""
        count = len(self.paths)
        place = np.clip(level * count - 0.5, 0, count - 1)
        low = int(place)
        high = min(low + 1, count - 1)
        return self.paths[low] + (place - low) * (self.paths[high] - self.paths[low])

    def crps(self, target: Values) -> Values:
        """Estimate it without bias from the paths (the fair score of Ferro 2014)."""
        count = len(self.paths)
        ranks = (2 * np.arange(1, count + 1) - count - 1).reshape(-1, 1, 1, 1)
        apart = (ranks * self.paths).sum(0) / max(count * (count - 1), 1)
        return np.abs(self.paths - target).mean(0) - apart


@dataclass(frozen=True)
class Quantiled:
    """Quantiles of some levels, (levels, forecasts, horizon, channels), and the mean."""

    mean: Values
    levels: Sequence[float]
    values: NDArray[np.float64]
    lower_bound = -inf

    def quantile(self, level: float) -> Values:
        """Give a quantile: one that is there, or between its neighbours."""
        place = np.clip(
            np.interp(level, self.levels, np.arange(len(self.levels))), 0, len(self.levels) - 1
        )
        low, high = int(np.floor(place)), int(np.ceil(place))
        return self.values[low] + (place - low) * (self.values[high] - self.values[low])

    def crps(self, target: Values) -> Values:
        """Twice the mean cost of missing the quantiles, over levels (trapezoidal rule, nothing
        beyond them)."""
        levels = np.array(self.levels).reshape(-1, 1, 1, 1)
        above = target - self.values
        missed = np.maximum(levels * above, (levels - 1) * above)
        return 2 * np.trapezoid(missed, np.array(self.levels), axis=0)


AXES = {"mean": 0, "spread": 0, "paths": 1, "values": 1}
"""Where forecasts stand in the arrays of a Forecast."""


def select(forecast: F, rows: NDArray[np.integer]) -> F:
    """Give some forecasts, in that order."""
    return replace(
        forecast,
        **{name: np.take(array, rows, AXES[name]) for name, array in _arrays(forecast).items()},
    )


def concatenate(parts: Sequence[F]) -> F:
    """Put forecasts of one sort one after the other."""
    arrays = [_arrays(part) for part in parts]
    whole = {name: np.concatenate([one[name] for one in arrays], AXES[name]) for name in arrays[0]}
    return replace(parts[0], **whole)


def _arrays(forecast: Any) -> dict[str, NDArray[np.float64]]:
    return {
        field.name: getattr(forecast, field.name)
        for field in fields(forecast)
        if field.name in AXES
    }
