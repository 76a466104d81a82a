"""What a forecaster is, beside a Predictor. Read this page before adding a file to this folder.

Batches have the fields of `ensue.data.series.windows.Inputs`, all scaled by the past of each window
alone. The distribution of a forecaster is that of the field "target", (batch, horizon, channels),
in the same scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.batch import Batch
from ensue.heads.numbers import NumbersHead
from ensue.models.contract import Loss

Uniforms = Callable[[int], tuple[Tensor, Tensor]]
"""Gives, for one step ahead from 0, two uniform numbers in (0, 1) of each path, (paths, batch,
channels)."""


@dataclass(frozen=True)
class Sizes:
    """How many numbers of each sort there are in a batch."""

    channels: int
    known: int
    """At each step, of the past and of the future."""
    calendar: int
    """How many of those, the first, are waves of the calendar: at one step they say all about
    the others."""
    past: int
    static: int
    window: int
    horizon: int
    season: int


class Forecasting(ABC):
    """Says what the steps after the past may be."""

    horizon: int
    """The most steps that it can forecast; 0 for any number."""

    @abstractmethod
    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor] | None:
        """Give mean and spread of each step (batch, horizon, channels), if each is normally
        distributed."""

    @abstractmethod
    def draw(self, batch: Batch[Tensor], uniforms: Uniforms) -> Tensor:
        """Draw whole paths, (paths, batch, horizon, channels). The field "target" is not looked
        at."""


def numbers_loss(head: NumbersHead, raw: Tensor, batch: Batch[Tensor]) -> Loss:
    """Give the nats of each row's targets, in units of the data; what was filled in costs
    nothing."""
    nats, extra = (
        None if cost is None else torch.where(batch["observed"], cost, 0.0).sum((1, 2))
        for cost in head.cost(raw, batch["target"], batch["scale"][:, None])
    )
    assert nats is not None
    return Loss(nats, batch.counts, extra)
