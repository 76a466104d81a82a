"""Numbers brought to a like size, channel by channel; also those that span decades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]

Scale: TypeAlias = Literal["auto", "linear", "asinh"]

HEAVY = 10
"""Where the 99th percentile of sizes is so many times their median, values span decades. It is 4
of a Gaussian."""

FAR = 1e4
"""Standard deviations from the mean beyond which nothing is told apart: a faulty value must not
flood a network."""


@dataclass(frozen=True)
class Scaling:
    """x -> (f(x) - mean) / sd for each channel, f(x) = asinh(x / bend), or x where there is no
    bend.

    Fitted on values without the missing ones (NaN); a channel that does not vary is only moved.

    >>> Scaling.fit(np.array([[1.0, 5.0], [3.0, np.nan]]), "linear")(np.array([[3.0,
    ...     6.0]])).tolist()
    [[1.0, 1.0]]
    """

    bend: list[float | None]
    mean: list[float]
    sd: list[float]

    @classmethod
    def fit(cls, values: Floats, how: Scale) -> Scaling:
        """Learn from values (steps, channels)."""
        scaling = cls([], [], [])
        for channel in values.T:
            known = channel[~np.isnan(channel)].astype(np.float64)
            bend = _bend(np.abs(known), how) if len(known) else None
            bent = _bent(known, bend) if len(known) else np.zeros(1)
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
                [_bent(channel, bend) for channel, bend in zip(values.T, self.bend, strict=True)], 1
            )
            return np.clip((bent - np.array(self.mean)) / np.array(self.sd), -FAR, FAR)


def _bend(sizes: Floats, how: Scale) -> float | None:
    """Give the size above which values are taken for large; None if all are taken as they are."""
    middle, large = np.quantile(sizes, [0.5, 0.99])
    if how == "linear" or middle <= 0 or (how == "auto" and large < HEAVY * middle):
        return None
    return float(max(middle, sizes.max() * 1e-12))  # a quotient of training stays finite


def _bent(values: Floats, bend: float | None) -> Floats:
    return values if bend is None else np.arcsinh(values / bend)
