"""Mixture density head (Bishop 1994, "Mixture density networks"), for multimodal futures."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn import functional as F

from ensue.heads.numbers.contract import GREEDY, LEAST, NumbersHead, normal_quantile
from ensue.settings import Settings


class MixtureHeadSettings(Settings):
    """Settings of the mixture density head."""

    name: Literal["mixture"] = "mixture"
    components: int = Field(3, ge=1)
    """Number of mixture components."""

    def build(self, features: int, size: int) -> MixtureHead:
        """Make the head for `size` numbers."""
        return MixtureHead(features, size, places=3 * self.components)


class MixtureHead(NumbersHead):
    """y ~ sum_k weight_k N(mean_k, spread_k)."""

    def distribution(self, raw: Tensor, scale: Tensor) -> MixtureSameFamily:
        """Build the mixtures."""
        weight, mean, spread = raw.unflatten(-1, (3, -1)).unbind(-2)
        # Components with equal initial parameters would get equal gradients, so their means differ.
        mean = (
            mean
            + torch.linspace(-1, 1, mean.shape[-1] + 2, dtype=mean.dtype, device=mean.device)[1:-1]
        )
        parts = Normal(mean, F.softplus(spread) + LEAST, validate_args=False)
        chosen = Categorical(logits=weight, validate_args=False)
        return MixtureSameFamily(chosen, parts, validate_args=False)

    def soften(self, distribution: Any, temperature: float) -> MixtureSameFamily:
        """Multiply the variances, and divide the logits of the components (Ha & Eck 2018)."""
        logits = distribution.mixture_distribution.logits / max(temperature, GREEDY)
        parts = distribution.component_distribution
        parts = Normal(parts.loc, parts.scale * temperature**0.5, validate_args=False)
        chosen = Categorical(logits=logits, validate_args=False)
        return MixtureSameFamily(chosen, parts, validate_args=False)

    def draw(self, distribution: Any, first: Tensor, second: Tensor) -> Tensor:
        """Sample the component by the first uniform number, and its value by the second."""
        chances = distribution.mixture_distribution.probs.cumsum(-1)
        chosen = (first[..., None] > chances[..., :-1]).sum(-1, keepdim=True)
        parts = distribution.component_distribution
        shape = (*chosen.shape[:-1], chances.shape[-1])
        mean, spread = (
            torch.gather(one.expand(shape), -1, chosen)[..., 0] for one in (parts.loc, parts.scale)
        )
        return mean + spread * normal_quantile(second)
