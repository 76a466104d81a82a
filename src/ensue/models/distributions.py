"""Forecast distributions: mean, quantiles and continuous ranked probability score (CRPS).

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
    """Predictive distributions of several forecasts."""

    @property
    def mean(self) -> Values:
        """The mean, (forecasts, horizon, channels)."""
        ...

    @property
    def lower_bound(self) -> float:
        """Lower bound of the support."""
        ...

    def quantile(self, level: float) -> Values:
        """Return the quantile of each distribution at `level`."""
        ...

    def crps(self, target: Values) -> Values:
        """Return the CRPS of each value."""
        ...


F = TypeVar("F", bound=Any)


@dataclass(frozen=True)
class Normals:
    """Normal distributions, with exact quantiles and CRPS."""

    mean: Values
    spread: Values
    lower_bound = -inf

    def quantile(self, level: float) -> Values:
        """Return the quantile of each distribution at `level`."""
        return self.mean + NormalDist().inv_cdf(level) * self.spread

    def crps(self, target: Values) -> Values:
        """CRPS = spread (z (2 P(z) - 1) + 2 p(z) - 1 / sqrt(pi)), z = (y - mean) / spread.

        Source: Gneiting et al. 2005, eq. 5.
        """
        error, spread = target - self.mean, np.maximum(self.spread, 1e-300)
        z = np.clip(error / spread, -1e150, 1e150)
        below = torch.erf(torch.from_numpy(np.ascontiguousarray(z / sqrt(2)))).numpy()
        density = np.exp(-np.minimum(z * z, 1400) / 2) / sqrt(2 * pi)
        return error * below + spread * (2 * density - 1 / sqrt(pi))


@dataclass(frozen=True)
class Sampled:
    """Sample paths, (paths, forecasts, horizon, channels), sorted along the first axis."""

    paths: NDArray[np.float64]
    lower_bound: float = -inf

    @classmethod
    def of(cls, paths: NDArray[np.float64], least: float = -inf) -> Sampled:
        """Sort sample paths."""
        return cls(np.sort(paths, axis=0), least)

    @property
    def mean(self) -> Values:
        """The mean of the paths."""
        return self.paths.mean(0)

    def quantile(self, level: float) -> Values:
        """Return the quantile of the paths at `level`, interpolated between two of them."""
        count = len(self.paths)
        place = np.clip(level * count - 0.5, 0, count - 1)
        low = int(place)
        high = min(low + 1, count - 1)
        return self.paths[low] + (place - low) * (self.paths[high] - self.paths[low])

    def crps(self, target: Values) -> Values:
        """Estimate the CRPS without bias from the paths (the fair score of Ferro 2014)."""
        count = len(self.paths)
        ranks = (2 * np.arange(1, count + 1) - count - 1).reshape(-1, 1, 1, 1)
        half_distance = (ranks * self.paths).sum(0) / max(count * (count - 1), 1)
        return np.abs(self.paths - target).mean(0) - half_distance


@dataclass(frozen=True)
class Quantiled:
    """Quantiles at some levels, (levels, forecasts, horizon, channels), and the mean."""

    mean: Values
    levels: Sequence[float]
    values: NDArray[np.float64]
    lower_bound = -inf

    def quantile(self, level: float) -> Values:
        """Return the quantile at `level`, interpolated between neighbouring levels."""
        place = np.clip(
            np.interp(level, self.levels, np.arange(len(self.levels))), 0, len(self.levels) - 1
        )
        low, high = int(np.floor(place)), int(np.ceil(place))
        return self.values[low] + (place - low) * (self.values[high] - self.values[low])

    def crps(self, target: Values) -> Values:
        """CRPS = 2 * integral of the pinball loss over levels, by the trapezoidal rule.

        Levels outside the given ones contribute nothing.
        """
        levels = np.array(self.levels).reshape(-1, 1, 1, 1)
        error = target - self.values
        pinball = np.maximum(levels * error, (levels - 1) * error)
        return 2 * np.trapezoid(pinball, np.array(self.levels), axis=0)


CRPS_LEVELS = 100
"""Quantiles of an average that its CRPS is computed from."""


@dataclass(frozen=True)
class Averaged:
    """Distributions whose quantiles are weighted means of those of several forecasts.

    Averages of quantiles keep the shape and the width of what they average, where a linear pool of
    forecasts that are apart is too wide (Lichtendahl, Grushka-Cockayne & Winkler 2013).
    """

    parts: Sequence[Forecast]
    weights: NDArray[np.float64]
    """(parts, horizon)."""

    @property
    def mean(self) -> Values:
        """The weighted mean of the means."""
        return self._average([part.mean for part in self.parts])

    @property
    def lower_bound(self) -> float:
        """The least of the lower bounds."""
        return min(part.lower_bound for part in self.parts)

    def quantile(self, level: float) -> Values:
        """Return the weighted mean of the quantiles at `level`."""
        return self._average([part.quantile(level) for part in self.parts])

    def crps(self, target: Values) -> Values:
        """CRPS = 2 * integral of the pinball loss over levels, by the midpoint rule."""
        total = np.zeros_like(target)
        for level in (np.arange(CRPS_LEVELS) + 0.5) / CRPS_LEVELS:
            error = target - self.quantile(level)
            total += np.maximum(level * error, (level - 1) * error)
        return 2 * total / CRPS_LEVELS

    def _average(self, values: Sequence[Values]) -> Values:
        pairs = zip(self.weights, values, strict=True)
        return sum((weight[:, None] * one for weight, one in pairs), np.zeros(1))


def average(parts: Sequence[Forecast], weights: NDArray[np.float64]) -> Forecast:
    """Average the quantiles of forecasts with weights (parts, horizon)."""
    averaged = Averaged(parts, weights)
    spreads = [part.spread for part in parts if isinstance(part, Normals)]
    if len(spreads) < len(parts):
        return averaged
    # The averages of normal quantiles are those of a normal distribution.
    return Normals(averaged.mean, averaged._average(spreads))


AXES = {"mean": 0, "spread": 0, "paths": 1, "values": 1}
"""Axis of the forecasts in each array of a Forecast."""


def select(forecast: F, rows: NDArray[np.integer]) -> F:
    """Return some forecasts, in that order."""
    return replace(
        forecast,
        **{name: np.take(array, rows, AXES[name]) for name, array in _arrays(forecast).items()},
    )


def concatenate(parts: Sequence[F]) -> F:
    """Concatenate forecasts of the same type."""
    arrays = [_arrays(part) for part in parts]
    whole = {name: np.concatenate([one[name] for one in arrays], AXES[name]) for name in arrays[0]}
    return replace(parts[0], **whole)


def _arrays(forecast: Any) -> dict[str, NDArray[np.float64]]:
    return {
        field.name: getattr(forecast, field.name)
        for field in fields(forecast)
        if field.name in AXES
    }
