"""Bidirectional recurrent layers (Schuster & Paliwal 1997, "Bidirectional recurrent networks")."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.layers.contract import Encoder
from ensue.layers.padding import without_padding
from ensue.layers.recurrent import Cell, RecurrentSettings
from ensue.settings import Settings


class BidirectionalSettings(Settings):
    """Settings of a stack of bidirectional recurrent layers."""

    name: Literal["bidirectional"] = "bidirectional"
    cell: Cell = "lstm"
    """Cell name, or path of a Python file that defines one; a run stores its program."""
    width: int = Field(default=128, ge=1)
    """Hidden units per layer and direction; each layer has twice as many output features."""
    depth: int = Field(default=1, ge=1, le=1000)
    """Number of layers; each reads both directions of the layer below."""
    residual: bool = False
    """Residual connections around every layer after the first."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate between layers, with a new mask at each step."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """DropConnect rate of recurrent weights, with one mask per batch (Merity et al. 2018)."""

    def build(self, inputs: int) -> Bidirectional:
        """Make the layer for `inputs` features a step."""
        return Bidirectional(self, inputs)


class Bidirectional(Encoder):
    """y_t = (forward layer over x_1, ..., x_t; backward layer over x_n, ..., x_t).

    n is the last real step of each row.

    >>> net = BidirectionalSettings(cell="gru", width=4, depth=2).build(3)
    >>> net(torch.zeros(2, 5, 3), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, settings: BidirectionalSettings, inputs: int) -> None:
        super().__init__()
        one = RecurrentSettings(
            cell=settings.cell, width=settings.width, weight_drop=settings.weight_drop
        )
        self.inputs, self.settings = inputs, settings
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for _ in range(settings.depth):
            ahead, back = one.build(inputs), one.build(inputs)
            self.forwards.append(ahead)
            self.backwards.append(back)
            inputs = ahead.width + back.width
        self.width = inputs

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width), zero past `lengths`."""
        places = _reverse_index(x, lengths)
        for depth, (forwards, backwards) in enumerate(
            zip(self.forwards, self.backwards, strict=True)
        ):
            read = F.dropout(x, self.settings.dropout, self.training) if depth else x
            ahead, _ = forwards(read, lengths=lengths)
            back, _ = backwards(_permute(read, places), lengths=lengths)
            y = torch.cat([ahead, _permute(back, places)], dim=2)
            x = x + y if depth and self.settings.residual else y
        return without_padding(x, lengths)


def _reverse_index(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the source step of each step in reversed rows, (batch, time).

    Padding stays in place.
    """
    steps = torch.arange(x.shape[1], device=x.device)
    if lengths is None:
        return steps.flip(0).expand(len(x), -1)
    back = lengths.to(x.device)[:, None] - 1 - steps
    return torch.where(back >= 0, back, steps)


def _permute(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places[..., None].expand(*places.shape, x.shape[2]))
