"""A causal layer as an encoder: it starts from its initial state and drops its final state."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from torch import Tensor

from ensue.layers.bag import BagSettings
from ensue.layers.contract import Causal, Encoder
from ensue.layers.padding import without_padding
from ensue.layers.recurrent import RecurrentSettings
from ensue.layers.window import WindowSettings
from ensue.settings import Settings, choice

LAYERS: dict[str, type[Settings]] = {
    "recurrent": RecurrentSettings,
    "window": WindowSettings,
    "bag-of-context": BagSettings,
}

Layer = Annotated[Any, choice(LAYERS)]


class UnidirectionalSettings(Settings):
    """Settings of a unidirectional encoder."""

    name: Literal["unidirectional"] = "unidirectional"
    layer: Layer = RecurrentSettings(width=128)
    """Causal layer."""

    def build(self, inputs: int) -> Unidirectional:
        """Make the layer for `inputs` features a step."""
        return Unidirectional(self.layer.build(inputs))


class Unidirectional(Encoder):
    """y_t = layer(x_1, ..., x_t).

    >>> import torch
    >>> UnidirectionalSettings(layer=WindowSettings(width=4)).build(3)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, layer: Causal) -> None:
        super().__init__()
        self.layer = layer
        self.inputs, self.width = layer.inputs, layer.width

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width), zero past `lengths`."""
        y, _ = self.layer(x, self.layer.initial(len(x)), lengths)
        return without_padding(y, lengths)
