"""The memory of a run: one tensor for each slot of a schedule, laid out before the first tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat

import torch
from torch import Tensor

from ensue.engine.program import Program
from ensue.engine.schedule import Slot

GATES = {"gates", "parts", "gate_adjoints", "part_adjoints"}
Values = Mapping[str, Tensor]
"""All that a run reads: "x" (time, batch, inputs), the parameters by name, "state/NAME" (batch, units), and
"zone/NAME" (time, batch, units)."""


class Memory:
    """Where the values of a run lie. With `keep`, what the way back needs is kept for every tick.

    `buffers` holds what was written, by slot without the columns of the gates; a run back starts from those of
    the run forward.
    """

    def __init__(self, program: Program, values: Values, buffers: Mapping[Slot, Tensor], keep: bool) -> None:
        self.program, self.values, self.keep = program, values, keep
        self.buffers: dict[Slot, Tensor] = dict(buffers)
        self.steps, self.batch = values["x"].shape[0], values["x"].shape[1]

    def units(self, stage: int) -> int:
        """Give the number of units of a stage."""
        part = self.program.stages[stage]
        matrix = self.values[f"{part.name}/{'input' if part.reads else 'recurrent'}"]
        return matrix.shape[0] // len(part.gates)

    def path(self, state: str) -> Tensor:
        """Give a state before the first tick and after each, (time + 1, batch, units)."""
        if ("path", state) not in self.buffers:
            initial = self.values[f"state/{state}"]
            path = initial.new_empty(self.steps + 1, *initial.shape)
            path[0] = initial
            self.buffers["path", state] = path
        return self.buffers["path", state]

    def gates(self, kind: str, stage: int) -> Tensor:
        """Give a buffer with all gates of a stage; that of the gates themselves starts as W x + b of all ticks."""
        if (kind, stage) not in self.buffers:
            part, values = self.program.stages[stage], self.values
            count = len(part.gates) * self.units(stage)
            if kind == "gates" and part.reads:
                flat, matrix = values["x"].flatten(0, 1), values[f"{part.name}/input"]
                bias = values.get(f"{part.name}/input_bias")
                product = flat @ matrix.T if bias is None else torch.addmm(bias, flat, matrix.T)
                self.buffers[kind, stage] = product.view(self.steps, self.batch, count)
            else:
                # The h parts of one tick can be forgotten once there is no way back.
                steps = self.steps if self.keep or kind != "parts" else 1
                self.buffers[kind, stage] = values["x"].new_empty(steps, self.batch, count)
        return self.buffers[kind, stage]

    def whole(self, slot: Slot) -> Tensor:
        """Give the tensor of a slot over all ticks, (time, batch, units)."""
        kind, which = str(slot[0]), slot[1]
        if kind in ("old", "new"):
            path = self.path(str(which))
            return path[:-1] if kind == "old" else path[1:]
        if kind in GATES:
            units = self.units(int(which))
            return self.gates(kind, int(which))[..., int(slot[2]) * units : int(slot[3]) * units]
        if kind == "zone":
            return self.values[f"zone/{which}"]
        return self.buffers[slot]

    def column(self, slot: Slot) -> Iterable[Tensor]:
        """Give a slot's tensor for each tick: a tuple, or the same for ever."""
        kind, which = str(slot[0]), slot[1]
        if kind in GATES or kind in ("old", "new", "zone"):
            whole = self.whole(slot)
            return whole.unbind(0) if len(whole) == self.steps else repeat(whole[0])
        if kind == "weight":
            return repeat(self.values[f"weight/{which}"].expand(self.batch, -1))
        if kind == "constant":
            return repeat(self.values["x"].new_tensor(which))
        return self._made(kind, slot)

    def _made(self, kind: str, slot: Slot) -> Iterable[Tensor]:
        if kind in ("recurrent", "recurrent_back", "recurrent_bias"):
            name = self.program.stages[int(slot[1])].name
            matrix = self.values[f"{name}/{'recurrent_bias' if kind == 'recurrent_bias' else 'recurrent'}"]
            return repeat(matrix.T if kind == "recurrent" else matrix)
        if kind == "sum":
            weight = self.values[f"weight/{slot[1]}"]
            self.buffers[slot] = weight.new_zeros(self.batch, len(weight))
            return repeat(self.buffers[slot])
        units = self._units_by_kind(bool(slot[-1]))
        if kind == "kept" and self.keep:
            if slot not in self.buffers:
                self.buffers[slot] = self.values["x"].new_empty(self.steps, self.batch, units)
            return self.buffers[slot].unbind(0)
        return repeat(self.values["x"].new_empty(self.batch, units))

    def _units_by_kind(self, own: bool) -> int:
        stages = self.program.stages
        return self.units(next(index for index, part in enumerate(stages) if part.own == own))
