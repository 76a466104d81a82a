"""Convolutions over time, several kernel sizes in parallel (Kim 2014; Collobert et al. 2011)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.layers.contract import Encoder
from ensue.layers.padding import without_padding
from ensue.settings import Settings


class ConvolutionSettings(Settings):
    """Settings of a stack of convolutional layers."""

    name: Literal["convolution"] = "convolution"
    width: int = Field(default=128, ge=1)
    """Output channels of each kernel size; they are concatenated."""
    windows: tuple[PositiveInt, ...] = Field(default=(3,), min_length=1)
    """Kernel sizes in steps, centred; an even size reads one more step after than before."""
    depth: int = Field(default=2, ge=1, le=1000)
    """Number of layers."""
    residual: bool = True
    """Residual connections around every layer after the first."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate between layers."""

    def build(self, inputs: int) -> Convolution:
        """Make the layer for `inputs` features a step."""
        return Convolution(self, inputs)


class Convolution(Encoder):
    """y_t = GELU(sum_k W_k x_{t+k} + b) for each kernel size, repeated `depth` times.

    x is zero before the first step and after the last one.

    >>> net = ConvolutionSettings(width=4, windows=(3, 5)).build(3)
    >>> net(torch.zeros(2, 5, 3), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, settings: ConvolutionSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.settings, self.width = (
            inputs,
            settings,
            settings.width * len(settings.windows),
        )
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.Conv1d(read, settings.width, window) for window in settings.windows)
            for read in [inputs] + [self.width] * (settings.depth - 1)
        )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width), zero past `lengths`."""
        x = without_padding(x, lengths)
        for depth, windows in enumerate(self.layers):
            read = (F.dropout(x, self.settings.dropout, self.training) if depth else x).transpose(
                1, 2
            )
            y = F.gelu(
                torch.cat([_along(read, one) for one in windows.children()], 1).transpose(1, 2)
            )
            # The bias makes padding nonzero, so it is zeroed again before the next layer reads it.
            x = without_padding(x + y if depth and self.settings.residual else y, lengths)
        return x


def _along(x: Tensor, convolution: nn.Module) -> Tensor:
    """Convolve x (batch, channels, time) with padding that preserves the number of steps."""
    assert isinstance(convolution, nn.Conv1d)
    around = convolution.kernel_size[0] - 1
    return convolution(F.pad(x, (around // 2, around - around // 2)))
