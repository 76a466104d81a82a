"""Confidence intervals: block bootstrap over a text (percentile method, Efron 1979), Wilson.

Symbols of a text depend on their neighbours, so contiguous chunks are resampled, not single
symbols.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt, tan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.likelihood import SPELLED, UNSPELLED, Likelihood, Nats, paid

CHUNKS = 200
_DRAWS = 2000
_BOUNDS = (2.5, 97.5)
FEW = 20
"""With fewer resampled units a bootstrap interval is too narrow."""
NORMAL = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Chunks:
    """Negative log-likelihood of a text by contiguous chunks, for paired comparison of models.

    The models must share codec and text.
    """

    nats: Nats
    """Total of each chunk, including the spelling of unknown symbols."""
    symbol_nats: Nats
    """Total of each chunk without spelling."""
    symbols: Nats
    """Number of symbols of each chunk."""

    @classmethod
    def of(cls, text: Corpus, nats: Nats) -> Chunks:
        """Cut a scored text into CHUNKS chunks of equal length, or fewer if it is very short."""
        cuts = np.unique(np.linspace(0, len(nats), CHUNKS + 1).astype(np.int64))
        if len(cuts) < 2:
            return cls(np.zeros(1), np.zeros(1), np.ones(1))
        all_nats, symbol_nats = (
            np.add.reduceat(each, cuts[:-1]) for each in (paid(text, nats), np.float64(nats))
        )
        return cls(all_nats, symbol_nats, np.diff(cuts).astype(np.float64))


def intervals(chunks: Chunks, likelihood: Likelihood) -> dict[str, Interval]:
    """Return the 95 % bootstrap interval of each metric of a likelihood, by name.

    Characters, bytes and words per symbol are those of the whole text.
    """
    found = {}
    for sums, names in ((chunks.nats, SPELLED), (chunks.symbol_nats, UNSPELLED)):
        nats = (end * likelihood.symbols for end in mean_bounds(sums, chunks.symbols))
        low, high = (replace(likelihood, nats=end, spelling_nats=0.0) for end in nats)
        found |= {name: (getattr(low, name), getattr(high, name)) for name in names}
    return found


def mean_bounds(sums: Nats, counts: NDArray[Any]) -> Interval:
    """Return the 95 % bootstrap interval of a mean, from the sum and size of each group."""
    rows = np.random.default_rng(0).integers(0, len(sums), (_DRAWS, len(sums)))
    return bounds(sums[rows].sum(1) / counts[rows].sum(1))


def wilson_interval(share: float, count: int) -> Interval:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927).

    A bootstrap of a proportion of 1 has no width: most intervals of 99 % of 100 would end below
    the true value.

    >>> low, high = wilson_interval(1.0, 50)
    >>> round(low, 3), high
    (0.929, 1.0)
    """
    wide = NORMAL**2 / count
    half = NORMAL * sqrt(share * (1 - share) / count + wide / (4 * count))
    return max((share + wide / 2 - half) / (1 + wide), 0.0), min(
        (share + wide / 2 + half) / (1 + wide), 1.0
    )


def bounds(values: Nats) -> Interval:
    """Return the 2.5 % and 97.5 % percentiles of the values that are not NaN."""
    defined = values[~np.isnan(values)]
    low, high = np.percentile(defined, _BOUNDS).tolist() if len(defined) else (np.nan, np.nan)
    return low, high


def widen_for_small_n(interval: Interval, middle: float, count: int) -> Interval:
    """Widen the interval of a mean of few values as Student's t does; one value gives infinity."""
    if count >= FEW:
        return interval
    if count < 2:
        return float("-inf"), float("inf")
    by = sqrt(count / (count - 1)) * t_quantile(0.975, count - 1) / NORMAL
    return middle - by * (middle - interval[0]), middle + by * (interval[1] - middle)


def t_quantile(level: float, freedom: int) -> float:
    """Return a quantile of Student's t with `freedom` degrees of freedom.

    t = sqrt(freedom) tan(a), where a has the density cos(a)^(freedom - 1).

    >>> round(t_quantile(0.975, 5), 3), round(t_quantile(0.9, 1), 3)
    (2.571, 3.078)
    """
    angles = np.linspace(-pi / 2, pi / 2, 100_001)
    below = np.cumsum(np.cos(angles) ** (freedom - 1))
    return sqrt(freedom) * tan(float(np.interp(level, (below - below[0] / 2) / below[-1], angles)))
