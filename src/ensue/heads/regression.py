"""Regression head: one numeric label, by one of the heads for numbers."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.distributions import Distribution

from ensue.heads.contract import Head
from ensue.heads.numbers import NUMBERS

RegressionOutput = Literal["gaussian", "quantiles"]


class Regression(Head):
    """p(y) of one number in its own units: normal, or by quantiles (`heads.numbers`).

    >>> import torch
    >>> Regression(8, output="quantiles")(torch.zeros(2, 3, 8)).mean.shape
    torch.Size([2, 3])
    """

    def __init__(self, features: int, size: int = 1, output: RegressionOutput = "gaussian") -> None:
        super().__init__()
        head: Any = NUMBERS[output]()
        self.features, self.size, self.of_numbers = features, size, head.build(features, size)

    def forward(self, features: Tensor) -> Distribution:
        """Map features (..., features) to a distribution over numbers."""
        return self.of_numbers.distribution(
            self.of_numbers.raw(features)[..., 0, :], features.new_ones(())
        )

    def cost(self, features: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the nats of each target, and the pinball loss for quantiles, else None."""
        return self.of_numbers.cost(
            self.of_numbers.raw(features)[..., 0, :], target, features.new_ones(())
        )
