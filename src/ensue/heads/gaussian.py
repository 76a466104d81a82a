"""A number: its mean and how sure that is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F

from ensue.heads.contract import Head
from ensue.settings import Settings


class GaussianSettings(Settings):
    """Settings of the head for numbers."""

    name: Literal["gaussian"] = "gaussian"
    least: float = Field(default=0.01, gt=0)
    """The least standard deviation; without one, a number that is met exactly would be worth any other being missed."""

    def build(self, features: int, size: int = 1) -> Gaussian:
        """Make the head for one number; `size` is 1."""
        return Gaussian(features, self.least)


class Gaussian(Head):
    """p(y) = N(y; w f + b, (least + softplus(v f + c))^2).

    >>> import torch
    >>> GaussianSettings().build(8)(torch.zeros(2, 3, 8)).mean.shape
    torch.Size([2, 3])
    """

    def __init__(self, features: int, least: float) -> None:
        super().__init__()
        self.features, self.size, self.least = features, 1, least
        self.linear = nn.Linear(features, 2)

    def forward(self, features: Tensor) -> Normal:
        """Map features (..., features) to a distribution over numbers."""
        mean, spread = self.linear(features).unbind(-1)
        return Normal(mean, self.least + F.softplus(spread), validate_args=False)
