"""Standardisation of numbers, channel by channel, with asinh for values over several decades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]

Scale: TypeAlias = Literal["auto", "linear", "asinh"]

HEAVY_TAIL_RATIO = 10
"""Ratio of the 99th percentile of sizes to their median from which on asinh is used.

The ratio is 4 for a Gaussian.
"""

FAR = 1e4
"""Bound in standard deviations: a faulty value must not flood a network."""


@dataclass(frozen=True)
class Scaling:
    """x -> (f(x) - mean) / sd for each channel, with f(x) = asinh(x / bend).

    Without a bend, f(x) = x. Fitted without missing values (NaN). A constant channel is only
    centred.

    >>> Scaling.fit(np.array([[1.0, 5.0], [3.0, np.nan]]), "linear")(np.array([[3.0,
    ...     6.0]])).tolist()
    [[1.0, 1.0]]
    """

    bend: list[float | None]
    mean: list[float]
    sd: list[float]

    @classmethod
    def fit(cls, values: Floats, how: Scale) -> Scaling:
        """Fit to values (steps, channels)."""
        scaling = cls([], [], [])
        for channel in values.T:
            known = channel[~np.isnan(channel)].astype(np.float64)
            bend = _fit_bend(np.abs(known), how) if len(known) else None
            bent = _squash(known, bend) if len(known) else np.zeros(1)
            mean, sd = float(bent.mean()), float(bent.std())
            scaling.bend.append(bend)
            scaling.mean.append(mean)
            scaling.sd.append(sd if sd > 1e-12 * abs(mean) else 1.0)
        return scaling

    def __call__(self, values: Floats) -> Floats:
        """Scale values (steps, channels)."""
        if not self.mean:
            return values
        with np.errstate(over="ignore"):
            bent = np.stack(
                [_squash(channel, bend) for channel, bend in zip(values.T, self.bend, strict=True)],
                1,
            )
            return np.clip((bent - np.array(self.mean)) / np.array(self.sd), -FAR, FAR)


def _fit_bend(sizes: Floats, how: Scale) -> float | None:
    """Return the size from which on asinh compresses values, or None for linear scaling."""
    middle, large = np.quantile(sizes, [0.5, 0.99])
    if how == "linear" or middle <= 0 or (how == "auto" and large < HEAVY_TAIL_RATIO * middle):
        return None
    return float(max(middle, sizes.max() * 1e-12))  # a quotient of training stays finite


def _squash(values: Floats, bend: float | None) -> Floats:
    return values if bend is None else np.arcsinh(values / bend)
