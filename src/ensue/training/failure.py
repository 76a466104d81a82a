"""When the numbers are no longer numbers: which layer it was, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import UserError


class TrainingError(UserError):
    """Training cannot go on; what was good is kept on the disk."""


class NonFiniteError(Exception):
    """A loss or a gradient is NaN or infinite; the weights have not been changed by it."""

    def __init__(self, layer: str, cause: str) -> None:
        super().__init__(f"{cause} in {layer}")
        self.layer, self.cause = layer, cause


def diagnose(network: nn.Module, compute: Callable[[], Tensor]) -> NonFiniteError:
    """Find the first layer with a number that is none, by computing the batch's objective once
    more."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            return NonFiniteError(name.rpartition(".")[0] or name, "weights that are not finite")
    network.zero_grad()
    ran, broken = _watch_outputs(network, compute)
    if broken:
        return NonFiniteError(broken, "an output that is not finite")
    # The last first: a gradient comes back from the loss, and breaks all that it passes after. Then
    # those that never ran themselves, such as a table whose rows are looked up.
    for name, module in [*reversed(ran), ("", network)]:
        for own, parameter in reversed(list(module.named_parameters(name))):
            if parameter.grad is not None and _broken(parameter.grad):
                return NonFiniteError(own.rpartition(".")[0], "a gradient that is not finite")
    return NonFiniteError("the loss", "a value that is not finite")


def _watch_outputs(
    network: nn.Module, compute: Callable[[], Tensor]
) -> tuple[list[tuple[str, nn.Module]], str | None]:
    """Give the modules in the order in which they ran, and the name of the first whose output is
    broken."""
    ran: list[tuple[str, nn.Module]] = []
    broken: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            ran.append((name, module))
            if any(_broken(tensor) for tensor in _tensors(output)):
                broken.append(name)

        return hook

    hooks = [
        part.register_forward_hook(watch(name)) for name, part in network.named_modules() if name
    ]
    try:
        compute().backward()
    except ValueError:
        if not broken:  # else it is a distribution that refuses what is not finite
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
