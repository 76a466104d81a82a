"""Recurrent layers that read each sequence both ways (Schuster & Paliwal 1997, "Bidirectional
recurrent networks")."""

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
    """Settings of a stack of recurrent layers that read both ways."""

    name: Literal["bidirectional"] = "bidirectional"
    cell: Cell = "lstm"
    """A cell of the catalogue, or the path of a Python file that defines one; a run keeps the
    program made of that."""
    width: int = Field(default=128, ge=1)
    """Units of each direction of each layer; twice as many features come out."""
    depth: int = Field(default=1, ge=1, le=1000)
    """Layers in the stack; each reads what both directions of the one below gave."""
    residual: bool = False
    """Whether each layer after the first adds to what it reads instead of replacing it."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units dropped between layers in training, drawn anew at each step."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """Share of recurrent weights dropped for each batch of training (Merity et al. 2018)."""

    def build(self, inputs: int) -> Bidirectional:
        """Make the layer for `inputs` features a step."""
        return Bidirectional(self, inputs)


class Bidirectional(Encoder):
    """y_t = (forwards over x_1, ..., x_t; backwards over x_n, ..., x_t), n being the row's own last
    step.

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
        places = _backwards(x, lengths)
        for depth, (forwards, backwards) in enumerate(
            zip(self.forwards, self.backwards, strict=True)
        ):
            read = F.dropout(x, self.settings.dropout, self.training) if depth else x
            ahead, _ = forwards(read, lengths=lengths)
            back, _ = backwards(_placed(read, places), lengths=lengths)
            y = torch.cat([ahead, _placed(back, places)], dim=2)
            x = x + y if depth and self.settings.residual else y
        return without_padding(x, lengths)


def _backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Give where each step comes from when rows are read backwards, (batch, time); padding stays
    where it is."""
    steps = torch.arange(x.shape[1], device=x.device)
    if lengths is None:
        return steps.flip(0).expand(len(x), -1)
    back = lengths.to(x.device)[:, None] - 1 - steps
    return torch.where(back >= 0, back, steps)


def _placed(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places[..., None].expand(*places.shape, x.shape[2]))
