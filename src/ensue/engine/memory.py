"""Memory of a run: one tensor per slot of a schedule, allocated before the first tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from ensue.engine.program import Program
from ensue.engine.schedule import Slot, columns, has_input_bias, plan
from ensue.native import LARGE, PAGE, use_large_pages

GATES = {"gates", "gate_adjoints"}
LINE = 16
"""Numbers per cache line; buffers are aligned to it."""
Values = Mapping[str, Tensor]
"""Inputs of a run by name.

"x" is (steps, inputs), "state/NAME" (batch, units), "zone/NAME" (steps, units); the rest are
parameters. Steps are packed: the rows of the first tick, those of the second, and so on
(engine/layout.py). With "ids" (steps,), "x" is a table (symbols, inputs), and the input of a step
is the row of its id.
"""


class Memory:
    """Buffers of a run with `sizes` rows at each tick.

    With `keep`, the values that the backward pass reads are stored for every tick. `buffers` holds
    what was written, by slot without the columns of the gates. A backward pass starts from the
    buffers of the forward pass.
    """

    def __init__(
        self,
        program: Program,
        values: Values,
        sizes: Sequence[int],
        buffers: Mapping[Slot, Tensor],
        keep: bool,
    ) -> None:
        self.program, self.values, self.sizes, self.keep = program, values, sizes, keep
        self.buffers: dict[Slot, Tensor] = dict(buffers)
        self.steps = sum(sizes)
        self.batch = len(values[f"state/{program.states[0]}"])
        self._rest = values["x"].new_empty(0)
        """The part of the last allocation that no buffer uses yet."""

    def units(self, stage: int) -> int:
        """Return the number of units of a stage."""
        part = self.program.stages[stage]
        matrix = self.values[f"{part.name}/{'input' if part.reads else 'recurrent'}"]
        return matrix.shape[0] // len(part.gates)

    def path(self, state: str) -> Tensor:
        """Return the initial state and the state after each step, (batch + steps, units)."""
        if ("path", state) not in self.buffers:
            initial = self.values[f"state/{state}"]
            path = self._fresh(self.batch + self.steps, initial.shape[-1])
            path[: self.batch] = initial
            self.buffers["path", state] = path
        return self.buffers["path", state]

    def gates(self, kind: str, stage: int) -> Tensor:
        """Return the buffer of a stage's gates: for all steps, or for one tick without `keep`."""
        if (kind, stage) not in self.buffers:
            self.buffers[kind, stage] = self._gates(stage, self.steps if self.keep else self.batch)
        return self.buffers[kind, stage]

    def read(self) -> None:
        """Compute W x + b of all steps into the buffers of the gates."""
        for stage, part in enumerate(self.program.stages):
            made = self.buffers["gates", stage] = self._gates(stage, self.steps)
            if part.reads:
                matrix, bias = input_parameters(self.program, self.values, stage)
                input_product(self.values, matrix, bias, made[:, : len(matrix)])

    def _gates(self, stage: int, rows: int) -> Tensor:
        return self._fresh(rows, columns(self.program, stage).count * self.units(stage))

    def whole(self, slot: Slot) -> Tensor:
        """Return the tensor of a slot: (steps, units), or (batch, units) if all ticks share it."""
        kind, which = str(slot[0]), slot[1]
        if kind == "old":
            return self.before(self.path(str(which)))
        if kind == "new":
            return self.path(str(which))[self.batch :]
        if kind in GATES:
            units = self.units(int(which))
            return self.gates(kind, int(which))[:, int(slot[2]) * units : int(slot[3]) * units]
        if kind == "sum":
            return self.sum(str(which))
        if kind == "zone":
            return self.values[f"zone/{which}"]
        if kind == "weight" or kind.endswith("bias"):
            of = (
                self.values[f"weight/{which}"]
                if kind == "weight"
                else parameter(self.program, self.values, slot)
            )
            return of.contiguous().expand(self.batch, -1)
        units = self.units_by_kind(bool(slot[-1]))
        if kind == "scratch" or not self.keep:
            return self.values["x"].new_empty(self.batch, units)
        if slot not in self.buffers:
            self.buffers[slot] = self._fresh(self.steps, units)
        return self.buffers[slot]

    def before(self, path: Tensor) -> Tensor:
        """Return the value of a path (batch + steps, units) one tick before each step."""
        if self.even:
            return path[: self.steps]
        firsts = [0, *accumulate(self.sizes, initial=self.batch)]
        return torch.cat(
            [path[first : first + size] for first, size in zip(firsts, self.sizes, strict=False)]
        )

    @property
    def even(self) -> bool:
        """Whether every tick has all rows."""
        return self.steps == self.batch * len(self.sizes)

    def sum(self, weight: str) -> Tensor:
        """Return the buffer that accumulates the adjoint of a weight per row, (batch, units)."""
        if ("sum", weight) not in self.buffers:
            of = self.values[f"weight/{weight}"]
            self.buffers["sum", weight] = of.new_zeros(self.batch, len(of))
        return self.buffers["sum", weight]

    def units_by_kind(self, own: bool) -> int:
        """Return the number of units of the layer, or of the cell's own width."""
        stages = self.program.stages
        return self.units(next(index for index, part in enumerate(stages) if part.own == own))

    def _fresh(self, rows: int, units: int) -> Tensor:
        """Allocate a buffer; stored values share one allocation, so that its pages can be large."""
        numbers = -(-rows * units // LINE) * LINE
        if numbers > len(self._rest):
            self._rest = _piece(self.values["x"], max(numbers, self._numbers() if self.keep else 0))
        made, self._rest = self._rest[: rows * units], self._rest[numbers:]
        return made.view(rows, units)

    def _numbers(self) -> int:
        """Count the numbers of all buffers of this pass."""
        schedule = plan(self.program).backward if self.buffers else plan(self.program).forward
        units: dict[Slot, int] = {}
        for slot in schedule.slots:
            kind, which = str(slot[0]), slot[1]
            if kind in GATES:
                units[slot[:2]] = columns(self.program, int(which)).count * self.units(int(which))
            elif kind == "new":
                units["path", which] = self.values[f"state/{which}"].shape[-1]
            elif kind == "kept":
                units[slot] = self.units_by_kind(bool(slot[-1]))
        return sum(
            (self.batch + self.steps) * count + LINE
            for key, count in units.items()
            if key not in self.buffers
        )


def _piece(like: Tensor, numbers: int) -> Tensor:
    """Allocate memory; a large piece is aligned to whole large pages."""
    large = 1
    if like.device.type == "cpu" and numbers * like.element_size() >= LARGE:
        large = PAGE // like.element_size()
    whole = like.new_empty(-(-numbers // large) * large + large - 1)
    first = -whole.data_ptr() % PAGE // like.element_size() if large > 1 else 0
    use_large_pages(whole[first:].data_ptr(), whole[first:].nbytes)
    return whole[first:]


def parameter(program: Program, values: Values, slot: Slot) -> Tensor:
    """Return the parameter of a slot, its gates in the order of the columns."""
    kind, part, places = str(slot[0]), program.stages[int(slot[1])], columns(program, int(slot[1]))
    whole = values.get(f"{part.name}/{kind.removesuffix('_back')}")
    if kind == "input_bias" and "h" in part.bias and places.sums:
        # Where U h is added to W x, both biases are added together with W x.
        recurrent = (
            values[f"{part.name}/recurrent_bias"].unflatten(0, (len(part.gates), -1)).clone()
        )
        recurrent[[*places.apart]] = 0
        whole = recurrent.flatten() if whole is None else whole + recurrent.flatten()
    assert whole is not None
    whole = reorder(whole, places.of_x if kind.startswith("input") else places.of_h)
    first, last = slot[2:] or (0, len(part.gates))
    return whole.unflatten(0, (len(part.gates), -1))[int(first) : int(last)].flatten(0, 1)


def input_parameters(program: Program, values: Values, stage: int) -> tuple[Tensor, Tensor | None]:
    """Return W and the bias of a stage."""
    matrix = parameter(program, values, ("input", stage))
    return matrix, parameter(program, values, ("input_bias", stage)) if has_input_bias(
        program, stage
    ) else None


def input_product(
    values: Values, matrix: Tensor, bias: Tensor | None, out: Tensor | None = None
) -> Tensor:
    """Compute W x + bias of all steps, (steps, gates * units)."""
    x, ids = values["x"], values.get("ids")
    whole = out if ids is None else None
    product = (
        torch.mm(x, matrix.T, out=whole)
        if bias is None
        else torch.addmm(bias, x, matrix.T, out=whole)
    )
    return product if ids is None else torch.index_select(product, 0, ids, out=out)


def reorder(parameter: Tensor, gates: Sequence[int]) -> Tensor:
    """Reorder a parameter (gates * units, ...) by gate."""
    if [*gates] == sorted(gates):
        return parameter
    return parameter.unflatten(0, (len(gates), -1))[[*gates]].flatten(0, 1)


def as_written(parameter: Tensor, gates: Sequence[int]) -> Tensor:
    """Invert `in_order`."""
    return reorder(parameter, sorted(range(len(gates)), key=gates.__getitem__))
