"""Multilabel head: an independent sigmoid for each label."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from ensue.heads.contract import Head


class Multilabel(Head):
    """P(y) = prod_k p_k^y_k (1 - p_k)^(1 - y_k), p = sigmoid(W f + b), y in {0, 1}^size.

    >>> import torch
    >>> head = Multilabel(8, 3)
    >>> head(torch.zeros(2, 8)).log_prob(torch.ones(2, 3)).shape
    torch.Size([2])
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.features, self.size = features, size
        self.linear = nn.Linear(features, size)

    def forward(self, features: Tensor) -> Independent:
        """Map features (..., features) to a distribution over binary vectors (..., size)."""
        return Independent(
            Bernoulli(logits=self.linear(features), validate_args=False), 1, validate_args=False
        )
