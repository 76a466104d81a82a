"""Smoothing of n-gram probabilities: Kneser-Ney, Witten-Bell and additive.

All are written as interpolation: p(w | h) = own(h w) + rest(h) p(w | h without its first symbol),
down to the uniform distribution 1 / size below the single symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram import kernels
from ensue.models.ngram.levels import Counts, Level, Nodes

Discounts = Sequence[Sequence[float]]
Shares = tuple[NDArray[np.float64], NDArray[np.float64]]
Smoothed = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.integer]]
"""Probability of each n-gram; interpolation weight and number of n-grams of each context."""

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where counts of counts are too few; KenLM's `--discount_fallback` uses the same."""


class Smoothing(ABC):
    """A way to reserve probability for unseen n-grams."""

    given: Discounts = ()
    """D1, D2 and D3+ of every length, from 1, if they do not follow from the counts."""

    @abstractmethod
    def shares(self, counts: Counts, n: int, top: bool) -> Shares:
        """Return `own` of each n-gram of length n, and `rest` of each context (each (n-1)-gram).

        `top` marks n as the order of the model; below it, some smoothings use other counts.
        """

    def smooth(self, counts: Counts, n: int, top: bool, below: NDArray[np.float64]) -> Smoothed:
        """Compute the probabilities of length n from those of the length `below`."""
        return interpolate(counts, n, self.shares(counts, n, top), below)


def interpolate(counts: Counts, n: int, shares: Shares, below: NDArray[np.float64]) -> Smoothed:
    """Interpolate each n-gram's own share with the probability of its suffix."""
    (own, rest), level = shares, counts.levels[n - 1]
    contexts = 1 if n == 1 else len(counts.levels[n - 2].symbol)
    return (
        own + rest[level.context] * below[level.suffix],
        rest,
        np.bincount(level.context, minlength=contexts),
    )


def _per_context(counts: Counts, n: int, values: NDArray | None) -> NDArray[np.float64]:
    contexts = 1 if n == 1 else len(counts.levels[n - 2].symbol)
    return np.bincount(counts.levels[n - 1].context, values, contexts).astype(np.float64)


def _divide(above: NDArray, below: NDArray, otherwise: float) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full(len(below), otherwise), where=below > 0)


class KneserNey(Smoothing):
    """Interpolated modified Kneser-Ney (Chen & Goodman 1998, section 3; Heafield et al. 2013).

    own(h w) = (a(h w) - D(a(h w))) / a(h), rest(h) = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / a(h)

    where a is the count at the top order, and the number of distinct symbols to the left below it.
    The discounts of each length are `given`, from 1, or follow from its counts.
    """

    def __init__(self, given: Discounts = ()) -> None:
        self.given = given

    def shares(self, counts: Counts, n: int, top: bool) -> Shares:
        """Return each n-gram's discounted share, and the total discount of its context."""
        level = counts.levels[n - 1]
        adjusted, each = self._of(level, n, top)
        discount = np.array([0.0, *each])[np.minimum(adjusted, 3)]
        total = _per_context(counts, n, adjusted)
        rest = _divide(_per_context(counts, n, discount), total, 1.0)
        return _divide(adjusted - discount, total[level.context], 0.0), rest

    def smooth(self, counts: Counts, n: int, top: bool, below: NDArray[np.float64]) -> Smoothed:
        """Compute the probabilities, by the kernels where there are any.

        Results are bit-identical.
        """
        level = counts.levels[n - 1]
        contexts = 1 if n == 1 else len(counts.levels[n - 2].symbol)
        found = kernels.smooth(level, *self._of(level, n, top), contexts, below)
        return super().smooth(counts, n, top, below) if found is None else found

    def _of(self, level: Level, n: int, top: bool) -> tuple[Nodes, Sequence[float]]:
        adjusted = level.count if top else level.left
        return adjusted, self.given[n - 1] if self.given else discounts(adjusted)


def discounts(adjusted: NDArray[np.integer]) -> Sequence[float]:
    """Estimate D1, D2 and D3+ from the counts of one length (Chen & Goodman 1998, equation 26).

    If no count is 1, 2 or 3, or a discount is not within (0, count], the estimate is not usable.
    Then all three are `FALLBACK`, which is valid for any counts.

    >>> discounts(np.repeat([1, 2, 3, 4], [40, 12, 6, 4]))
    [0.625, 1.0625, 1.3333...]
    >>> discounts(np.array([7, 7]))
    (0.5, 1.0, 1.5)
    """
    found = kernels.counts_of_counts(adjusted)
    n = (np.bincount(np.minimum(adjusted, 5), minlength=6) if found is None else found).astype(
        float
    )
    if not n[1:4].all():
        return FALLBACK
    ratio = n[1] / (n[1] + 2 * n[2])
    each = [float(k - (k + 1) * ratio * n[k + 1] / n[k]) for k in (1, 2, 3)]
    return each if all(0 < discount <= k for k, discount in enumerate(each, 1)) else FALLBACK


class WittenBell(Smoothing):
    """Interpolated Witten-Bell (Witten & Bell 1991, method C; Chen & Goodman 1998, section 2.4).

    own(h w) = c(h w) / (c(h) + T(h)),  rest(h) = T(h) / (c(h) + T(h)),
    with T(h) the distinct symbols seen after h.
    """

    def shares(self, counts: Counts, n: int, top: bool) -> Shares:
        """Return each n-gram's share; every length uses occurrence counts."""
        level = counts.levels[n - 1]
        kinds = _per_context(counts, n, level.count > 0)
        total = _per_context(counts, n, level.count) + kinds
        return _divide(level.count, total[level.context], 0.0), _divide(kinds, total, 1.0)


class Additive(Smoothing):
    """A pseudo-count for every symbol after every context (Laplace 1814 with 1; Lidstone 1920).

    p(w | h) = (c(h w) + pseudo) / (c(h) + pseudo size), with h the full context; uniform after an
    unseen one.
    """

    def __init__(self, pseudo_count: float) -> None:
        self.pseudo_count = pseudo_count

    def shares(self, counts: Counts, n: int, top: bool) -> Shares:
        """Return each n-gram's share.

        Below the top order only n-grams at the start of a record have one, as their context is
        complete.
        """
        level = counts.levels[n - 1]
        added = self.pseudo_count * counts.size
        total = _per_context(counts, n, level.count) + added
        own, rest = level.count / total[level.context], added / total
        if not top:
            own[: level.started] = 0.0
            rest[: 1 if n == 1 else counts.levels[n - 2].started] = 1.0
        return own, rest
