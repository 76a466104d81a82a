"""A causal layer as an encoder: it starts from its initial state and drops its final state."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ensue.layers.contract import Causal, Encoder
from ensue.layers.padding import without_padding


class Unidirectional(Encoder):
    """y_t = layer(x_1, ..., x_t)."""

    def __init__(self, layer: Causal) -> None:
        super().__init__()
        self.layer = layer
        self.inputs, self.width = layer.inputs, layer.width

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width), zero past `lengths`."""
        y, _ = self.layer(x, self.layer.initial(len(x)), lengths)
        return without_padding(y, lengths)


def build_encoder(settings: Any, inputs: int) -> Encoder:
    """Build the encoder of some settings; a causal layer is one by itself.

    >>> import torch
    >>> from ensue.layers import WindowSettings
    >>> build_encoder(WindowSettings(width=4), 3)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """
    layer = settings.build(inputs)
    return Unidirectional(layer) if isinstance(layer, Causal) else layer
