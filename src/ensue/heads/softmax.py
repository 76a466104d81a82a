"""Softmax head: independent tags, from a linear layer and a softmax."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.heads.contract import PathHead
from ensue.heads.paths import StepTags, to_float32
from ensue.settings import Settings


class SoftmaxSettings(Settings):
    """Settings of the softmax head over tags."""

    name: Literal["softmax"] = "softmax"

    def build(self, features: int, size: int) -> Softmax:
        """Make the head for `size` tags."""
        return Softmax(features, size)


class Softmax(PathHead):
    """P(y_t) = softmax(W f_t + b)_{y_t}.

    >>> import torch
    >>> SoftmaxSettings().build(8, 5)(torch.zeros(2, 3, 8), torch.tensor([3, 1])).mode.shape
    torch.Size([2, 3])
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.features = features
        self.linear = nn.Linear(features, size)

    def forward(self, features: Tensor, lengths: Tensor) -> Distribution:
        """Map features (batch, time, features) to a distribution over tags (batch, time)."""
        return StepTags(to_float32(self.linear(features)), lengths)
