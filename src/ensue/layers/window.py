"""Feed-forward network over a fixed window (Bengio et al. 2003).

The paper is "A neural probabilistic language model". The network is the classic baseline for a
recurrent one: it reads the last `window` inputs, each at its own position, and nothing earlier.
Hidden units are GELU instead of the paper's tanh, and there is no direct connection from input to
output.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from ensue.engine import Features, dense
from ensue.layers.contract import Causal
from ensue.settings import Settings
from ensue.state import State


class WindowSettings(Settings):
    """Settings of a fixed-window network."""

    name: Literal["window"] = "window"
    window: int = Field(default=16, ge=1, le=100_000)
    """Context length in steps, the current one included."""
    width: int = Field(default=256, ge=1)
    """Units of each hidden layer."""
    depth: int = Field(default=2, ge=1, le=1000)
    """Hidden layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate of hidden units."""

    def build(self, inputs: int) -> Window:
        """Make the layer for `inputs` features a step."""
        return Window(self, inputs)


class Window(Causal):
    """y_t = net(x_{t-k+1}, ..., x_t), with zeros before the first step.

    >>> layer = WindowSettings(window=3, width=8).build(4)
    >>> y, state = layer(torch.zeros(2, 5, 4), layer.initial(2))
    >>> y.shape, state.shape
    (torch.Size([2, 5, 8]), torch.Size([2, 2, 4]))
    """

    def __init__(self, settings: WindowSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.width, self.window = inputs, settings.width, settings.window
        self.net = hidden_layers(
            inputs * settings.window, settings.width, settings.depth, settings.dropout
        )

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return zeros (batch, window - 1, inputs) as past inputs."""
        parameter = next(self.net.parameters())
        return parameter.new_zeros(batch_size, self.window - 1, self.inputs)

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Apply the network to every window that ends at a step of x."""
        x = dense(x)
        if not x.shape[1]:
            return x.new_empty(len(x), 0, self.width), state
        x, past = look_back(x, cast(Tensor, state), lengths)
        return self.net(x.unfold(1, self.window, 1).flatten(2)), past


def hidden_layers(inputs: int, width: int, depth: int, dropout: float) -> nn.Sequential:
    """Stack `depth` hidden layers of `width` GELU units."""
    sizes = [inputs] + [width] * depth
    layers = [(nn.Linear(a, b), nn.GELU(), nn.Dropout(dropout)) for a, b in pairwise(sizes)]
    return nn.Sequential(*(part for layer in layers for part in layer))


def look_back(x: Tensor, past: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Concatenate the past (batch, k, ...) and x (batch, time, ...).

    Returns the result, and the past of the next step of each row.
    """
    whole = torch.cat([past, x], dim=1)
    offsets = torch.arange(past.shape[1], device=x.device)
    if lengths is None:
        return whole, whole[:, x.shape[1] :]
    rows = torch.arange(len(x), device=x.device)[:, None]
    return whole, whole[rows, lengths.to(x.device)[:, None] + offsets]
