"""Quantile head, trained with the pinball loss (Koenker & Bassett 1978; Wen et al. 2017)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F

from ensue.heads.numbers.contract import LEAST, NumbersHead
from ensue.settings import Settings

LEVELS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99)


class QuantilesSettings(Settings):
    """Settings of the quantile head."""

    name: Literal["quantiles"] = "quantiles"

    def build(self, features: int, size: int) -> Quantiles:
        """Make the head for `size` numbers."""
        return Quantiles(features, size, places=len(LEVELS))


class Interpolated(Distribution):
    """Density that is constant between quantiles (..., levels), with exponential tails outside."""

    def __init__(self, values: Tensor) -> None:
        super().__init__(values.shape[:-1], validate_args=False)
        self.values = values
        self.levels = torch.tensor(LEVELS, dtype=values.dtype, device=values.device)
        self.densities = self.levels.diff() / values.diff(dim=-1)
        self.tails = LEVELS[0] / self.densities[..., 0], (1 - LEVELS[-1]) / self.densities[..., -1]
        """Mean lengths of the tails, chosen so that the density is continuous where they begin."""

    @property
    def mean(self) -> Tensor:
        """The mean."""
        between = ((self.values[..., 1:] + self.values[..., :-1]) / 2 * self.levels.diff()).sum(-1)
        low = LEVELS[0] * (self.values[..., 0] - self.tails[0])
        return between + low + (1 - LEVELS[-1]) * (self.values[..., -1] + self.tails[1])

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density."""
        value, values = torch.broadcast_tensors(value[..., None], self.values)
        place = (value[..., :1] > values).sum(-1)
        between = (place - 1).clamp(0, len(LEVELS) - 2)[..., None]
        inside = torch.log(
            torch.gather(self.densities.expand(*values.shape[:-1], -1), -1, between)[..., 0]
        )
        low = (value[..., 0] - values[..., 0]) / self.tails[0]
        high = (values[..., -1] - value[..., 0]) / self.tails[1]
        return (
            inside
            + torch.where(place == 0, low, 0.0)
            + torch.where(place == len(LEVELS), high, 0.0)
        )

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of any levels in (0, 1)."""
        place = (value[..., None] > self.levels).sum(-1)
        between = (place - 1).clamp(0, len(LEVELS) - 2)[..., None]
        shape = (*between.shape[:-1], len(LEVELS))
        begin = torch.gather(self.values.expand(shape), -1, between)[..., 0]
        density = torch.gather(self.densities.expand(*shape[:-1], -1), -1, between)[..., 0]
        inside = begin + (value - self.levels[between[..., 0]]) / density
        low = self.values[..., 0] + self.tails[0] * torch.log(value / LEVELS[0])
        high = self.values[..., -1] - self.tails[1] * torch.log((1 - value) / (1 - LEVELS[-1]))
        return torch.where(place == 0, low, torch.where(place == len(LEVELS), high, inside))


class Quantiles(NumbersHead):
    """Quantiles of 15 levels, in order: the median, and positive increments up and down from it."""

    def distribution(self, raw: Tensor, scale: Tensor) -> Interpolated:
        """Build the interpolated distributions."""
        middle = len(LEVELS) // 2
        steps = F.softplus(raw - 1.0) + LEAST
        down, up = (
            steps[..., :middle].flip(-1).cumsum(-1).flip(-1),
            steps[..., middle + 1 :].cumsum(-1),
        )
        median = raw[..., middle : middle + 1]
        return Interpolated(torch.cat([median - down, median, median + up], -1))

    def soften(self, distribution: Any, temperature: float) -> Interpolated:
        """Draw all quantiles nearer to the median, by the root of the temperature."""
        median = distribution.values[..., len(LEVELS) // 2, None]
        return Interpolated(median + (distribution.values - median) * temperature**0.5)

    def cost(self, raw: Tensor, target: Tensor, scale: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the detached nats, and the mean pinball loss as the training loss."""
        distribution = self.distribution(raw, scale)
        nats = torch.log(scale) - distribution.log_prob(target)
        above = target[..., None] - distribution.values
        missed = torch.maximum(distribution.levels * above, (distribution.levels - 1) * above)
        return nats.detach(), 2 * missed.mean(-1)

    def draw(self, distribution: Any, first: Tensor, second: Tensor) -> Tensor:
        """Sample by the inverse CDF of the first uniform number."""
        return distribution.icdf(first)
