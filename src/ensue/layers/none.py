"""Identity encoder; with mean pooling it gives a bag of embeddings (Joulin et al. 2017)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ensue.layers.contract import Encoder
from ensue.layers.padding import without_padding
from ensue.settings import Settings


class NoLayerSettings(Settings):
    """Settings of the identity encoder; it has none."""

    name: Literal["none"] = "none"

    def build(self, inputs: int) -> NoLayer:
        """Make the layer for `inputs` features a step."""
        return NoLayer(inputs)


class NoLayer(Encoder):
    """y_t = x_t."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs = self.width = inputs

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return x, zero past `lengths`."""
        return without_padding(x, lengths)
