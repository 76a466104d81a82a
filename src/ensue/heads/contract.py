"""Contracts of output heads. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.distributions import Distribution


class Head(nn.Module, ABC):
    """An output head: from features to the distribution of a step or a label."""

    features: int
    """Input features."""

    @abstractmethod
    def forward(self, features: Tensor) -> Distribution:
        """Map features (..., features) to a distribution with batch shape (...)."""

    def nats(self, features: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target, in nats, (...); a head may fuse it."""
        return -self(features).log_prob(target)

    def cost(self, features: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the nats of each target, and the training loss if that differs, else None."""
        return self.nats(features, target), None


class PathHead(nn.Module, ABC):
    """A structured head: from the features of all steps to the joint distribution of labels."""

    features: int
    """Input features per step."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Distribution:
        """Map features (batch, time, features) to a distribution over ids (batch, time).

        Its batch shape is (batch,). It has `log_prob`, `mode`, `sample` and `marginals` (batch,
        time, ids). `lengths` (batch,) are above 0.
        """
