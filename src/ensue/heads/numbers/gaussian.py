"""Gaussian head: a normal distribution of each number."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

from ensue.heads.numbers.contract import LEAST, NumbersHead, normal_quantile
from ensue.settings import Settings


class GaussianSettings(Settings):
    """Settings of the Gaussian head."""

    name: Literal["gaussian"] = "gaussian"

    def build(self, features: int, size: int) -> Gaussian:
        """Make the head for `size` numbers."""
        return Gaussian(features, size, places=2)


class Gaussian(NumbersHead):
    """y ~ N(mean, spread), spread = softplus(.), which is the standard deviation."""

    def distribution(self, raw: Tensor, scale: Tensor) -> Normal:
        """Build the normal distributions."""
        return Normal(raw[..., 0], F.softplus(raw[..., 1]) + LEAST, validate_args=False)

    def soften(self, distribution: Any, temperature: float) -> Normal:
        """Multiply the variance by the temperature."""
        spread = distribution.scale * temperature**0.5
        return Normal(distribution.loc, spread, validate_args=False)

    def draw(self, distribution: Any, first: Tensor, second: Tensor) -> Tensor:
        """Sample by the inverse CDF of the first uniform number."""
        return distribution.loc + distribution.scale * normal_quantile(first)
