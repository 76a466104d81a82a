"""Fitted parameters as named arrays, and loading them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ensue.atomic_io import damage_error, format_errors
from ensue.batch import Batch
from ensue.errors import RunError
from ensue.models.contract import Model

CHUNK = 1 << 20
"""Numbers per chunk of the check for non-finite values, which bounds its memory."""
ALLOWED_FACTOR, ALLOWED_MINIMUM = 4, 100_000
"""Limits of the numbers allocated while a model is built.

The first is a multiple of the saved numbers, the second a minimum. A few times the saved numbers is
usual: the parameters, and temporary arrays that initialise them.
"""
ALLOCATORS = {
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
"""Torch functions that allocate numbers."""

Kinds = dict[str, tuple[str, tuple[int, ...]]]
"""Of each array by name: the kind of number ("f", "i"), and the shape."""


@contextmanager
def limit_allocation(saved: int, where: str) -> Generator[None, None, None]:
    """Limit the size of models built within this context, by the numbers saved in the file `where`.

    Settings from an untrusted run may ask for more memory than there is. Raises RunError before it
    is allocated.
    """
    with _AllocationLimit(max(ALLOWED_FACTOR * saved, ALLOWED_MINIMUM), where):
        yield


class _AllocationLimit(TorchFunctionMode):
    def __init__(self, left: int, where: str) -> None:
        super().__init__()
        self.left, self.where = left, where

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in ALLOCATORS and given.get("out") is None:
            try:
                self.left -= func(*args, **{**given, "device": "meta"}).numel()
            except (RuntimeError, TypeError):  # more than can be said
                self.left = -1
            if self.left < 0:
                raise mismatch("the settings need more weights than are saved").at(self.where)
        return func(*args, **given)


def load_into(model: Any, arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Load the arrays of the file `where` into a model. Raises RunError that names file and array.

    A non-finite number would make every prediction meaningless, so it is refused.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in _chunks(array)):
            raise damage_error(where, f"the saved {name!r} holds a number that is not finite")
    try:
        with format_errors(where):
            model.load(arrays)
    except RunError as error:
        raise error.at(where) from None


def _chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    flat = array.reshape(-1)
    return (flat[begin : begin + CHUNK] for begin in range(0, len(flat), CHUNK))


def mismatch(what: str) -> RunError:
    """Build the error of saved arrays that are not those of the model that loads them."""
    return RunError(what, hint="use the settings of its training")


def kinds_and_shapes(arrays: Mapping[str, np.ndarray]) -> Kinds:
    """Return the kind of number and the shape of each array, to compare with those expected."""
    return {name: (array.dtype.kind, array.shape) for name, array in arrays.items()}


def join_arrays(parts: Iterable[tuple[object, Model]]) -> dict[str, np.ndarray]:
    """Return the arrays of models that another one consists of, each as PART.NAME."""
    return {
        f"{part}.{name}": array for part, model in parts for name, array in model.arrays().items()
    }


class ParameterMixin(nn.Module):
    """Mixin for models trained by gradient: their parameters, by name, are what is saved."""

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters; frozen ones are not counted."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return a copy of every parameter; a shared one appears once."""
        return {
            name: parameter.detach().cpu().numpy().copy()
            for name, parameter in self.named_parameters()
        }

    @torch.no_grad()
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load every parameter. Raises RunError if one is missing, unknown or of another shape."""
        own = dict(self.named_parameters())
        if unexpected := sorted(own.keys() ^ arrays.keys()):
            raise mismatch(f"the saved weights and the network differ in {unexpected[0]!r}")
        for name, parameter in own.items():
            if parameter.shape != arrays[name].shape:
                shapes = f"{list(arrays[name].shape)}, and the network has {list(parameter.shape)}"
                raise mismatch(f"the saved {name!r} is {shapes}")
            parameter.copy_(torch.from_numpy(np.array(arrays[name])))


class ArrayMixin:
    """Mixin for models fitted in closed form: `array_names` names the tensors that are saved."""

    array_names: ClassVar[tuple[str, ...]]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the tensors as arrays."""
        return {name: getattr(self, name).numpy() for name in self.array_names}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load the tensors. Raises RunError if one is missing, unknown or of another shape."""
        own, saved = kinds_and_shapes(self.arrays()), kinds_and_shapes(arrays)
        if unexpected := sorted(name for name, _ in own.items() ^ saved.items()):
            raise mismatch(f"the saved {unexpected[0]!r} does not fit the model")
        for name, array in arrays.items():
            setattr(self, name, torch.from_numpy(np.array(array)))


class WrapperMixin:
    """Mixin for a model around another one, whose parameters it has."""

    model: Any

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters."""
        return self.model.parameter_count

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the fitted parameters of the inner model."""
        return self.model.arrays()

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""
        self.model.load(arrays)


def build_embeddings(symbols: Mapping[str, int], features: int) -> nn.ModuleDict:
    """Build an embedding table of `features` for each field, given its number of symbols."""
    tables = nn.ModuleDict({name: nn.Embedding(count, features) for name, count in symbols.items()})
    for table in tables.parameters():
        # Symbols of like meaning have to find each other; from torch's N(0, 1) that takes long.
        nn.init.normal_(table, std=0.1)
    return tables


def get_device(model: object) -> torch.device:
    """Return the device of a model; models without parameters compute on the CPU."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def to_device(batch: Batch[np.ndarray], device: torch.device) -> Batch[Tensor]:
    """Copy a batch's arrays to tensors on the device."""
    return batch.map(lambda array: torch.tensor(array, device=device))
