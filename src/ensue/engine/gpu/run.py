"""From a run's memory to launches: what the kernels of a program are given, and in which order
they run."""

from __future__ import annotations

import importlib
import linecache
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ensue.engine.differentiable import Given
from ensue.engine.gpu.source import SIZES, Kernel, Multiplication, pieces, whole
from ensue.engine.memory import GATES, Memory, parameter
from ensue.engine.schedule import Slot
from ensue.engine.tape import has_own_width

ROWS = 16
"""Rows of the batch that a block has: the least that tl.dot takes, for the fewer they are the
more blocks work."""
FEW = 256
"""Units up to which one launch has all ticks."""
REGISTERS = 65536
"""Numbers that a block can hold in registers: more would go to slow memory at every tick."""
ROOM = 96 * 1024
"""Bytes of shared memory that all GPUs of the last years have for a block."""
LEAST = 16
"""Units of the smallest tile that tl.dot takes."""
TILE = 2048
"""Numbers that a block has at once where ticks are launched one by one."""
TOO_LARGE: set[tuple] = set()
"""What no GPU here had room for, of kernels for all ticks, units and type."""


class Run:
    """One way through the ticks, "forward" or "backward"; `given` is what the loss gives to the
    paths."""

    def __init__(self, memory: Memory, given: Given, phase: str) -> None:
        self.memory, self.given = memory, given
        missing = frozenset(state for state, grad in given.items() if grad is None)
        self.request = memory.program, phase, memory.keep, missing
        self.tensors: dict[Slot, Tensor] = {}
        self.x, self.sizes = memory.values["x"], tuple(memory.sizes)
        self.firsts = _firsts(self.sizes, memory.batch)
        self.units = {part.own: memory.units_by_kind(part.own) for part in memory.program.stages}

    @property
    def backward(self) -> bool:
        """Whether the last tick comes first."""
        return self.request[1] == "backward"

    def at_once(self) -> bool:
        """Run all ticks in one launch; say whether that could be done."""
        kernel, tiles = whole(*self.request), self._tiles()
        signature = kernel, tiles, self.x.dtype
        crowded = kernel.held * ROWS * max(tiles) > REGISTERS
        if max(self.units.values()) > FEW or crowded or signature in TOO_LARGE:
            return False
        reach, gates = (
            _reach(self.sizes, self.x.device),
            max(len(part.gates) for part in self.memory.program.stages),
        )
        block, options = shape_of_block(gates, max(tiles), self.x.element_size())
        try:
            self._launch(kernel, reach, len(reach), block, options)
        except importlib.import_module("triton.runtime.errors").OutOfResources:
            TOO_LARGE.add(signature)
            return False
        return True

    def play(self, ticks: Iterable[int]) -> None:
        """Run some ticks one by one."""
        rows = max(1, TILE // max(self._tiles()))
        for tick in ticks:
            for one in pieces(*self.request):
                if isinstance(one, Kernel):
                    self._launch(
                        one, tick, -(-self.sizes[tick] // rows), (rows, LEAST), {"num_warps": 4}
                    )
                else:
                    self._multiply(one, tick)

    def _launch(
        self,
        kernel: Kernel,
        when: Tensor | int,
        blocks: int,
        block: tuple[int, int],
        options: dict[str, int],
    ) -> None:
        tensors = [self.tensor(key) for key in kernel.places]
        if not blocks:
            return
        units = [self.units.get(own, next(iter(self.units.values()))) for own in (False, True)]
        compiled_for = dict(
            zip(SIZES, (*units, *self._tiles(), *block, _precision(self.x)), strict=True)
        )
        table = _table(self.firsts, self.x.device)
        _function(kernel.source)[(blocks,)](
            *tensors,
            table,
            when,
            self.memory.batch,
            **compiled_for,
            **options,
            enable_fp_fusion=True,
        )

    def _tiles(self) -> tuple[int, int]:
        layer, own = (
            max(LEAST, 1 << (self.units.get(own, 1) - 1).bit_length()) for own in (False, True)
        )
        return layer, own

    def _multiply(self, one: Multiplication, tick: int) -> None:
        """Write the product of this tick's rows."""
        matrix = self.tensor(("recurrent", one.matrix[1]))
        matrix = matrix.T if one.matrix[0] == "recurrent" else matrix
        source = self._rows(one.source, tick)
        torch.mm(source, matrix, out=self.tensor(one.place)[: len(source)])

    def _rows(self, slot: Slot, tick: int) -> Tensor:
        """Give a tick's rows of the source of a product."""
        kind, size = slot[0], self.sizes[tick]
        old, new = self.firsts[tick : tick + 2]
        here = new - self.memory.batch
        if kind in ("old", "new"):
            return self.memory.path(str(slot[1]))[old if kind == "old" else new :][:size]
        if kind in GATES:
            return self.memory.whole(slot)[here : here + size]
        if kind == "weight":
            return self.tensor(slot).expand(size, -1)
        return self.tensor(slot)[here if self.memory.keep else 0 :][:size]

    def tensor(self, key: Slot) -> Tensor:
        """Give the tensor of a place in the kernels."""
        if key not in self.tensors:
            self.tensors[key] = self._found(key)
        return self.tensors[key]

    def _found(self, key: Slot) -> Tensor:
        memory, kind, which = self.memory, key[0], key[1]
        if kind == "path":
            return memory.path(str(which))
        if kind in GATES:
            return memory.gates(str(kind), int(which))
        if kind == "kept":
            return memory.whole(key)
        if kind in ("zone", "weight"):
            return memory.values[f"{kind}/{which}"].contiguous()
        if kind in ("recurrent", "recurrent_bias"):
            return parameter(memory.program, memory.values, key).contiguous()
        if kind == "given":
            grad = self.given[str(which)]
            assert grad is not None
            return grad.contiguous()
        return self._made(key)

    def _made(self, key: Slot) -> Tensor:
        """Make the memory of what no later step of the program reads; adjoints and sums grow, so
        they are exact."""
        memory, kind = self.memory, key[0]
        if kind == "product":
            matrix = next(
                one.matrix
                for one in pieces(*self.request)
                if isinstance(one, Multiplication) and one.place == key
            )
            columns = self.tensor(("recurrent", matrix[1])).shape[matrix[0] != "recurrent"]
            return self.x.new_empty(memory.batch, columns)
        units = self.units[has_own_width(memory.program, key)]
        made = self.x.new_zeros(memory.batch, units, dtype=torch.float32)
        if kind == "sum":
            memory.buffers[key] = made
        return made


def shape_of_block(gates: int, tile: int, size: int) -> tuple[tuple[int, int], dict[str, int]]:
    """Give the rows of a block and the inner units of a step of its products, so chosen that there
    is room for them, and Triton's options: how many warps, and how many steps of a product are
    under way; `size` is of one number."""
    depth = ROOM // (2 * gates * tile * size)
    options = {"num_warps": 8 if tile > 64 else 4, "num_stages": 2 if depth >= LEAST else 1}
    return (ROWS, min(32, max(LEAST, 1 << max(0, depth.bit_length() - 1)))), options


def _precision(x: Tensor) -> str:
    """Say how exact products of float32 are: as torch's own setting has it."""
    short = x.dtype == torch.float32 and torch.backends.cuda.matmul.fp32_precision == "tf32"
    return "tf32" if short else "ieee"


@lru_cache(maxsize=64)
def _firsts(sizes: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """Give the row at which each tick begins in a path, that of the initial state first; and
    where the last ends."""
    return 0, *accumulate(sizes, initial=batch)


@lru_cache(maxsize=64)
def _table(firsts: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(firsts, device=device)


@lru_cache(maxsize=64)
def _reach(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Give the number of ticks of each block of rows: those of its first row, which is the
    longest."""
    rows = range(0, sizes[0] if sizes else 0, ROWS)
    # Sizes fall, so the ticks that a row has are those before the first that is too small for it.
    return torch.tensor(
        [bisect_left(sizes, -row, key=lambda size: -size) for row in rows], device=device
    )


@lru_cache(maxsize=256)
def _function(source: str) -> Any:
    """Compile the text of a kernel. Triton reads it from `linecache`, as it reads what is typed
    into a notebook."""
    name = f"<ensue {sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": f"ensue.engine.gpu.{name[1:-1].replace(' ', '_')}"}
    exec(compile(source, name, "exec"), space)
    return space["kernel"]
