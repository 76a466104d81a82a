"""Contract of heads over numbers. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

LEAST = 1e-4
"""Minimum of a predicted spread, in units of the scaled past; it keeps the likelihood finite."""
GREEDY = 1e-6
"""Least divisor of logits: a temperature of 0 takes the most probable alternative."""


class NumbersHead(nn.Module, ABC):
    """From features to the distribution of `size` scaled numbers, independent given the features.

    A number y stands for scale * y + loc in units of the data. Nats are those of the latter.
    """

    lower_bound: ClassVar[float] = -inf
    """Lower bound of the support, in units of the data."""
    places: int
    """Network outputs per number."""

    def __init__(self, features: int, size: int, places: int) -> None:
        super().__init__()
        self.features, self.size, self.places = features, size, places
        self.linear = nn.Linear(features, size * places)

    def raw(self, features: Tensor) -> Tensor:
        """Map features (..., features) to distribution parameters (..., size, places)."""
        return self.linear(features).unflatten(-1, (self.size, self.places))

    @abstractmethod
    def distribution(self, raw: Tensor, scale: Tensor) -> Distribution:
        """Build the distribution of scaled numbers, batch shape (...), from `raw` (..., places)."""

    @abstractmethod
    def draw(self, distribution: Distribution, first: Tensor, second: Tensor) -> Tensor:
        """Sample from two uniform numbers in (0, 1), each (..., *batch shape)."""

    def soften(self, distribution: Any, temperature: float) -> Any:
        """Return the distribution with its variance multiplied by the temperature."""
        raise NotImplementedError(f"{type(self).__name__} has no temperature")

    def cost(self, raw: Tensor, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the nats of each target, and the training loss if that differs, else None."""
        return torch.log(scale) - self.distribution(raw, scale).log_prob(target), None


class NumbersDistribution:
    """The distribution of numbers by a head, with one `draw`, as of the steps of all models."""

    def __init__(self, head: NumbersHead, raw: Tensor, scale: Tensor) -> None:
        self.head, self.of_numbers = head, head.distribution(raw, scale)

    def draw(self, uniforms: Tensor) -> Tensor:
        """Sample from uniform numbers in (0, 1), (..., 2)."""
        return self.head.draw(self.of_numbers, *uniforms.unbind(-1))


def normal_quantile(level: Tensor) -> Tensor:
    """Compute the quantile of the standard normal distribution.

    >>> normal_quantile(torch.tensor([0.5, 0.975])).mul(100).round().tolist()
    [0.0, 196.0]
    """
    return 2**0.5 * torch.erfinv(2 * level - 1)
