"""Non-finite losses and gradients: which layer broke, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import UserError


class TrainingError(UserError):
    """Training cannot continue; the last good weights are saved."""


class NonFiniteError(Exception):
    """A loss or gradient is NaN or infinite; the weights are unchanged."""

    def __init__(self, layer: str, cause: str) -> None:
        super().__init__(f"{cause} in {layer}")
        self.layer, self.cause = layer, cause


def diagnose(network: nn.Module, compute: Callable[[], Tensor]) -> NonFiniteError:
    """Find the first layer with a non-finite value, by computing the batch's objective again."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            return NonFiniteError(name.rpartition(".")[0] or name, "weights that are not finite")
    network.zero_grad()
    ran, broken = _watch_outputs(network, compute)
    if broken:
        return NonFiniteError(broken, "an output that is not finite")
    # Last layer first: back-propagation starts at the loss, and spreads a broken gradient to all
    # earlier layers. Then modules without a forward pass of their own, such as a lookup table.
    for name, module in [*reversed(ran), ("", network)]:
        for own, parameter in reversed(list(module.named_parameters(name))):
            if parameter.grad is not None and _broken(parameter.grad):
                return NonFiniteError(own.rpartition(".")[0], "a gradient that is not finite")
    return NonFiniteError("the loss", "a value that is not finite")


def _watch_outputs(
    network: nn.Module, compute: Callable[[], Tensor]
) -> tuple[list[tuple[str, nn.Module]], str | None]:
    """Return the modules in order of execution, and the first with a non-finite output, if any."""
    ran: list[tuple[str, nn.Module]] = []
    broken: list[str] = []

    def make_hook(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            ran.append((name, module))
            if any(_broken(tensor) for tensor in _tensors(output)):
                broken.append(name)

        return hook

    hooks = [
        part.register_forward_hook(make_hook(name))
        for name, part in network.named_modules()
        if name
    ]
    try:
        compute().backward()
    except ValueError:
        if not broken:  # torch's distributions raise ValueError for non-finite parameters
            raise
    finally:
        for hook in hooks:
            hook.remove()
    return ran, broken[0] if broken else None


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)
    elif isinstance(output, dict):
        yield from _tensors(tuple(output.values()))


def _broken(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
