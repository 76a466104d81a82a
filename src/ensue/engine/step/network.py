"""One tick of a whole network for the compiled kernels (native/cpp/ticks.cpp), built in parts.

The numbers of a row are contiguous: its state at even ticks, its state at odd ticks, and temporary
values.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.engine.native import Instruction, fill_tile, instruction, to_array
from ensue.engine.shapes import Row, StateShapes, check_state
from ensue.engine.step import structures
from ensue.native import library
from ensue.settings import Precision
from ensue.state import State

Kind = Literal["row", "before", "after", "all", "tile", "units"]
WHERE: dict[Kind, int] = {"row": 0, "before": 0, "after": 0, "all": 1, "tile": 2, "units": 3}
"""Address spaces: per row, shared by rows, per tile (a register), shared by units.

A state is read `before` and written `after` the tick.
"""
FORMATS: dict[Precision, int] = {"fp32": 0, "bf16": 1, "int8": 2}
_LINE = 16
"""Numbers per cache line; values in a row are aligned to it."""


@dataclass(frozen=True)
class StateSlot:
    """A state of a layer: its offset in a row, and its places before and after the tick."""

    offset: int
    units: int
    before: int
    after: int


class Network:
    """Builder of a tick: places are numbered, and stages run in the order of their addition."""

    def __init__(self, weights: Precision) -> None:
        self.format = FORMATS[weights]
        self.places: list[tuple[Kind, int, Tensor | None]] = []
        """Kind, offset and data of each place."""
        self.instructions: list[tuple[str, int, tuple[int, ...]]] = []
        self.matrices: list[tuple[Tensor, int]] = []
        """Matrices with their numbers of gates."""
        self.products: list[tuple[int, int, int, int]] = []
        self.stages: list[tuple[int, int, int, int, int]] = []
        self.lookups: list[tuple[Tensor, int]] = []
        self.states: list[dict[str, StateSlot]] = []
        self.state_numbers = self.numbers = self.registers = 0

    def _place(self, kind: Kind, offset: int = 0, base: Tensor | None = None) -> int:
        self.places.append((kind, offset, base))
        return len(self.places) - 1

    def row(self, units: int) -> int:
        """Allocate `units` numbers in every row."""
        place = self._place("row", self.numbers)
        self.numbers += -(-units // _LINE) * _LINE
        return place

    def part(self, place: int, offset: int) -> int:
        """Return the place at an offset from another place of every row."""
        return self._place("row", self.places[place][1] + offset)

    def shared(self, vector: Tensor) -> int:
        """Add a vector shared by all rows."""
        return self._place("all", base=vector.detach().float().contiguous())

    def constant(self, value: float) -> int:
        """Add a constant."""
        return self._place("units", base=fill_tile(value))

    def register(self, number: int) -> int:
        """Add a register, which lives within one tile."""
        self.registers = max(self.registers, number + 1)
        return self._place("tile", number)

    def state(self, units: int) -> StateSlot:
        """Allocate a state."""
        offset = self.state_numbers
        self.state_numbers += -(-units // _LINE) * _LINE
        return StateSlot(offset, units, self._place("before", offset), self._place("after", offset))

    def lookup(self, table: Tensor, out: int) -> None:
        """Copy to `out` the row of a table (symbols, units) for the symbol that each row reads."""
        self.lookups.append((table.detach().float().contiguous(), out))

    def product(self, matrix: Tensor, source: int, add: int, out: int, gates: int = 1) -> int:
        """Add the product out = add + source * matrix' for a stage; `add` is -1 for none."""
        self.matrices.append((matrix.detach().float().contiguous(), gates))
        self.products.append((len(self.matrices) - 1, source, add, out))
        return len(self.products) - 1

    def stage(
        self, units: int, products: Sequence[int], *instructions: tuple[str, int, tuple[int, ...]]
    ) -> None:
        """Add a stage: the most recent products, then instructions, on all units."""
        first, here = (
            (min(products), len(self.instructions)) if products else (0, len(self.instructions))
        )
        self.instructions += instructions
        self.stages.append((first, first + len(products), here, len(self.instructions), units))

    def normalise(self, x: int, gain: Tensor, shift: Tensor) -> int:
        """Add layer normalisation (Ba et al. 2016), and return the place of its result."""
        units = len(gain)
        y = self.row(units)
        self.stage(units, [], ("normalise", y, (x,)))
        self.stage(
            units, [], ("multiply", y, (y, self.shared(gain))), ("add", y, (y, self.shared(shift)))
        )
        return y


class Ticks:
    """A complete network, packed and ready to run for any number of rows."""

    def __init__(self, network: Network, scores: int, size: int) -> None:
        self.states, self.size = network.states, size
        self.shapes: StateShapes = tuple(
            {name: Row((one.units,)) for name, one in of.items()} for of in network.states
        )
        self._like = torch.empty(0)
        self.products = sum(matrix.numel() for matrix, _ in network.matrices)
        """Multiplications per symbol."""
        self.half = network.state_numbers
        self.stride = 2 * self.half + network.numbers
        self._alive: list[Any] = [network.places, network.matrices, network.lookups]
        weights = [_weights(matrix, gates, network.format) for matrix, gates in network.matrices]
        lists = (
            to_array(structures.Place, [self._place(*place) for place in network.places]),
            to_array(Instruction, [instruction(*one) for one in network.instructions]),
            to_array(structures.Weights, weights),
            to_array(
                structures.Multiplication,
                [structures.Multiplication(*one) for one in network.products],
            ),
            to_array(structures.Stage, [structures.Stage(*one) for one in network.stages]),
            to_array(
                structures.Lookup,
                [structures.Lookup(t.data_ptr(), t.shape[1], out) for t, out in network.lookups],
            ),
        )
        self._alive += [lists, _pack(lists[2])]
        counts = (len(lists[index]) for index in (0, 3, 4, 5))
        addresses = (ctypes.addressof(one) for one in lists)
        self.whole = structures.Network(
            *addresses, *counts, network.registers, scores, size, self.stride, self.half
        )

    def _place(self, kind: Kind, offset: int, base: Tensor | None) -> structures.Place:
        address = None if base is None else base.data_ptr()
        even, odd = {
            "row": (2 * self.half + offset, 2 * self.half + offset),
            "before": (offset, self.half + offset),
            "after": (self.half + offset, offset),
        }.get(kind, (offset, offset))
        return structures.Place(address, even, odd, WHERE[kind])

    def memory(self, state: State, rows: int) -> Tensor:
        """Allocate the memory (rows, numbers) of some rows, with their state. Raises ValueError."""
        check_state(state, self.shapes, rows, self._like)
        layers = cast("tuple[dict[str, Tensor], ...]", state)
        memory = layers[0][next(iter(layers[0]))].new_zeros(rows, self.stride)
        for layer, held in zip(layers, self.states, strict=True):
            for name, one in held.items():
                memory[:, one.offset : one.offset + one.units] = layer[name]
        return memory

    def state(self, memory: Tensor) -> State:
        """Return the state stored in the rows' memory."""
        return tuple(
            {
                name: memory[:, one.offset : one.offset + one.units].clone()
                for name, one in held.items()
            }
            for held in self.states
        )

    def predict(self, memory: Tensor, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read one symbol per row; return the log-probabilities of the next one (rows, size).

        Raises ValueError if the memory or a symbol is invalid.
        """
        ids = self.checked(memory, symbols)
        (log_probs, probabilities) = np.empty((2, len(symbols), self.size))
        written = np.empty(len(symbols), np.int32)
        writing = structures.Writing(rows=len(symbols), ticks=1, threads=torch.get_num_threads())
        writing.memory, writing.symbols = memory.data_ptr(), ids.ctypes.data
        writing.log_probs, writing.probabilities = log_probs.ctypes.data, probabilities.ctypes.data
        writing.written = written.ctypes.data
        self.write(None, writing)
        return log_probs

    def checked(self, memory: Tensor, symbols: NDArray[np.int64]) -> NDArray[np.int32]:
        """Validate memory and symbols; return the symbols as int32. Raises ValueError."""
        plain = (
            memory.dtype == torch.float32 and memory.device.type == "cpu" and memory.is_contiguous()
        )
        if memory.shape != (len(symbols), self.stride) or not plain:
            what = f"{tuple(memory.shape)} of {memory.dtype} on {memory.device}"
            raise ValueError(
                f"the memory is {what}, and the kernels need "
                f"{(len(symbols), self.stride)} of float32"
            )
        if symbols.dtype != np.int64 or symbols.ndim != 1:
            raise ValueError(
                f"the symbols are {symbols.shape} of {symbols.dtype}, not (rows,) of int64"
            )
        # Viewed as unsigned, negative symbols exceed any valid one, so one comparison is enough.
        if len(symbols) and int(symbols.view(np.uint64).max()) > self.size:
            raise ValueError(
                f"the symbols go from {symbols.min()} to {symbols.max()}, not from 0 to {self.size}"
            )
        return symbols.astype(np.int32)

    def write(self, rules: structures.Rules | None, writing: structures.Writing) -> int:
        """Generate symbols for each row; return the number of ticks executed."""
        kernels = library()
        assert kernels is not None
        pointer = None if rules is None else ctypes.byref(rules)
        ticks = kernels.ensue_write(ctypes.byref(self.whole), pointer, ctypes.byref(writing))
        if ticks < 0:
            raise MemoryError("the kernels ran out of memory")
        return ticks


def _weights(matrix: Tensor, gates: int, weights: int) -> structures.Weights:
    outputs, inner = matrix.shape
    return structures.Weights(
        matrix.data_ptr(), matrix.stride(0), None, weights, gates, outputs // gates, inner
    )


def _pack(weights: ctypes.Array) -> Tensor:
    """Pack all matrices into one allocation."""
    kernels = library()
    assert kernels is not None
    kernels.ensue_packed_bytes.restype = ctypes.c_int64
    sizes = [kernels.ensue_packed_bytes(ctypes.byref(one)) for one in weights]
    # The kernels read whole cache lines, so the matrices are aligned to 64 bytes.
    memory = torch.empty(sum(sizes) + 64, dtype=torch.uint8)
    at = -(-memory.data_ptr() // 64) * 64
    for one, size in zip(weights, sizes, strict=True):
        one.panels = at
        at += size
    kernels.ensue_pack(weights, len(weights), torch.get_num_threads())
    return memory
