"""One number of a whole example, by one of the heads for numbers."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.distributions import Distribution

from ensue.heads.contract import Head
from ensue.heads.numbers import NUMBERS, NumbersHead
from ensue.settings import Settings

Told = Literal["gaussian", "quantiles"]


class NumberSettings(Settings):
    """Settings of the head for one number."""

    name: Literal["number"] = "number"
    told: Told = "gaussian"
    """What is told of it: a normal distribution, or quantiles."""

    def build(self, features: int, size: int = 1) -> Number:
        """Make the head for one number; `size` is 1."""
        head: Any = NUMBERS[self.told]()
        return Number(head.build(features, 1))


class Number(Head):
    """p(y) as a head of `heads.numbers` has it, for one number, in its own units.

    >>> import torch
    >>> NumberSettings(told="quantiles").build(8)(torch.zeros(2, 3, 8)).mean.shape
    torch.Size([2, 3])
    """

    def __init__(self, of_numbers: NumbersHead) -> None:
        super().__init__()
        self.features, self.size, self.of_numbers = of_numbers.features, 1, of_numbers

    def forward(self, features: Tensor) -> Distribution:
        """Map features (..., features) to a distribution over numbers."""
        return self.of_numbers.distribution(self.of_numbers.raw(features)[..., 0, :], features.new_ones(()))

    def cost(self, features: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the nats of each target, and of quantiles what it costs to miss them, which is learned from."""
        return self.of_numbers.cost(self.of_numbers.raw(features)[..., 0, :], target, features.new_ones(()))
