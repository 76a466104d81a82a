"""The weights of a network as named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ensue.errors import RunError


def parameter_count(network: nn.Module) -> int:
    """Count the numbers that a network learns.

    >>> parameter_count(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())


def arrays_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Give a copy of every parameter, once where two parts share it.

    >>> sorted(arrays_of(nn.Linear(3, 2)))
    ['bias', 'weight']
    """
    return {name: parameter.detach().cpu().numpy().copy() for name, parameter in network.named_parameters()}


@torch.no_grad()
def load_into(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Take over every parameter. Raises RunError if one is missing, unknown or of another shape."""
    own = dict(network.named_parameters())
    if odd := sorted(own.keys() ^ arrays.keys()):
        raise RunError(f"the saved weights and the network differ in {odd[0]!r}", mend="use the settings they had")
    for name, parameter in own.items():
        if parameter.shape != arrays[name].shape:
            shapes = f"{list(arrays[name].shape)}, and the network has {list(parameter.shape)}"
            raise RunError(f"the saved {name!r} is {shapes}", mend="use the settings it had")
        parameter.copy_(torch.from_numpy(np.array(arrays[name])))
