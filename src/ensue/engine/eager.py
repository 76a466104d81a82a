"""Reference backend in plain torch, on any device and in any dtype.

The input products are one product before the loop over ticks, and the gradients of all weights one
product after the loop of the backward pass. In between each tick executes the program's
instructions on preallocated memory. Every tick has all rows: padding is computed, and the caller
discards it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from itertools import cycle, repeat

import torch
from torch import Tensor

from ensue.engine.differentiable import Given
from ensue.engine.memory import Memory, parameter
from ensue.engine.schedule import Schedule, Slot, plan


def forward(memory: Memory) -> None:
    """Run the ticks from the first to the last."""
    memory.read()
    _play(plan(memory.program).forward, lambda slot: _column(memory, slot))


def backward(memory: Memory, given: Given) -> dict[str, Tensor]:
    """Run the ticks from the last to the first."""
    carried: dict[str, tuple[Tensor, Tensor]] = {}
    columns: dict[Slot, Iterable[Tensor]] = {}
    for state, grad in given.items():
        initial = memory.values[f"state/{state}"]
        zero = torch.zeros_like(initial)
        later = [] if grad is None else [*_by_tick(memory, grad)]
        carried[state] = (
            later[-1].clone() if later else torch.zeros_like(initial),
            torch.empty_like(initial),
        )
        columns["incoming", state] = cycle(carried[state])
        columns["outgoing", state] = cycle(carried[state][::-1])
        columns["given", state] = [*later[-2::-1], zero] if later else repeat(zero)

    def column(slot: Slot) -> Iterable[Tensor]:
        if slot in columns:
            return columns[slot]
        found = _column(memory, slot)
        return found[::-1] if isinstance(found, tuple) else found

    _play(
        plan(memory.program).backward,
        column,
        {("given", state) for state, grad in given.items() if grad is None},
    )
    return {state: pair[len(memory.sizes) % 2] for state, pair in carried.items()}


def weigh(adjoint: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Return adjoint' source of (steps, columns) and (steps, inputs), and the column sums."""
    return adjoint.T @ source, adjoint.sum(0)


def _play(
    schedule: Schedule, column: Callable[[Slot], Iterable[Tensor]], skipped: Set[Slot] = frozenset()
) -> None:
    """Execute the instructions once per tick, without additions of a `skipped` slot."""
    slots = list(schedule.slots)
    instructions = [
        (one.function, one.args, one.out)
        for one in schedule.instructions
        if not (one.function is torch.add and slots[one.args[1]] in skipped)
    ]
    for now in zip(*(column(slot) for slot in slots)):  # noqa: B905 - constant slots repeat forever
        for function, args, out in instructions:
            function(*[now[arg] for arg in args], out=now[out])


def _by_tick(memory: Memory, steps: Tensor) -> tuple[Tensor, ...]:
    return steps.view(len(memory.sizes), memory.batch, -1).unbind(0)


def _column(memory: Memory, slot: Slot) -> Iterable[Tensor]:
    """Return the tensor of a slot at each tick: a tuple, or the same tensor repeated."""
    kind = str(slot[0])
    if kind == "constant":
        return repeat(memory.values["x"].new_tensor(slot[1]))
    if kind.startswith("recurrent"):
        matrix = parameter(memory.program, memory.values, slot)
        return repeat(matrix.T if kind == "recurrent" else matrix)
    whole = memory.whole(slot)
    return _by_tick(memory, whole) if len(whole) == memory.steps else repeat(whole)
