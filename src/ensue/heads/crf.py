"""Linear-chain conditional random field (Lafferty, McCallum & Pereira 2001)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.heads.contract import PathHead
from ensue.heads.paths import Chain, ChainTags, to_float32
from ensue.settings import Settings


class CRFSettings(Settings):
    """Settings of the conditional random field."""

    name: Literal["crf"] = "crf"

    def build(self, features: int, size: int) -> CRF:
        """Make the head for `size` tags."""
        return CRF(features, size)


class CRF(PathHead):
    """A linear chain with emission scores W f_t + b and learned transition, first and last scores.

    >>> CRFSettings().build(8, 5)(torch.zeros(2, 3, 8), torch.tensor([3, 1])).log_partition.shape
    torch.Size([2])
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.features = features
        self.linear = nn.Linear(features, size)
        self.first, self.last = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))
        self.change = nn.Parameter(torch.zeros(size, size))

    def forward(self, features: Tensor, lengths: Tensor) -> Distribution:
        """Map features (batch, time, features) to a distribution over tags (batch, time)."""
        return ChainTags(
            to_float32(self.linear(features)), lengths, Chain(self.first, self.change, self.last)
        )
