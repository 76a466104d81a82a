"""Backend of the compiled kernels (native/cpp/recurrence.cpp): CPU, float32, no padding.

The schedules are those of the eager backend. A tape gives the kernels the address, order and tick
of each value.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int32, c_int64, c_void_p
from functools import lru_cache

import torch
from torch import Tensor

from ensue.engine.differentiable import Given
from ensue.engine.memory import Memory, Values, parameter
from ensue.engine.program import Program
from ensue.engine.schedule import Slot
from ensue.engine.tape import Tape, tape
from ensue.native import library

FIXED, MOVING, BEFORE, TURNS, REGISTER, CONSTANT = range(6)
STILL = {"weight", "input_bias", "recurrent_bias", "sum", "scratch"}
"""Slot kinds that use the same rows at every tick."""
TILE = 64
FEW = 16
"""Smallest batch for which computing W x inside a tick pays for reading W."""


class _Slot(ctypes.Structure):
    _fields_ = (("base", c_void_p), ("other", c_void_p), ("step", c_int64), ("motion", c_int32))


class Instruction(ctypes.Structure):
    """An operation on slots, or on places of a network (engine/step)."""

    _fields_ = (("operation", c_int32), ("out", c_int32), ("args", c_int32 * 3))


class _Product(ctypes.Structure):
    _fields_ = (
        ("matrix", c_void_p),
        ("row_step", c_int64),
        ("column_step", c_int64),
        *((name, c_int32) for name in ("source", "add", "out", "gates", "units", "inner")),
    )


class _Segment(ctypes.Structure):
    _fields_ = tuple(
        (name, c_int32) for name in ("first", "last", "first_product", "last_product", "units")
    )


class _Entrance(ctypes.Structure):
    _fields_ = tuple((name, c_int32) for name in ("adjoint", "given", "units"))


class _Tape(ctypes.Structure):
    _fields_ = (
        *(
            (name, c_void_p)
            for name in ("slots", "instructions", "products", "segments", "entrances", "rows")
        ),
        *(
            (f"{name}_count", c_int32)
            for name in ("slot", "product", "segment", "entrance", "register")
        ),
        *((name, c_int32) for name in ("ticks", "backward", "threads")),
    )


def usable(program: Program, values: Values) -> bool:
    """Return whether the kernels are available and support a program with these values."""
    kernels = library()
    numbers = [value for name, value in values.items() if name != "ids"]
    if kernels is None or any(
        value.dtype != torch.float32 or value.device.type != "cpu" for value in numbers
    ):
        return False
    return all(operation(node.op) >= 0 for node in program.nodes if node.args)


@lru_cache(maxsize=64)
def operation(name: str) -> int:
    """Return the number of an operation in the kernels; -1 if it is missing."""
    kernels = library()
    return -1 if kernels is None else kernels.ensue_operation(name.encode())


def forward(memory: Memory) -> None:
    """Run the ticks from the first to the last."""
    # Inside a tick W x is added to U h in registers, and needs no pass through memory.
    in_ticks = "ids" not in memory.values and memory.batch >= FEW
    if not in_ticks:
        memory.read()
    _Play(memory, tape(memory.program, "forward", memory.keep, inputs=in_ticks), {}).run(
        backward=False
    )


def backward(memory: Memory, given: Given) -> dict[str, Tensor]:
    """Run the ticks from the last to the first."""
    missing = frozenset(state for state, grad in given.items() if grad is None)
    play = _Play(memory, tape(memory.program, "backward", True, missing), given)
    play.run(backward=True)
    return {state: pair[1] for state, pair in play.carried.items()}


class _Gradient(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("adjoints", "source")),
        *((name, c_int64) for name in ("adjoint_step", "source_step", "steps")),
        *((name, c_int32) for name in ("columns", "inputs")),
        *((name, c_void_p) for name in ("gradient", "sums")),
    )


def weigh(adjoint: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Return adjoint' source of (steps, columns) and (steps, inputs), and the column sums."""
    kernels, source = library(), source if source.stride(1) == 1 else source.contiguous()
    assert kernels is not None
    (steps, columns), inputs = adjoint.shape, source.shape[1]
    gradient, sums = adjoint.new_empty(columns, inputs), adjoint.new_empty(columns)
    addresses = (adjoint.data_ptr(), source.data_ptr())
    strides = (adjoint.stride(0), source.stride(0))
    of = _Gradient(
        *addresses, *strides, steps, columns, inputs, gradient.data_ptr(), sums.data_ptr()
    )
    if not kernels.ensue_weigh(ctypes.byref(of), torch.get_num_threads()):
        raise MemoryError("the kernels ran out of memory")
    return gradient, sums


class _Play:
    """One run of a tape: assigns addresses to slots, and calls the kernels."""

    def __init__(self, memory: Memory, of: Tape, given: Given) -> None:
        self.memory, self.tape = memory, of
        self.referenced: list[Tensor] = []
        """Tensors that the kernels read and nothing else references."""
        self.given = {
            state: None if grad is None else grad.contiguous() for state, grad in given.items()
        }
        initial = {state: memory.values[f"state/{state}"] for state in given}
        self.carried = {
            state: (torch.zeros_like(one), torch.zeros_like(one)) for state, one in initial.items()
        }

    def run(self, backward: bool) -> None:
        """Execute all ticks."""
        tape, sizes, kernels = self.tape, self.memory.sizes, library()
        assert kernels is not None
        slots = [self._slot(slot, place) for slot, place in tape.slots.items()]
        entrances = [self._entrance(state, slots) for state in self.given]
        lists = (
            to_array(_Slot, slots),
            to_array(Instruction, [instruction(*one) for one in tape.instructions]),
            to_array(_Product, [self._product(index) for index in range(len(tape.products))]),
            to_array(_Segment, [self._segment(index) for index in range(len(tape.segments))]),
            to_array(_Entrance, entrances),
            (c_int64 * len(sizes))(*sizes),
        )
        counts = map(len, (slots, tape.products, tape.segments, entrances, tape.registers))
        addresses = (ctypes.addressof(one) for one in lists)
        whole = _Tape(*addresses, *counts, len(sizes), backward, torch.get_num_threads())
        if not kernels.ensue_play(ctypes.byref(whole)):
            raise MemoryError("the kernels ran out of memory")

    def _slot(self, slot: Slot, place: int) -> _Slot:
        kind, which, memory = str(slot[0]), slot[1], self.memory
        if place in self.tape.registers:
            return _Slot(None, None, self.tape.registers[place], REGISTER)
        if kind == "constant":
            return self._at(fill_tile(float(which)), CONSTANT)
        if kind == "old":
            path = memory.path(str(which))
            return self._at(path[memory.batch :], BEFORE, path)
        if kind == "x":
            return self._at(memory.values["x"].contiguous(), MOVING)
        if kind in ("incoming", "outgoing"):
            pair = self.carried[str(which)]
            even, odd = pair if kind == "incoming" else pair[::-1]
            return self._at(even, TURNS, odd)
        if kind == "given":
            grad = self.given[str(which)]
            if grad is None:
                return _Slot()
            return self._at(grad, BEFORE, torch.zeros_like(self.carried[str(which)][0]))
        whole = memory.whole(slot)
        if kind in STILL or len(whole) != memory.steps:
            return self._at(whole, FIXED)
        # The zoneout rate is one expanded number, and a slot has no stride of 0 between units.
        return self._at(whole.contiguous() if kind == "zone" else whole, MOVING)

    def _at(self, tensor: Tensor, motion: int, other: Tensor | None = None) -> _Slot:
        self.referenced += [tensor] if other is None else [tensor, other]
        address = None if other is None else other.data_ptr()
        return _Slot(tensor.data_ptr(), address, tensor.stride(0), motion)

    def _entrance(self, state: str, slots: list[_Slot]) -> _Entrance:
        grad, pair = self.given[state], self.carried[state]
        slots.append(self._at(pair[0], TURNS, pair[1]))
        if grad is not None:
            slots.append(self._at(grad, MOVING))
        last = len(slots) - 1
        return _Entrance(
            last if grad is None else last - 1, -1 if grad is None else last, pair[0].shape[1]
        )

    def _product(self, index: int) -> _Product:
        product, memory = self.tape.products[index], self.memory
        places = product.source, product.add, product.out
        matrix = parameter(memory.program, memory.values, product.matrix)
        self.referenced.append(matrix)
        (outputs, inputs), steps = matrix.shape, matrix.stride()
        if product.matrix[0] == "recurrent_back":
            return _Product(matrix.data_ptr(), *steps[::-1], *places, 1, inputs, outputs)
        units = memory.units(int(product.matrix[1]))
        return _Product(matrix.data_ptr(), *steps, *places, outputs // units, units, inputs)

    def _segment(self, index: int) -> _Segment:
        segment = self.tape.segments[index]
        units = self.memory.units_by_kind(segment.own)
        return _Segment(
            segment.first, segment.last, segment.products.start, segment.products.stop, units
        )


def instruction(name: str, out: int, args: tuple[int, ...]) -> Instruction:
    """Convert an operation to the structure of the kernels."""
    return Instruction(operation(name), out, (c_int32 * 3)(*args, *[-1] * (3 - len(args))))


def to_array(kind: type[ctypes.Structure], members: Sequence[ctypes.Structure]) -> ctypes.Array:
    """Copy structures into an array of the kernels."""
    return (kind * len(members))(*members)


@lru_cache(maxsize=256)
def fill_tile(value: float) -> Tensor:
    """Return a tile filled with one number."""
    return torch.full((TILE,), value)
