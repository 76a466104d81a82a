"""Temporal convolutional network: residual blocks of dilated causal convolutions.

From Bai, Kolter & Koltun (2018), "An empirical evaluation of generic convolutional and recurrent
networks for sequence modeling". Unlike there, nothing follows the sum of a block, so that the
residual path is linear from input to output.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from ensue.engine import Features, dense
from ensue.layers.contract import Causal
from ensue.layers.window import look_back
from ensue.settings import Settings
from ensue.state import State


class TCNSettings(Settings):
    """Settings of a temporal convolutional network."""

    name: Literal["tcn"] = "tcn"
    kernel: int = Field(default=3, ge=1, le=1000)
    """Kernel size: steps that a convolution reads."""
    width: int = Field(default=128, ge=1)
    """Channels of each block."""
    depth: int = Field(default=6, ge=1, le=1000)
    """Number of blocks, of two convolutions each."""
    growth: int = Field(default=2, ge=1, le=1000)
    """Factor of the dilation from block to block; 1 for convolutions without dilation."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate of whole channels after each convolution."""

    def build(self, inputs: int) -> TCN:
        """Make the layer for `inputs` features a step."""
        return TCN(self, inputs)


class CausalConvolution(nn.Module):
    """y_t = sum_i W_i x_{t-i*dilation} + b; the last inputs are kept by whoever calls it.

    >>> convolution = CausalConvolution(3, 4, kernel=2, dilation=5)
    >>> y, past = convolution(torch.zeros(2, 7, 3), torch.zeros(2, 5, 3))
    >>> y.shape, past.shape
    (torch.Size([2, 7, 4]), torch.Size([2, 5, 3]))
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.inputs, self.span = inputs, (kernel - 1) * dilation
        self.convolution = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)

    def initial(self, batch_size: int) -> Tensor:
        """Return zeros (batch, span, inputs) as past inputs."""
        return self.convolution.weight.new_zeros(batch_size, self.span, self.inputs)

    def forward(
        self, x: Tensor, past: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map x (batch, time, inputs) to y (batch, time, outputs), and return the next past."""
        whole, past = look_back(x, past, lengths)
        if x.shape[1] > 1:
            return self.convolution(whole.transpose(1, 2)).transpose(1, 2), past
        # A single step is one product with what the kernel touches, not a convolution.
        kernel, dilation = self.convolution.kernel_size[0], self.convolution.dilation[0]
        read = whole[:, torch.arange(kernel) * dilation]
        weight = self.convolution.weight.transpose(1, 2).flatten(1)
        return F.linear(read.flatten(1), weight, self.convolution.bias)[:, None], past


class TCN(Causal):
    """x + ReLU(conv(ReLU(conv(x)))) in each block, with dilations 1, growth, growth^2, ...

    Weights are normalised (Salimans & Kingma 2016). x is zero before the first step.

    >>> layer = TCNSettings(width=8, depth=2).build(4)
    >>> y, state = layer(torch.zeros(2, 5, 4))
    >>> y.shape, [past.shape[1] for block in state for past in block]
    (torch.Size([2, 5, 8]), [2, 2, 4, 4])
    """

    def __init__(self, settings: TCNSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.width, self.dropout = inputs, settings.width, settings.dropout
        width = settings.width
        self.input = nn.Linear(inputs, width) if inputs != width else nn.Identity()
        self.blocks = nn.ModuleList()
        for depth in range(settings.depth):
            dilation = settings.growth**depth
            pair = [
                CausalConvolution(
                    inputs if depth == first == 0 else width, width, settings.kernel, dilation
                )
                for first in range(2)
            ]
            for one in pair:
                # He et al. (2015): the scale at which ReLU keeps the variance.
                nn.init.kaiming_normal_(one.convolution.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, one.convolution.bias))
                weight_norm(one.convolution)
            self.blocks.append(nn.ModuleList(pair))

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return zeros as the past inputs of every convolution, (batch, steps, channels)."""
        return tuple(
            tuple(cast(CausalConvolution, one).initial(batch_size) for one in self._pair(block))
            for block in self.blocks
        )

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the final state of each row."""
        x = dense(x)
        if not x.shape[1]:
            return x.new_empty(len(x), 0, self.width), state
        ends: list[State] = []
        for depth, (block, queues) in enumerate(zip(self.blocks, state, strict=True)):
            y, pair = x, []
            for one, past in zip(self._pair(block), queues, strict=True):
                y, past = one(y, past, lengths)
                y = self._drop(F.relu(y))
                pair.append(past)
            x = y + (self.input(x) if depth == 0 else x)
            ends.append(tuple(pair))
        return x, tuple(ends)

    def _pair(self, block: nn.Module) -> list[nn.Module]:
        return list(cast(nn.ModuleList, block))

    def _drop(self, y: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return y
        return y * F.dropout(torch.ones_like(y[:, :1]), self.dropout)
