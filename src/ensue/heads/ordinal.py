"""Ordinal head: cumulative logits, also called proportional odds (McCullagh 1980)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical as Choice
from torch.nn import functional as F

from ensue.heads.contract import Head


class Ordinal(Head):
    """P(y <= k) = sigmoid(c_k - w f), with thresholds c_0 < c_1 < ... that all examples share.

    The `size` labels go from the lowest to the highest.

    >>> head = Ordinal(8, 4)
    >>> head(torch.zeros(2, 8)).probs.shape
    torch.Size([2, 4])
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.features, self.size = features, size
        self.linear = nn.Linear(features, 1, bias=False)
        # These thresholds make all labels equally likely at w f = 0.
        cuts = torch.logit(torch.arange(1, size) / size)
        self.lowest = nn.Parameter(cuts[:1])
        self.gaps = nn.Parameter(torch.log(torch.expm1(cuts.diff())))

    def forward(self, features: Tensor) -> Choice:
        """Map features (..., features) to a distribution over ranks on the scale."""
        gaps = F.softplus(self.gaps)
        below = torch.cat([self.lowest, self.lowest + gaps.cumsum(0)]) - self.linear(features)
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which is exact far out
        # too.
        inner = (
            F.logsigmoid(below[..., 1:])
            + F.logsigmoid(-below[..., :-1])
            + torch.log(-torch.expm1(-gaps))
        )
        ends = F.logsigmoid(below[..., :1]), F.logsigmoid(-below[..., -1:])
        return Choice(logits=torch.cat([ends[0], inner, ends[1]], -1), validate_args=False)
