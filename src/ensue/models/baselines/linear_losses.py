"""Losses and distributions of generalised linear models."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal
from torch.nn import functional as F

LEAST_SPREAD = 1e-6
"""Minimum standard deviation of residuals."""


def distribution(kind: str, scores: Tensor, spread: Tensor) -> Distribution:
    """Return the distribution of the target for scores (batch, size).

    It is softmax for one label, a sigmoid for each of several, normal errors for numbers.

    >>> distribution("multiclass", torch.zeros(1, 4), torch.ones(1)).probs.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    if kind == "regression":
        return Normal(scores[:, 0], spread.to(scores), validate_args=False)
    if kind == "multilabel":
        return Independent(Bernoulli(logits=scores, validate_args=False), 1, validate_args=False)
    return Categorical(logits=scores, validate_args=False)


def loss(kind: str, scores: Tensor, target: Tensor) -> Tensor:
    """Return the training loss: mean nats of labels, or half the mean squared error of numbers."""
    if kind == "regression":
        return F.mse_loss(scores[:, 0], target.to(scores)) / 2
    return distribution(kind, scores, torch.ones(1)).log_prob(target).mean().neg()


def residual_spread(scores: Tensor, target: Tensor) -> Tensor:
    """Return the standard deviation of the residuals, (1,)."""
    return (scores[:, 0] - target).square().mean().sqrt().clamp(min=LEAST_SPREAD)[None]
