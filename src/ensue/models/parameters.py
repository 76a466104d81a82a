"""What a model has learned as named arrays, and back."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ensue.atomic_io import damage_error, format_errors
from ensue.errors import RunError

CHECKED_AT_ONCE = 1 << 20
"""Numbers that are looked at together."""
BESIDE, AT_LEAST = 4, 100_000
"""So many times the saved numbers, or so many numbers, may be taken while a model is made; what was
saved and something to draw it from is usual."""
NEW = {
    torch.empty,
    torch.zeros,
    torch.ones,
    torch.full,
    torch.rand,
    torch.randn,
    torch.eye,
    torch.arange,
    torch.tensor,
}
"""What takes memory for numbers."""


@contextmanager
def no_larger_than(arrays: Mapping[str, np.ndarray], where: str) -> Generator[None, None, None]:
    """Within, make no model that is much larger than what stands in the file `where`: whoever wrote
    the settings may ask for more memory than there is. Raises RunError before it is taken.
    """
    with _Counted(max(BESIDE * sum(array.size for array in arrays.values()), AT_LEAST), where):
        yield


class _Counted(TorchFunctionMode):
    def __init__(self, left: int, where: str) -> None:
        super().__init__()
        self.left, self.where = left, where

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in NEW and given.get("out") is None:
            try:
                self.left -= func(*args, **{**given, "device": "meta"}).numel()
            except (RuntimeError, TypeError):  # more than can be said
                self.left = -1
            if self.left < 0:
                what = "the saved weights are fewer than the settings ask for"
                raise RunError(what, where=self.where, hint="use the settings they had")
        return func(*args, **given)


def load_into(model: Any, arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Let a model take over what stands in the file `where`. Raises RunError that names file and
    array.

    A number that is not finite would make every answer nonsense, so it is refused, but for an
    infinity in the arrays that the model names as `infinite`.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            meant = name in getattr(model, "infinite", ())
            if not all(
                (~np.isnan(part) if meant else np.isfinite(part)).all()
                for part in _stretches(array)
            ):
                raise damage_error(where, f"the saved {name!r} holds a number that is not finite")
    try:
        with format_errors(where):
            model.load(arrays)
    except RunError as error:
        raise error.at(where) from None


def _stretches(array: np.ndarray) -> Iterator[np.ndarray]:
    flat = array.reshape(-1)
    return (flat[begin : begin + CHECKED_AT_ONCE] for begin in range(0, len(flat), CHECKED_AT_ONCE))


class ParameterMixin(nn.Module):
    """What a model that learns by gradient is beside its contract: its parameters by name are
    what it has learned."""

    @property
    def parameter_count(self) -> int:
        """How many numbers were learned; those that are given and stay are not."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def arrays(self) -> dict[str, np.ndarray]:
        """Give a copy of every parameter, once where two parts share it."""
        return {
            name: parameter.detach().cpu().numpy().copy()
            for name, parameter in self.named_parameters()
        }

    @torch.no_grad()
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over every parameter. Raises RunError if one is missing, unknown or of another
        shape."""
        own = dict(self.named_parameters())
        if odd := sorted(own.keys() ^ arrays.keys()):
            raise RunError(
                f"the saved weights and the network differ in {odd[0]!r}",
                hint="use the settings they had",
            )
        for name, parameter in own.items():
            if parameter.shape != arrays[name].shape:
                shapes = f"{list(arrays[name].shape)}, and the network has {list(parameter.shape)}"
                raise RunError(f"the saved {name!r} is {shapes}", hint="use the settings it had")
            parameter.copy_(torch.from_numpy(np.array(arrays[name])))


class ArrayMixin:
    """What a model that is fitted at one go is beside its contract: tensors of these names are
    what it has learned."""

    kept: ClassVar[tuple[str, ...]]

    def arrays(self) -> dict[str, np.ndarray]:
        """Give them."""
        return {name: getattr(self, name).numpy() for name in self.kept}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take them over. Raises RunError if one is missing, unknown or of another shape."""
        own, there = (
            {name: one.shape for name, one in arrays.items()} for arrays in (self.arrays(), arrays)
        )
        if odd := sorted(
            name for name in own.keys() | there.keys() if own.get(name) != there.get(name)
        ):
            raise RunError(
                f"the saved {odd[0]!r} is not what the model has", hint="use the settings it had"
            )
        for name, array in arrays.items():
            setattr(self, name, torch.from_numpy(np.array(array)))


class WrapperMixin:
    """What a model around another is beside its contract: it has learned what that one has."""

    model: Any

    @property
    def parameter_count(self) -> int:
        """How many numbers it has learned."""
        return self.model.parameter_count

    @property
    def infinite(self) -> Collection[str]:
        """In which arrays an infinity means something."""
        return getattr(self.model, "infinite", ())

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give what it has learned."""
        return self.model.arrays()

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises RunError if a name or shape does not fit."""
        self.model.load(arrays)


def tables_of(symbols: Mapping[str, int], features: int) -> nn.ModuleDict:
    """Give a table of `features` for the symbols of each field, of which there are so many."""
    tables = nn.ModuleDict({name: nn.Embedding(count, features) for name, count in symbols.items()})
    for table in tables.parameters():
        # Symbols of like meaning have to find each other; from torch's N(0, 1) that takes long.
        nn.init.normal_(table, std=0.1)
    return tables


def device_of(model: object) -> torch.device:
    """Say where a model computes; what is no network does so on the CPU."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))
