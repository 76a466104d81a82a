"""A model that predicts, on the test part: its figures, how sure they are, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.intervals import (
    Interval,
    bounds,
    mean_bounds,
    widen_for_small_n,
    wilson_interval,
)
from ensue.evaluation.ranking import Role
from ensue.evaluation.spans import SpanCounts

DRAWS = 500
"""Figures such as F1 are computed anew for each draw, so fewer are made than for a mean."""

SHARES = {"accuracy", "coverage"}
"""Figures that are the share of rows of which something holds."""

STRETCHES = 1000
"""Neighbouring losses are drawn together where there are more of them than this."""

MetricFunction = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Gives the figures of a model over some rows of what is scored, which may repeat."""

Groups = NDArray[np.int64] | None
"""The group of each row, numbered from 0, if rows of a group may be alike: whole groups are
drawn again then."""


@dataclass(frozen=True)
class Score:
    """One line of the table."""

    name: str
    role: Role
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    losses: NDArray[np.float64]
    """What each independent thing cost, the same things for all models of a table: they are
    compared by its mean."""
    unit: str
    """What the mean loss is counted in, as in "0.12 errors per label"."""
    seconds: float
    """How long it took to train."""
    parameters: int
    """How many numbers it has learned."""
    spans: SpanCounts | None = None
    """Of each sentence, where models are compared by the F1 of spans: their cost is 1 - F1 then."""

    @property
    def higher(self) -> bool:
        """Whether a person is told 1 - cost."""
        return self.spans is not None

    @property
    def cost(self) -> float:
        """The mean loss, or 1 - F1."""
        if self.spans is not None:
            return 1 - self.spans.f1(np.arange(len(self.spans.actual))[None])[0]
        return float(self.losses.mean())

    @property
    def count(self) -> int:
        """How many things its cost is of."""
        return len(self.losses if self.spans is None else self.spans.actual)

    def paired_difference(self, other: Score) -> tuple[float, Interval]:
        """Give by how much this one costs more than the other, and the 95 % interval, on the
        same things."""
        if self.spans is not None and other.spans is not None:
            return self._lost(self.spans, other.spans)
        more = self.losses - other.losses
        cuts = np.unique(np.linspace(0, len(more), STRETCHES + 1).astype(np.int64))
        sums, counts = np.add.reduceat(more, cuts[:-1]), np.diff(cuts)
        mean = float(more.mean())
        return mean, widen_for_small_n(mean_bounds(sums, counts), mean, len(more))

    def _lost(self, own: SpanCounts, other: SpanCounts) -> tuple[float, Interval]:
        """Give by how much F1 is below that of another: sentences are drawn again, the same ones
        for both."""
        count = len(own.actual)
        whole = np.arange(count)[None]
        draws = np.random.default_rng(0)
        lost = [
            other.f1(rows) - own.f1(rows)
            for rows in (draws.integers(0, count, (1, count)) for _ in range(DRAWS))
        ]
        less = float(other.f1(whole)[0] - own.f1(whole)[0])
        return less, widen_for_small_n(bounds(np.concatenate(lost)), less, count)

    def to_json(self) -> dict[str, Any]:
        """Give the line as plain JSON values, without the single losses."""
        facts = {
            "name": self.name,
            "role": self.role,
            "seconds": self.seconds,
            "parameters": self.parameters,
        }
        return facts | {"metrics": dict(self.metrics), "intervals": dict(self.intervals)}


def with_intervals(
    figures: MetricFunction, count: int, groups: Groups = None
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Give the figures over all `count` rows, and their 95 % intervals: of SHARES, or over rows
    drawn again (Efron)."""
    draws, whole = np.random.default_rng(0), dict(figures(np.arange(count)))
    of_shares = {name: wilson_interval(whole[name], count) for name in SHARES & whole.keys()}
    if groups is None:
        again = [figures(draws.integers(0, count, count)) for _ in range(DRAWS)]
        return whole, _bounds(again) | of_shares
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    drawn = draws.integers(0, len(members), (DRAWS, len(members)))
    found = _bounds([figures(np.concatenate([members[group] for group in one])) for one in drawn])
    found = {
        name: widen_for_small_n(ends, whole[name], len(members)) for name, ends in found.items()
    }
    return whole, found | {
        name: (min(low, found[name][0]), max(high, found[name][1]))
        for name, (low, high) in of_shares.items()
    }


def by_group(losses: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Add up the losses of each group, in such a unit that their mean stays what it is."""
    if groups is None:
        return losses
    sums = np.bincount(groups, losses)
    return (sums * (len(sums) / len(losses))).astype(np.float64)


def _bounds(again: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    return {name: bounds(np.array([one[name] for one in again])) for name in again[0]}
