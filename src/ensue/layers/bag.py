"""Feed-forward network over the counts of the last steps, without their order.

It is the simplest baseline for a recurrent network. Its loss minus that of `window` measures what
order is worth.
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
    """Settings of a bag-of-context network."""

    name: Literal["bag-of-context"] = "bag-of-context"
    window: int = Field(default=16, ge=1, le=100_000)
    """Context length in steps, the current one included."""
    width: int = Field(default=256, ge=1)
    """Units of each hidden layer."""
    depth: int = Field(default=2, ge=1, le=1000)
    """Hidden layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate of hidden units."""

    def build(self, inputs: int) -> Bag:
        """Make the layer for `inputs` features a step."""
        return Bag(self, inputs)


class Bag(Causal):
    """y_t = net(mean of the real steps among x_{t-k+1}, ..., x_t).

    With one-hot inputs the mean is the relative frequency of each symbol.

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
        """Return zero past inputs (batch, window - 1, inputs), with a mask that marks none as real.

        The mask is (batch, window - 1).
        """
        parameter = next(self.net.parameters())
        past = parameter.new_zeros(batch_size, self.window - 1, self.inputs)
        return {"past": past, "real": past.new_zeros(past.shape[:2])}

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Apply the network to the mean of every window that ends at a step of x."""
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
