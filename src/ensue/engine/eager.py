"""Programs run in plain torch, on any device and in any dtype: the reference of the engine.

The products with the input are one product before the loop over ticks, the gradients of all weights one product
after the loop back; between them each tick runs the program's instructions on memory that was laid out beforehand.
Everything is time first: x (time, batch, inputs), a state's path (time, batch, units).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import cycle, repeat
from typing import Any

import torch
from torch import Tensor

from ensue.engine.memory import Memory, Values
from ensue.engine.operations import TENSOR
from ensue.engine.program import Part, Program
from ensue.engine.schedule import Schedule, Slot, plan


def run(program: Program, values: Values) -> tuple[Tensor, ...]:
    """Give the path of each state; differentiable once by the program's derivative, and again through `ticks`."""
    if not torch.is_grad_enabled():
        memory = Memory(program, values, {}, keep=False)
        _play(plan(program).forward, memory.column)
        return tuple(memory.path(state)[1:] for state in program.states)
    names = tuple(values)
    return _Run.apply(program, names, *(values[name] for name in names))


def ticks(program: Program, values: Values) -> tuple[Tensor, ...]:
    """Give the path of each state by plain differentiable operations, tick by tick: what `run` must equal."""
    state = {name: values[f"state/{name}"] for name in program.states}
    paths: list[tuple[Tensor, ...]] = []
    inputs = {part.name: _input_product(part, values) for part in program.stages if part.reads}
    for step in range(len(values["x"])):
        now = {name: product[step] for name, product in inputs.items()}
        zone = {name: values[f"zone/{name}"][step] for name in program.states if f"zone/{name}" in values}
        paths.append(_tick(program, values, now, state, zone))
        state = dict(zip(program.states, paths[-1], strict=True))
    return tuple(torch.stack(path) for path in zip(*paths, strict=True))


def _tick(program: Program, values: Values, now: Values, state: Values, zone: Values) -> tuple[Tensor, ...]:
    found: list[Tensor] = []
    for node in program.nodes:
        if node.args:
            found.append(TENSOR[node.op](*(found[arg] for arg in node.args)))
        elif node.op == "constant":
            found.append(values["x"].new_tensor(node.detail))
        elif node.op in ("state", "zone", "weight"):
            source = {"state": state, "zone": zone}.get(node.op, values)
            found.append(source[f"weight/{node.detail}" if node.op == "weight" else str(node.detail)])
        else:
            found.append(_gate(program, values, now, found, (node.op, str(node.detail))))
    return tuple(found[output].expand_as(old) for output, old in zip(program.outputs, state.values(), strict=True))


def _gate(program: Program, values: Values, now: Values, found: list[Tensor], leaf: tuple[str, str]) -> Tensor:
    op, gate = leaf
    part = next(part for part in program.stages if gate in part.gates)
    at = part.gates.index(gate)
    total: Tensor | None = None
    if part.reads and op != "gate.h":
        total = now[part.name].chunk(len(part.gates), -1)[at]
    if part.of is not None and op != "gate.x":
        weight = values[f"{part.name}/recurrent"].chunk(len(part.gates))[at]
        product = found[part.of] @ weight.T
        if "h" in part.bias:
            product = product + values[f"{part.name}/recurrent_bias"].chunk(len(part.gates))[at]
        total = product if total is None else total + product
    assert total is not None
    return total


def _input_product(part: Part, values: Values) -> Tensor:
    bias = values[f"{part.name}/input_bias"] if "x" in part.bias else None
    return torch.nn.functional.linear(values["x"], values[f"{part.name}/input"], bias)


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, program: Program, names: tuple[str, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
        keep = any(ctx.needs_input_grad)
        memory = Memory(program, dict(zip(names, tensors, strict=True)), {}, keep)
        _play(plan(program).forward, memory.column)
        if keep:
            ctx.program, ctx.names, ctx.slots = program, names, tuple(memory.buffers)
            ctx.save_for_backward(*tensors, *memory.buffers.values())
        ctx.set_materialize_grads(False)
        return tuple(memory.path(state)[1:] for state in program.states)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.names)
        values = dict(zip(ctx.names, ctx.saved_tensors[:count], strict=True))
        wanted = {name for name, needs in zip(ctx.names, ctx.needs_input_grad[2:], strict=True) if needs}
        if torch.is_grad_enabled():
            gradients = _differentiable_gradients(ctx.program, values, wanted, given)
        else:
            buffers = dict(zip(ctx.slots, ctx.saved_tensors[count:], strict=True))
            memory = Memory(ctx.program, values, buffers, keep=True)
            gradients = way_back(memory, dict(zip(ctx.program.states, given, strict=True)), wanted)
        return None, None, *(gradients.get(name) for name in ctx.names)


def _differentiable_gradients(
    program: Program, values: Values, wanted: set[str], given: tuple[Tensor | None, ...]
) -> dict[str, Tensor | None]:
    """Go forward again by plain operations, for a gradient that will itself be differentiated."""
    pairs = [(path, grad) for path, grad in zip(ticks(program, values), given, strict=True) if grad is not None]
    sources = [values[name] for name in wanted]
    paths, grads = zip(*pairs, strict=True)
    found = torch.autograd.grad(paths, sources, grads, create_graph=True, allow_unused=True)
    return dict(zip(wanted, found, strict=True))


def _play(schedule: Schedule, column: Callable[[Slot], Iterable[Tensor]], skipped: Set[Slot] = frozenset()) -> None:
    """Run the instructions once for each tick; leave out the additions of a slot that is `skipped`."""
    slots = list(schedule.slots)
    instructions = [
        (one.function, one.args, one.out)
        for one in schedule.instructions
        if not (one.function is torch.add and slots[one.args[1]] in skipped)
    ]
    for now in zip(*(column(slot) for slot in slots)):  # noqa: B905 - what does not change with time has no end
        for function, args, out in instructions:
            function(*[now[arg] for arg in args], out=now[out])


def way_back(memory: Memory, given: Mapping[str, Tensor | None], wanted: set[str]) -> dict[str, Tensor | None]:
    """Give the gradients of the `wanted` values, given those of the states' paths (None is zero)."""
    program, steps = memory.program, memory.steps
    schedule = plan(program).backward
    carried: dict[str, tuple[Tensor, Tensor]] = {}
    columns: dict[Slot, Iterable[Tensor]] = {}
    for state, grad in given.items():
        first, zero = (
            torch.zeros_like(memory.values[f"state/{state}"]),
            torch.zeros_like(memory.values[f"state/{state}"]),
        )
        carried[state] = (first if grad is None else first.copy_(grad[-1]), torch.empty_like(zero))
        columns["incoming", state] = cycle(carried[state])
        columns["outgoing", state] = cycle(carried[state][::-1])
        columns["given", state] = repeat(zero) if grad is None else [*grad.unbind(0)[-2::-1], zero]

    def column(slot: Slot) -> Iterable[Tensor]:
        if slot in columns:
            return columns[slot]
        found = memory.column(slot)
        return found[::-1] if isinstance(found, tuple) else found

    _play(schedule, column, {("given", state) for state, grad in given.items() if grad is None})
    gradients: dict[str, Tensor | None] = {f"state/{state}": pair[steps % 2] for state, pair in carried.items()}
    for weight in program.weights:
        gradients[f"weight/{weight.name}"] = memory.buffers["sum", weight.name].sum(0)
    for index in range(len(program.stages)):
        for name, gradient in _products_back(memory, index, wanted):
            before = gradients.get(name)
            gradients[name] = gradient if before is None else before + gradient
    return gradients


def _products_back(memory: Memory, index: int, wanted: set[str]) -> Iterator[tuple[str, Tensor]]:
    """Give the gradients of a stage's matrices and biases, and its share of the input's, each as one product."""
    part, values = memory.program.stages[index], memory.values
    adjoint = memory.buffers["gate_adjoints", index].flatten(0, 1)
    if part.reads:
        yield f"{part.name}/input", adjoint.T @ values["x"].flatten(0, 1)
        if "x" in wanted:
            yield "x", (adjoint @ values[f"{part.name}/input"]).view(values["x"].shape)
        if "x" in part.bias:
            yield f"{part.name}/input_bias", adjoint.sum(0)
    if part.of is not None:
        adjoint = memory.buffers.get(("part_adjoints", index), memory.buffers["gate_adjoints", index]).flatten(0, 1)
        yield (
            f"{part.name}/recurrent",
            adjoint.T @ memory.whole(plan(memory.program).forward.found[part.of]).flatten(0, 1),
        )
        if "h" in part.bias:
            yield f"{part.name}/recurrent_bias", adjoint.sum(0)
