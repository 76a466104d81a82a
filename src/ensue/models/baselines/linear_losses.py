"""Generalised linear models: what scores say of a label, of several or of a number."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal
from torch.nn import functional as F

LEAST_SPREAD = 1e-6
"""Of numbers around what is told of them; none is told with more certainty."""


def distribution(kind: str, scores: Tensor, spread: Tensor) -> Distribution:
    """Give the distribution of the target, of scores (batch, size): softmax, a sigmoid for each, or
    normal errors.

    >>> distribution("multiclass", torch.zeros(1, 4), torch.ones(1)).probs.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    if kind == "regression":
        return Normal(scores[:, 0], spread.to(scores), validate_args=False)
    if kind == "multilabel":
        return Independent(Bernoulli(logits=scores, validate_args=False), 1, validate_args=False)
    return Categorical(logits=scores, validate_args=False)


def loss(kind: str, scores: Tensor, target: Tensor) -> Tensor:
    """Give what is minimised: the mean nats of labels, half the mean square of the errors of
    numbers."""
    if kind == "regression":
        return F.mse_loss(scores[:, 0], target.to(scores)) / 2
    return distribution(kind, scores, torch.ones(1)).log_prob(target).mean().neg()


def residual_spread(scores: Tensor, target: Tensor) -> Tensor:
    """Give the standard deviation of numbers around what is told of them, (1,)."""
    return (scores[:, 0] - target).square().mean().sqrt().clamp(min=LEAST_SPREAD)[None]
