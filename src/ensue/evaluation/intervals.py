"""How sure a figure is: bootstrap over stretches of the text (percentile method, Efron 1979).

Symbols of a text depend on their neighbours, so contiguous chunks are drawn again, not single
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
"""From fewer things drawn again an interval is too narrow."""
NORMAL = 1.959963984540054
"""The standard deviations that hold 95 % of a normal distribution."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Chunks:
    """The cost of a text under one model, by contiguous chunks; two models of one codec and text
    can be compared."""

    nats: Nats
    """Of all symbols of each chunk, the spelling of unknown ones included."""
    symbol_nats: Nats
    """The same without spelling."""
    symbols: Nats
    """How many each chunk holds."""

    @classmethod
    def of(cls, text: Corpus, nats: Nats) -> Chunks:
        """Cut a scored text into chunks of equal length; there are fewer if it is very short."""
        cuts = np.unique(np.linspace(0, len(nats), CHUNKS + 1).astype(np.int64))
        if len(cuts) < 2:
            return cls(np.zeros(1), np.zeros(1), np.ones(1))
        all_nats, symbol_nats = (
            np.add.reduceat(each, cuts[:-1]) for each in (paid(text, nats), np.float64(nats))
        )
        return cls(all_nats, symbol_nats, np.diff(cuts).astype(np.float64))


def intervals(chunks: Chunks, likelihood: Likelihood) -> dict[str, Interval]:
    """Give the 95 % interval of each figure of a likelihood, by its name.

    What a symbol is in characters, bytes and words is taken from the whole text.
    """
    found = {}
    for sums, names in ((chunks.nats, SPELLED), (chunks.symbol_nats, UNSPELLED)):
        nats = (end * likelihood.symbols for end in mean_bounds(sums, chunks.symbols))
        low, high = (replace(likelihood, nats=end, spelling_nats=0.0) for end in nats)
        found |= {name: (getattr(low, name), getattr(high, name)) for name in names}
    return found


def difference(first: Chunks, second: Chunks, characters: int) -> tuple[float, Interval]:
    """Give by how many nats per character the first costs more than the second, and the 95 %
    interval.

    Both are drawn again together, chunk by chunk, so that what is hard for both cancels out.
    """
    per_character = first.symbols.sum() / max(characters, 1)
    excess = first.nats - second.nats
    low, high = mean_bounds(excess, first.symbols)
    return float(excess.sum()) / max(characters, 1), (low * per_character, high * per_character)


def mean_bounds(sums: Nats, counts: NDArray[Any]) -> Interval:
    """Give the 95 % interval of the mean of things that are drawn again in groups, by the sum
    and size of each."""
    rows = np.random.default_rng(0).integers(0, len(sums), (_DRAWS, len(sums)))
    return bounds(sums[rows].sum(1) / counts[rows].sum(1))


def wilson_interval(share: float, count: int) -> Interval:
    """Give the 95 % interval of a share of so many independent things (Wilson 1927).

    Drawn again, all are right as soon as all were, and most intervals of 99 % of 100 would end
    below the truth.

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
    """Give between which values the middle 95 % lie, of those that are defined."""
    defined = values[~np.isnan(values)]
    low, high = np.percentile(defined, _BOUNDS).tolist() if len(defined) else (np.nan, np.nan)
    return low, high


def widen_for_small_n(interval: Interval, middle: float, count: int) -> Interval:
    """Widen the interval of a mean of few things as Student's t does; of one thing alone nothing
    is known."""
    if count >= FEW:
        return interval
    if count < 2:
        return float("-inf"), float("inf")
    by = sqrt(count / (count - 1)) * t_quantile(0.975, count - 1) / NORMAL
    return middle - by * (middle - interval[0]), middle + by * (interval[1] - middle)


def t_quantile(level: float, freedom: int) -> float:
    """Give a quantile of Student's t: sqrt(freedom) tan(a), where a has the density cos(a)^(freedom
    - 1).

    >>> round(t_quantile(0.975, 5), 3), round(t_quantile(0.9, 1), 3)
    (2.571, 3.078)
    """
    angles = np.linspace(-pi / 2, pi / 2, 100_001)
    below = np.cumsum(np.cos(angles) ** (freedom - 1))
    return sqrt(freedom) * tan(float(np.interp(level, (below - below[0] / 2) / below[-1], angles)))
