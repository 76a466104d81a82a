"""A feed-forward network over the counts of the last few steps, whatever their order.

The simplest alternative to a recurrent network: what it loses against `window` is what order is
worth.
"""

from __future__ import annotations

from typing import Literal, cast

from pydantic import Field
from torch import Tensor

from ensue.engine import Features, dense
from ensue.layers.contract import Causal
from ensue.layers.window import hidden_layers, look_back
from ensue.settings import Settings
from ensue.state import State


class BagSettings(Settings):
    """Settings of a network over the counts of a fixed window."""

    name: Literal["bag-of-context"] = "bag-of-context"
    window: int = Field(default=16, ge=1, le=100_000)
    """Steps counted, the present one included."""
    width: int = Field(default=256, ge=1)
    """Units of each hidden layer."""
    depth: int = Field(default=2, ge=1, le=1000)
    """Hidden layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of hidden units dropped in training."""

    def build(self, inputs: int) -> Bag:
        """Make the layer for `inputs` features a step."""
        return Bag(self, inputs)


class Bag(Causal):
    """y_t = net(mean of the real ones among x_{t-k+1}, ..., x_t); of one-hot inputs, the share of
    each symbol.

    >>> import torch
    >>> layer = BagSettings(window=3, width=8).build(4)
    >>> y, state = layer(torch.zeros(2, 5, 4), layer.initial(2))
    >>> y.shape, state["past"].shape, state["real"].shape
    (torch.Size([2, 5, 8]), torch.Size([2, 2, 4]), torch.Size([2, 2]))
    """

    def __init__(self, settings: BagSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.width, self.window = inputs, settings.width, settings.window
        self.net = hidden_layers(inputs, settings.width, settings.depth, settings.dropout)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the inputs before the first, zeros (batch, window - 1, inputs), and mark that
        none is real."""
        parameter = next(self.net.parameters())
        past = parameter.new_zeros(batch_size, self.window - 1, self.inputs)
        return {"past": past, "real": past.new_zeros(past.shape[:2])}

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Apply the same network to the mean of every window that ends in x."""
        x = dense(x)
        if not x.shape[1]:
            return x.new_empty(len(x), 0, self.width), state
        before = cast("dict[str, Tensor]", state)
        x, past = look_back(x, before["past"], lengths)
        real, past_real = look_back(
            x.new_ones(len(x), x.shape[1] - self.window + 1), before["real"], lengths
        )
        total = x.unfold(1, self.window, 1).sum(3)
        count = real.unfold(1, self.window, 1).sum(2)
        return self.net(total / count[..., None]), {"past": past, "real": past_real}
