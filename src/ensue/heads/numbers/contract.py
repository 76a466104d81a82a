"""What a head for numbers is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

LEAST = 1e-4
"""The least spread that a network may claim, in units of the scaled past."""


class NumbersHead(nn.Module, ABC):
    """From features to the distribution of `size` numbers, independent given the features; they are
    scaled.

    A number stands for scale * number + loc in units of the data: nats are those of the latter.
    """

    scaling: ClassVar[Literal["standard", "level"]] = "standard"
    """How the past is scaled for it: by mean and spread, or by its level alone."""
    lower_bound: ClassVar[float] = -inf
    """Below which no number lies, in units of the data."""
    places: int
    """How many outputs of the network each number takes."""

    def __init__(self, features: int, size: int, places: int) -> None:
        super().__init__()
        self.features, self.size, self.places = features, size, places
        self.linear = nn.Linear(features, size * places)

    def raw(self, features: Tensor) -> Tensor:
        """Map features (..., features) to what the distributions are made of, (..., size,
        places)."""
        return self.linear(features).unflatten(-1, (self.size, self.places))

    @abstractmethod
    def distribution(self, raw: Tensor, scale: Tensor) -> Distribution:
        """Make the distribution of scaled numbers, batch shape (...), of `raw` (..., places)."""

    @abstractmethod
    def draw(self, distribution: Distribution, first: Tensor, second: Tensor) -> Tensor:
        """Draw with two uniform numbers in (0, 1), each (..., *batch shape)."""

    def cost(self, raw: Tensor, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the nats of each target, and what is learned from if that is something else."""
        return torch.log(scale) - self.distribution(raw, scale).log_prob(target), None


def normal_quantile(level: Tensor) -> Tensor:
    """Give the quantile of the standard normal distribution.

    >>> normal_quantile(torch.tensor([0.5, 0.975])).mul(100).round().tolist()
    [0.0, 196.0]
    """
    return 2**0.5 * torch.erfinv(2 * level - 1)
