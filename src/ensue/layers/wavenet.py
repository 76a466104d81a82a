"""WaveNet: gated dilated causal convolutions with residual and skip connections.

From van den Oord et al. (2016), "WaveNet: a generative model for raw audio".
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.engine import Features, dense
from ensue.layers.causal_convolution import CausalConvolution
from ensue.layers.contract import Causal
from ensue.settings import Settings
from ensue.state import State


class WaveNetSettings(Settings):
    """Settings of a WaveNet."""

    name: Literal["wavenet"] = "wavenet"
    kernel: int = Field(default=2, ge=1, le=1000)
    """Kernel size: steps that a convolution reads."""
    width: int = Field(default=128, ge=1)
    """Features of the output, and of the skip connections that are summed for it."""
    residual: int = Field(default=64, ge=1)
    """Channels of each layer and of its residual connection."""
    depth: int = Field(default=10, ge=1, le=1000)
    """Number of layers."""
    cycle: int = Field(default=10, ge=1, le=24)
    """Layers after which dilations begin again at 1; they double from layer to layer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate of each layer's input."""

    def build(self, inputs: int) -> WaveNet:
        """Make the layer for `inputs` features a step."""
        return WaveNet(self, inputs)


class WaveNet(Causal):
    """z = tanh(conv(x)) * sigmoid(conv(x)); x goes on as x + W z, and V z is added to the output.

    The output is W' ReLU of the sum of all V z. x is zero before the first step.

    >>> layer = WaveNetSettings(width=8, residual=4, depth=3, cycle=2).build(5)
    >>> y, state = layer(torch.zeros(2, 6, 5))
    >>> y.shape, [past.shape[1] for past in state]
    (torch.Size([2, 6, 8]), [1, 2, 1])
    """

    def __init__(self, settings: WaveNetSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.width, self.dropout = inputs, settings.width, settings.dropout
        channels = settings.residual
        self.channels = channels
        self.input = nn.Linear(inputs, channels)
        self.gates = nn.ModuleList(
            CausalConvolution(
                channels, 2 * channels, settings.kernel, 2 ** (depth % settings.cycle)
            )
            for depth in range(settings.depth)
        )
        # One product gives a layer's residual and its skip; the last has no layer after it.
        self.outputs = nn.ModuleList(
            nn.Linear(channels, self.width + channels * (depth + 1 < settings.depth))
            for depth in range(settings.depth)
        )
        self.output = nn.Linear(self.width, self.width)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return zeros as the past inputs of every layer, (batch, dilation, channels)."""
        return tuple(cast(CausalConvolution, one).initial(batch_size) for one in self.gates)

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the final state of each row."""
        x = dense(x)
        if not x.shape[1]:
            return x.new_empty(len(x), 0, self.width), state
        x = self.input(x)
        skips: Tensor | None = None
        ends: list[State] = []
        for gates, output, past in zip(self.gates, self.outputs, state, strict=True):
            read = F.dropout(x, self.dropout, self.training)
            both, past = gates(read, past, lengths)
            change, gate = both.chunk(2, -1)
            made = output(torch.tanh(change) * torch.sigmoid(gate))
            skip = made[..., : self.width]
            skips = skip if skips is None else skips + skip
            if made.shape[-1] > self.width:
                x = x + made[..., self.width :]
            ends.append(past)
        return self.output(F.relu(cast(Tensor, skips))), tuple(ends)
