"""A mixture of forecasters: a weighted mean of their quantiles, with weights for each step ahead.

The weights minimise the CRPS of the validation part, in units of the naive error of each series.
With few forecasts there they are shrunk to the inverse of the loss of each model (Bates & Granger
1969), and all models are members that are not significantly worse than the best: of 162 short
series, each trained alone, the model that was best on one or two forecasts had a MASE that was 6 to
14 % higher than that of such a mixture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensue.models.pool import Nats, Pool

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Levels of the quantiles that are compared: midpoints, of which the mean pinball loss is half the
CRPS."""
POOLED_UNITS = 20
"""Weight of all steps ahead in the weights of each, in independent forecasts: with fewer, all steps
have nearly the same weights. As many windows pool the spread of errors (`baselines/ridge.py`)."""
PRIOR_UNITS = 5
"""Weight of the inverse losses, in independent forecasts."""
ITERATIONS, RATE = 300, 1.0


class QuantilePool(Pool):
    """Fitted forecasters, and their weights (members, horizon)."""

    @property
    def horizon(self) -> int:
        """Maximum number of steps, that of its members; 0 for no limit."""
        return min((one.horizon for one in self.members if one.horizon), default=0)

    def weigh(self, horizon: int) -> Nats:
        """Return the weights of each step; past those that were fitted, the last ones."""
        return self.weights[:, np.minimum(np.arange(horizon), self.weights.shape[1] - 1)]


class QuantileErrors:
    """Errors of the quantiles of each model, (items, steps, LEVELS), NaN where there is no target.

    `units` is the number of independent forecasts among the items.
    """

    evidence = 0.0
    fewest_units = 20

    def __init__(self, each: Sequence[Nats], units: int) -> None:
        self.count, self._units = len(each), units
        errors = np.stack(each)
        self._there: NDArray[np.bool_] = np.asarray(np.isfinite(errors).all((0, 3)))
        self._errors = np.where(self._there[:, :, None], errors, 0.0)

    def fit(self, members: Sequence[int]) -> Nats:
        """Fit the weights by exponentiated gradients (Kivinen & Warmuth 1997).

        The loss is convex in the weights. The gradient of each step ahead is averaged with that of
        all steps, and the weights of the later half of the iterations with one another. Then they
        are shrunk to the inverse losses.
        """
        errors, levels = self._errors[list(members)], np.array(LEVELS)
        count = np.maximum(self._there.sum(0), 1)[:, None]
        weights = np.full((len(members), errors.shape[2]), 1 / len(members))
        own, total = self._units / (self._units + POOLED_UNITS), np.zeros_like(weights)
        for iteration in range(ITERATIONS):
            above = (self._mix(errors, weights) > 0) - levels
            slopes = np.einsum("ihl,mihl->mh", above * self._there[:, :, None], errors)
            slopes = own * slopes / count.T + (1 - own) * (slopes / count.sum()).sum(1)[:, None]
            slopes -= slopes.min(0)
            rate = RATE / np.sqrt(iteration + 1) / np.maximum(slopes.max(0), 1e-300)
            weights = weights * np.exp(-rate * slopes)
            weights /= weights.sum(0)
            total += weights * (iteration >= ITERATIONS // 2)
        alone = np.array([self.losses((one,), np.ones((1, total.shape[1]))) for one in members])
        inverse = 1 / np.maximum(alone.mean((1, 2)), 1e-300)
        shrunk = PRIOR_UNITS / (self._units + PRIOR_UNITS)
        fitted, prior = total / total.sum(0), inverse / inverse.sum()
        return (1 - shrunk) * fitted + shrunk * prior[:, None]

    def losses(self, members: Sequence[int], weights: Nats) -> Nats:
        """Compute the CRPS of the mixture for each target; 0 where there is none."""
        error, levels = self._mix(self._errors[list(members)], weights), np.array(LEVELS)
        return 2 * np.maximum(-levels * error, (1 - levels) * error).mean(2)

    @staticmethod
    def _mix(errors: NDArray[np.float64], weights: Nats) -> Nats:
        """Average the errors: the weights of a step sum to 1, so each has the same target."""
        return np.einsum("mh,mihl->ihl", weights, errors)
