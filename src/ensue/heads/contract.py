"""What a head is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.distributions import Distribution


class Head(nn.Module, ABC):
    """From features to the distribution of a step or a label."""

    features: int
    """Features that go in."""

    @abstractmethod
    def forward(self, features: Tensor) -> Distribution:
        """Map features (..., features) to a distribution with batch shape (...)."""

    def nats(self, features: Tensor, target: Tensor) -> Tensor:
        """Give minus the log-probability of each target, in nats, (...). A head may compute it
        in a fused way."""
        return -self(features).log_prob(target)

    def cost(self, features: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the nats of each target, and what is learned from if that is something else."""
        return self.nats(features, target), None


class PathHead(nn.Module, ABC):
    """From the features of all steps to the distribution of what all of them are together."""

    features: int
    """Features that go in at each step."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Distribution:
        """Map features (batch, time, features) to a distribution over ids (batch, time), with batch
        shape (batch,).

        It has `log_prob`, `mode`, `sample` and `marginals` (batch, time, ids); `lengths` (batch,)
        are above 0.
        """
