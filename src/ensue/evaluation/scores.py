"""Score of a model on the test part: metrics, confidence intervals, losses and training time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.intervals import (
    Interval,
    bounds,
    mean_bounds,
    widen_for_small_n,
    wilson_interval,
)
from ensue.evaluation.spans import SpanCounts

Role = Literal["baseline", "network", "mixture"]

DRAWS = 500
"""Bootstrap samples; fewer than for a mean, because metrics such as F1 are recomputed for each."""

SHARES = {"accuracy", "coverage"}
"""Metrics that are proportions of rows: they have Wilson intervals."""

STRETCHES = 1000
"""With more losses than this, neighbouring ones are resampled together."""

MetricFunction = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Returns the metrics of a model over given rows, which may repeat."""

Groups = NDArray[np.int64] | None
"""Group of each row, from 0, if rows of a group may be similar: then groups are resampled."""


@dataclass(frozen=True)
class Measured:
    """What was measured of the predictions of a model."""

    metrics: Mapping[str, float]
    """By name. The table shows the interval of the first that has a column."""
    intervals: Mapping[str, Interval]
    losses: NDArray[np.float64]
    """Loss of each independent item, aligned between models; they are compared by its mean."""
    unit: str
    """Unit of the mean loss, as in "0.12 errors per label"."""
    spans: SpanCounts | None = None
    """Span counts of each sentence, if models are compared by span F1: then the cost is 1 - F1."""
    sizes: NDArray[np.float64] | None = None
    """Size of each item in what the unit is per, such as characters; None is 1 each."""
    count: int = 0
    """Number of scored examples, words, symbols or forecasts."""
    totals: Mapping[str, float] = field(default_factory=dict)
    """Nats in total, if known; totals of a text: characters, words, unknown symbols."""

    def of(self, name: str, role: Role, seconds: float, parameters: int) -> Score:
        """Make the score of a model with this name."""
        return Score(**vars(self), name=name, role=role, seconds=seconds, parameters=parameters)


@dataclass(frozen=True, kw_only=True)
class Score(Measured):
    """Score of one model: a row of the comparison table."""

    name: str
    role: Role
    seconds: float
    """Training time."""
    parameters: int
    """Number of trained parameters."""
    selected: bool = False
    """Whether it was selected among all models on the validation part, for the run to hold."""

    @property
    def higher(self) -> bool:
        """Whether 1 - cost is shown."""
        return self.spans is not None

    @property
    def cost(self) -> float:
        """The mean loss, or 1 - F1, by which models are compared."""
        if self.spans is not None:
            return 1 - self.spans.f1(np.arange(self.items)[None])[0]
        return float(self.losses.sum() / self._sizes.sum())

    @property
    def items(self) -> int:
        """Number of independent items that the cost is computed from."""
        return len(self.losses if self.spans is None else self.spans.actual)

    @property
    def nats_per_item(self) -> float | None:
        """Negative log-likelihood as in the log of a training: without spelling, per `count`."""
        nats = self.totals.get("nats")
        return nats and (nats - self.totals.get("spelling_nats", 0.0)) / self.count

    @property
    def _sizes(self) -> NDArray[np.float64]:
        return np.ones(len(self.losses)) if self.sizes is None else self.sizes

    def paired_difference(self, other: Score) -> tuple[float, Interval]:
        """Return the cost of this model - that of the other, and its 95 % interval, paired."""
        if self.spans is not None and other.spans is not None:
            return self._f1_difference(self.spans, other.spans)
        excess, sizes = self.losses - other.losses, self._sizes
        cuts = np.unique(np.linspace(0, len(excess), STRETCHES + 1).astype(np.int64))[:-1]
        sums, counts = (np.add.reduceat(each, cuts) for each in (excess, sizes))
        mean = float(excess.sum() / sizes.sum())
        return mean, widen_for_small_n(mean_bounds(sums, counts), mean, len(excess))

    def _f1_difference(self, own: SpanCounts, other: SpanCounts) -> tuple[float, Interval]:
        """Return F1 of the other - F1 of this model; both are resampled by the same sentences."""
        count = len(own.actual)
        all_rows = np.arange(count)[None]
        draws = np.random.default_rng(0)
        differences = [
            other.f1(rows) - own.f1(rows)
            for rows in (draws.integers(0, count, (1, count)) for _ in range(DRAWS))
        ]
        difference = float(other.f1(all_rows)[0] - own.f1(all_rows)[0])
        ends = bounds(np.concatenate(differences))
        return difference, widen_for_small_n(ends, difference, count)

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values, without the losses of single items."""
        arrays = ("losses", "spans", "sizes")
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in arrays}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; without losses it has no cost."""
        return cls(**values, losses=np.zeros(0))


def with_intervals(
    compute: MetricFunction, count: int, groups: Groups = None
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Compute metrics over all `count` rows, and their 95 % intervals.

    Intervals are Wilson's for SHARES, and bootstrap intervals (Efron 1979) for all others.
    """
    draws, metrics = np.random.default_rng(0), dict(compute(np.arange(count)))
    of_shares = {name: wilson_interval(metrics[name], count) for name in SHARES & metrics.keys()}
    if groups is None:
        resampled = [compute(draws.integers(0, count, count)) for _ in range(DRAWS)]
        return metrics, _bounds(resampled) | of_shares
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    samples = draws.integers(0, len(members), (DRAWS, len(members)))
    found = _bounds([compute(np.concatenate([members[group] for group in one])) for one in samples])
    found = {
        name: widen_for_small_n(ends, metrics[name], len(members)) for name, ends in found.items()
    }
    return metrics, found | {
        name: (min(low, found[name][0]), max(high, found[name][1]))
        for name, (low, high) in of_shares.items()
    }


def by_group(losses: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Sum the losses of each group, scaled so that the mean over groups is that over rows."""
    if groups is None:
        return losses
    sums = np.bincount(groups, losses)
    return (sums * (len(sums) / len(losses))).astype(np.float64)


def _bounds(resampled: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    return {name: bounds(np.array([one[name] for one in resampled])) for name in resampled[0]}
