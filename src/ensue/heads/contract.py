"""Contracts of output heads. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from ensue.fields import Steps
from ensue.heads.numbers.contract import GREEDY


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


class StepDistribution(ABC):
    """The distribution of steps of several fields, with batch shape (...)."""

    @abstractmethod
    def costs(self, steps: Steps) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the nats of each field (...), and its training loss if that differs, else None.

        Numbers count by their density in units of the data.
        """

    @abstractmethod
    def draw(self, uniforms: Tensor, temperature: float = 1.0) -> Steps:
        """Sample steps from uniform numbers in (0, 1), (..., fields, 2).

        A temperature below 1 sharpens the distribution; 0 takes the most probable symbols and the
        centres of numbers.
        """

    def log_prob(self, steps: Steps) -> Tensor:
        """Return the log-density of each step, (...), with numbers in units of the data."""
        return -torch.stack([nats for nats, _ in self.costs(steps)]).sum(0)


def compute_nats(scores: Tensor, ids: Tensor) -> Tensor:
    """Compute the negative log-likelihood of ids (...) under logits (..., size), in nats."""
    nats = F.cross_entropy(scores.flatten(0, -2), ids.flatten(), reduction="none")
    return nats.view(ids.shape)


def draw_symbols(scores: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """Sample ids (...) by inverting the distribution of logits (..., size), but not the last id.

    That is the id of unknown symbols. `uniforms` (...) are in (0, 1).
    """
    known = scores.double()[..., :-1] / max(temperature, GREEDY)
    chances = torch.softmax(known, -1).cumsum(-1)
    target = uniforms[..., None] * chances[..., -1:]
    return (chances <= target).sum(-1).clamp(max=known.shape[-1] - 1)
