"""The memory of a run: one tensor for each slot of a schedule, laid out before the first tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from ensue.engine.program import Part, Program
from ensue.engine.schedule import Slot, parted
from ensue.native import expect_large

GATES = {"gates", "parts", "gate_adjoints", "part_adjoints"}
Values = Mapping[str, Tensor]
"""All that a run reads: "x" (steps, inputs), the parameters by name, "state/NAME" (batch, units), and "zone/NAME"
(steps, units). Steps lie packed: the rows of the first tick, those of the second, and so on (engine/layout.py).
With "ids" (steps,), "x" is a table (symbols, inputs), and a step's input the row of its id."""


class Memory:
    """Where the values of a run lie, for `sizes` rows at each tick.

    With `keep`, what the way back needs is kept for every tick. `buffers` holds what was written, by slot without
    the columns of the gates; a run back starts from those of the run forward.
    """

    def __init__(
        self, program: Program, values: Values, sizes: Sequence[int], buffers: Mapping[Slot, Tensor], keep: bool
    ) -> None:
        self.program, self.values, self.sizes, self.keep = program, values, sizes, keep
        self.buffers: dict[Slot, Tensor] = dict(buffers)
        self.steps = sum(sizes)
        self.batch = len(values[f"state/{program.states[0]}"])

    def units(self, stage: int) -> int:
        """Give the number of units of a stage."""
        part = self.program.stages[stage]
        matrix = self.values[f"{part.name}/{'input' if part.reads else 'recurrent'}"]
        return matrix.shape[0] // len(part.gates)

    def path(self, state: str) -> Tensor:
        """Give a state before the first tick and after each step, (batch + steps, units)."""
        if ("path", state) not in self.buffers:
            initial = self.values[f"state/{state}"]
            path = _fresh(initial, self.batch + self.steps, initial.shape[-1])
            path[: self.batch] = initial
            self.buffers["path", state] = path
        return self.buffers["path", state]

    def gates(self, kind: str, stage: int) -> Tensor:
        """Give a buffer with all gates of a stage; that of the gates themselves starts as W x + b of all steps."""
        if (kind, stage) not in self.buffers:
            part, values = self.program.stages[stage], self.values
            count = len(part.gates) * self.units(stage)
            # The h parts of one tick can be forgotten once there is no way back.
            steps = self.steps if self.keep or kind != "parts" else self.batch
            made = self.buffers[kind, stage] = _fresh(values["x"], steps, count)
            if kind == "gates" and part.reads:
                bias = values.get(f"{part.name}/input_bias")
                if "h" in part.bias and not parted(self.program, part):
                    # Where no gate reads its parts apart, U h is added to W x, and its bias comes in here.
                    recurrent = values[f"{part.name}/recurrent_bias"]
                    bias = recurrent if bias is None else bias + recurrent
                input_product(part, values, bias, made)
        return self.buffers[kind, stage]

    def whole(self, slot: Slot) -> Tensor:
        """Give the tensor of a slot over all steps, (steps, units)."""
        kind, which = str(slot[0]), slot[1]
        if kind == "old":
            return self.before(self.path(str(which)))
        if kind == "new":
            return self.path(str(which))[self.batch :]
        if kind in GATES:
            units = self.units(int(which))
            return self.gates(kind, int(which))[:, int(slot[2]) * units : int(slot[3]) * units]
        return self.values[f"zone/{which}"] if kind == "zone" else self.buffers[slot]

    def before(self, path: Tensor) -> Tensor:
        """Give for each step what a path (batch + steps, units) holds one tick earlier."""
        if self.even:
            return path[: self.steps]
        firsts = [0, *accumulate(self.sizes, initial=self.batch)]
        return torch.cat([path[first : first + size] for first, size in zip(firsts, self.sizes, strict=False)])

    @property
    def even(self) -> bool:
        """Whether every tick has all rows."""
        return self.steps == self.batch * len(self.sizes)

    def kept(self, slot: Slot) -> Tensor:
        """Give the buffer of what is kept for the way back, (steps, units)."""
        if slot not in self.buffers:
            self.buffers[slot] = _fresh(self.values["x"], self.steps, self.units_by_kind(bool(slot[-1])))
        return self.buffers[slot]

    def sum(self, weight: str) -> Tensor:
        """Give the buffer in which each row gathers the adjoint of a weight, (batch, units)."""
        if ("sum", weight) not in self.buffers:
            of = self.values[f"weight/{weight}"]
            self.buffers["sum", weight] = of.new_zeros(self.batch, len(of))
        return self.buffers["sum", weight]

    def units_by_kind(self, own: bool) -> int:
        """Give the number of units of the layer, or of the cell's own width."""
        stages = self.program.stages
        return self.units(next(index for index, part in enumerate(stages) if part.own == own))


def input_product(part: Part, values: Values, bias: Tensor | None, out: Tensor | None = None) -> Tensor:
    """Give W x + bias of a stage for all steps, (steps, gates * units)."""
    matrix, ids = values[f"{part.name}/input"].T, values.get("ids")
    whole = out if ids is None else None
    product = (
        torch.mm(values["x"], matrix, out=whole) if bias is None else torch.addmm(bias, values["x"], matrix, out=whole)
    )
    return product if ids is None else torch.index_select(product, 0, ids, out=out)


def _fresh(like: Tensor, *shape: int) -> Tensor:
    made = like.new_empty(*shape)
    if made.device.type == "cpu":
        expect_large(made.data_ptr(), made.nbytes)
    return made
