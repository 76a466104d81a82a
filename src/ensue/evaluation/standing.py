"""A model that predicts, on the test part: its figures, how sure they are, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.intervals import Interval, bounds, for_few, mean_bounds, share_bounds
from ensue.evaluation.ranking import Role

DRAWS = 500
"""Figures such as F1 are computed anew for each draw, so fewer are made than for a mean."""

SHARES = {"accuracy", "coverage"}
"""Figures that are the share of rows of which something holds."""

STRETCHES = 1000
"""Neighbouring losses are drawn together where there are more of them than this."""

Figures = Callable[[NDArray[np.int64]], Mapping[str, float]]
"""Gives the figures of a model over some rows of what is scored, which may repeat."""


@dataclass(frozen=True)
class Standing:
    """One line of the table."""

    name: str
    role: Role
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    losses: NDArray[np.float64]
    """What each scored thing cost, the same things for all models of a table: they are compared by its mean."""
    unit: str
    """What the mean loss is counted in, as in "0.12 errors per label"."""
    seconds: float
    """How long it took to train."""
    parameters: int
    """How many numbers it has learned."""

    @property
    def cost(self) -> float:
        """The mean loss."""
        return float(self.losses.mean())

    @property
    def count(self) -> int:
        """How many things its cost is the mean of."""
        return len(self.losses)

    def excess(self, other: Standing) -> tuple[float, Interval]:
        """Give by how much this one costs more than the other, and the 95 % interval, on the same things."""
        more = self.losses - other.losses
        cuts = np.unique(np.linspace(0, len(more), STRETCHES + 1).astype(np.int64))
        sums, counts = np.add.reduceat(more, cuts[:-1]), np.diff(cuts)
        mean = float(more.mean())
        return mean, for_few(mean_bounds(sums, counts), mean, len(more))

    def to_json(self) -> dict[str, Any]:
        """Give the line as plain JSON values, without the single losses."""
        facts = {"name": self.name, "role": self.role, "seconds": self.seconds, "parameters": self.parameters}
        return facts | {"metrics": dict(self.metrics), "intervals": dict(self.intervals)}


def with_intervals(figures: Figures, count: int) -> tuple[dict[str, float], dict[str, Interval]]:
    """Give the figures over all `count` rows, and their 95 % intervals: of SHARES, or over rows drawn again (Efron)."""
    draws = np.random.default_rng(0)
    whole = dict(figures(np.arange(count)))
    again = [figures(draws.integers(0, count, count)) for _ in range(DRAWS)]
    drawn = {name: bounds(np.array([one[name] for one in again])) for name in whole}
    return whole, drawn | {name: share_bounds(whole[name], count) for name in SHARES & whole.keys()}
