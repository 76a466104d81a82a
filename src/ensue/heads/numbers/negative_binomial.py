"""Negative binomial head for overdispersed counts (Salinas et al. 2020, DeepAR)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, NegativeBinomial
from torch.nn import functional as F

from ensue.heads.numbers.contract import LEAST, NumbersHead
from ensue.settings import Settings

HALVINGS = 60
"""Bisection steps; more than the 53 bits of a double."""


class NegativeBinomialSettings(Settings):
    """Settings of the negative binomial head."""

    name: Literal["negative_binomial"] = "negative_binomial"
    scaling: ClassVar[Literal["level"]] = "level"
    """Scaling of the past, by its level alone; of other heads, by mean and spread."""

    def build(self, features: int, size: int) -> CountsHead:
        """Make the head for `size` counts."""
        return CountsHead(features, size, places=2)


class ScaledCounts(Distribution):
    """Counts n / scale, n negative binomial: Var n = m + spread m^2, m = scale * `mean` of n."""

    def __init__(self, mean: Tensor, spread: Tensor, scale: Tensor) -> None:
        super().__init__(mean.shape, validate_args=False)
        self.loc, self.spread, self.scale = mean, spread, scale

    @property
    def mean(self) -> Tensor:
        """The mean of the scaled counts."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of the nearest count."""
        counts = torch.round(value * self.scale).clamp_min(0)
        logits = torch.log(self.loc * self.scale) + torch.log(self.spread)
        return NegativeBinomial(1 / self.spread, logits=logits, validate_args=False).log_prob(
            counts
        )


class CountsHead(NumbersHead):
    """n ~ NB(mean, spread), both softplus(.).

    Scaled counts n / scale are discrete, so their nats do not depend on the scale.
    """

    lower_bound = 0.0

    def distribution(self, raw: Tensor, scale: Tensor) -> ScaledCounts:
        """Build the distributions of the scaled counts."""
        mean, spread = (F.softplus(raw[..., place]) + LEAST for place in (0, 1))
        return ScaledCounts(mean, spread, scale.expand(mean.shape))

    def cost(self, raw: Tensor, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the nats of each count."""
        return -self.distribution(raw, scale).log_prob(target), None

    def draw(self, distribution: Any, first: Tensor, second: Tensor) -> Tensor:
        """Sample a gamma rate, then a Poisson count of that rate, one uniform number each."""
        size = (1 / distribution.spread).double()
        gamma = _smallest(lambda x: torch.special.gammainc(size, x) - first, size)
        rate = gamma * (distribution.loc * distribution.scale).double() / size
        # P(n <= k) of Poisson's distribution is the upper incomplete gamma function at k + 1.
        count = _smallest(
            lambda k: torch.special.gammaincc(torch.floor(k) + 1, rate) - second, rate
        )
        return (torch.floor(count) / distribution.scale).to(distribution.loc.dtype)


def _smallest(rises: Any, near: Tensor) -> Tensor:
    """Find the smallest x >= 0 at which the rising function is not negative, by bisection."""
    low, high = torch.zeros_like(near), near + 10 * torch.sqrt(near) + 10
    while bool((rises(high) < 0).any()):
        high = torch.where(rises(high) < 0, 2 * high, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        reached = rises(middle) >= 0
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return high
