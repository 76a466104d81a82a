"""Heads for the tags of a sentence: a softmax at each step, or a conditional random field over them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.heads.contract import PathHead
from ensue.heads.paths import Chain, ChainTags, StepTags
from ensue.settings import Settings


class SoftmaxSettings(Settings):
    """Settings of the head that gives each step its tag by itself."""

    name: Literal["softmax"] = "softmax"

    def build(self, features: int, size: int) -> Softmax:
        """Make the head for `size` tags."""
        return Softmax(features, size)


class CRFSettings(Settings):
    """Settings of the conditional random field."""

    name: Literal["crf"] = "crf"

    def build(self, features: int, size: int) -> CRF:
        """Make the head for `size` tags."""
        return CRF(features, size)


class Softmax(PathHead):
    """P(y_t) = softmax(W f_t + b)_{y_t}.

    >>> SoftmaxSettings().build(8, 5)(torch.zeros(2, 3, 8), torch.tensor([3, 1])).mode.shape
    torch.Size([2, 3])
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.features = features
        self.linear = nn.Linear(features, size)

    def forward(self, features: Tensor, lengths: Tensor) -> Distribution:
        """Map features (batch, time, features) to a distribution over tags (batch, time)."""
        return StepTags(_whole(self.linear(features)), lengths)


class CRF(PathHead):
    """The chain over scores W f_t + b, with learned scores of neighbours, of the first tag and the last.

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
        return ChainTags(_whole(self.linear(features)), lengths, Chain(self.first, self.change, self.last))


def _whole(scores: Tensor) -> Tensor:
    """A sum of many probabilities in half precision loses the small ones."""
    return scores if scores.dtype is torch.float64 else scores.float()
