"""Launches of the Triton kernels of a program: their arguments and their order."""

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
"""Rows of the batch per block.

It is the minimum of tl.dot, because fewer rows per block mean more blocks.
"""
FEW = 256
"""Largest number of units for which one launch runs all ticks."""
REGISTERS = 65536
"""Numbers that fit in a block's registers; more would spill to slow memory at every tick."""
ROOM = 96 * 1024
"""Shared memory per block that all recent GPUs have, in bytes."""
LEAST = 16
"""Smallest tile that tl.dot takes, in units."""
TILE = 2048
"""Numbers per block where ticks are launched one by one."""
TOO_LARGE: set[tuple] = set()
"""Kernels, units and types that did not fit on this GPU as one launch of all ticks."""


class Run:
    """One pass over the ticks, "forward" or "backward"; `given` are loss gradients in the paths."""

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
        """Whether ticks run in reverse."""
        return self.request[1] == "backward"

    def at_once(self) -> bool:
        """Run all ticks in one launch; return False if that is not possible."""
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
        """Compute the product of this tick's rows."""
        matrix = self.tensor(("recurrent", one.matrix[1]))
        matrix = matrix.T if one.matrix[0] == "recurrent" else matrix
        source = self._rows(one.source, tick)
        torch.mm(source, matrix, out=self.tensor(one.place)[: len(source)])

    def _rows(self, slot: Slot, tick: int) -> Tensor:
        """Return a tick's rows of the source of a product."""
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
        """Return the tensor of a place in the kernels."""
        if key not in self.tensors:
            self.tensors[key] = self._get_tensor(key)
        return self.tensors[key]

    def _get_tensor(self, key: Slot) -> Tensor:
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
        return self._allocate(key)

    def _allocate(self, key: Slot) -> Tensor:
        """Allocate temporary memory.

        Adjoints and sums accumulate over ticks, so they are float32.
        """
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
    """Return the block shape (rows, inner units per step) that fits, and Triton's options.

    The options are the number of warps and of pipeline stages; `size` is the size of a number in
    bytes.
    """
    depth = ROOM // (2 * gates * tile * size)
    options = {"num_warps": 8 if tile > 64 else 4, "num_stages": 2 if depth >= LEAST else 1}
    return (ROWS, min(32, max(LEAST, 1 << max(0, depth.bit_length() - 1)))), options


def _precision(x: Tensor) -> str:
    """Return the precision of float32 products, as in torch's own setting."""
    short = x.dtype == torch.float32 and torch.backends.cuda.matmul.fp32_precision == "tf32"
    return "tf32" if short else "ieee"


@lru_cache(maxsize=64)
def _firsts(sizes: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """Return the first row of each tick in a path, after the initial state, and the end."""
    return 0, *accumulate(sizes, initial=batch)


@lru_cache(maxsize=64)
def _table(firsts: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(firsts, device=device)


@lru_cache(maxsize=64)
def _reach(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the number of ticks of each block of rows: those of its first and longest row."""
    rows = range(0, sizes[0] if sizes else 0, ROWS)
    # Sizes fall, so a row has the ticks before the first whose size is too small for it.
    return torch.tensor(
        [bisect_left(sizes, -row, key=lambda size: -size) for row in rows], device=device
    )


@lru_cache(maxsize=256)
def _function(source: str) -> Any:
    """Compile the text of a kernel, which Triton reads from `linecache` as in a notebook."""
    name = f"<ensue {sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": f"ensue.engine.gpu.{name[1:-1].replace(' ', '_')}"}
    exec(compile(source, name, "exec"), space)
    return space["kernel"]
