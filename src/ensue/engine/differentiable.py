"""A program over all steps as one autograd operation, for any backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ensue.engine.layout import Layout
from ensue.engine.lookup import timed
from ensue.engine.memory import Memory, Values, as_written, input_product, reorder
from ensue.engine.operations import TENSOR
from ensue.engine.program import Program
from ensue.engine.schedule import columns, plan
from ensue.engine.shapes import check_values

Given = Mapping[str, Tensor | None]
"""Gradients of the loss in the path of each state, (steps, units); None is zero."""


class Backend(Protocol):
    """A backend that executes the schedules of a program (engine/schedule.py)."""

    @staticmethod
    def forward(memory: Memory) -> None:
        """Write the path of each state and, with `memory.keep`, what the backward pass reads."""

    @staticmethod
    def backward(memory: Memory, given: Given) -> dict[str, Tensor]:
        """Write the adjoints of gates and weights; return those of the initial states by name."""

    @staticmethod
    def weigh(adjoint: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return adjoint' source of (steps, columns) and (steps, inputs), and the column sums."""


def paths(backend: Backend, program: Program, values: Values) -> tuple[Tensor, ...]:
    """Return the path of each state (time, batch, units), by one backend."""
    layout = Layout.of(timed(values))
    return tuple(layout.unpack(path) for path in packed_paths(backend, program, values, layout))


def packed_paths(
    backend: Backend, program: Program, values: Values, layout: Layout
) -> tuple[Tensor, ...]:
    """Return the packed path of each state, (steps, units); differentiable any number of times."""
    check_values(program, values, layout.lengths)
    steps, rows = timed(values).shape[:2]
    if len(layout.sizes) != steps or (layout.lengths is None and layout.sizes != (rows,) * steps):
        raise ValueError(
            f"the layout is of {len(layout.sizes)} other steps than those of x, ({steps}, {rows})"
        )
    return unchecked_paths(backend, program, values, layout)


def unchecked_paths(
    backend: Backend, program: Program, values: Values, layout: Layout
) -> tuple[Tensor, ...]:
    """Return the packed paths without checking the shapes of `values`."""
    values = _packed(values, layout)
    if not torch.is_grad_enabled():
        memory = Memory(program, values, layout.sizes, {}, keep=False)
        backend.forward(memory)
        return tuple(memory.whole(("new", state)) for state in program.states)
    names = tuple(values)
    return _Run.apply(backend, program, layout.sizes, names, *(values[name] for name in names))


def ticks(program: Program, values: Values) -> tuple[Tensor, ...]:
    """Give the path of each state (time, batch, units) by plain differentiable operations: what
    `paths` must equal."""
    layout = Layout.of(timed(values))
    return tuple(
        layout.unpack(path) for path in _ticks(program, _packed(values, layout), layout.sizes)
    )


def _packed(values: Values, layout: Layout) -> dict[str, Tensor]:
    moving = {"ids"} if "ids" in values else {"x"}
    ways = {"state": layout.sort, "zone": layout.pack}
    return {
        name: layout.pack(value)
        if name in moving
        else ways.get(name.split("/")[0], lambda same: same)(value)
        for name, value in values.items()
    }


def _ticks(program: Program, values: Values, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    state = {name: values[f"state/{name}"] for name in program.states}
    paths: list[tuple[Tensor, ...]] = []
    steps: dict[str, tuple[Tensor, ...]] = {}
    for name in (part.name for part in program.stages if part.reads):
        product = input_product(values, values[f"{name}/input"], values.get(f"{name}/input_bias"))
        steps[name] = product.split(list(sizes))
    steps |= {name: values[name].split(list(sizes)) for name in values if name.startswith("zone/")}
    for tick, size in enumerate(sizes):
        now = {name: pieces[tick] for name, pieces in steps.items()}
        paths.append(_tick(program, values, now, {name: old[:size] for name, old in state.items()}))
        state = dict(zip(program.states, paths[-1], strict=True))
    return tuple(torch.cat(path) for path in zip(*paths, strict=True))


def _tick(program: Program, values: Values, now: Values, state: Values) -> tuple[Tensor, ...]:
    found: list[Tensor] = []
    for node in program.nodes:
        if node.args:
            found.append(TENSOR[node.op](*(found[arg] for arg in node.args)))
        elif node.op == "constant":
            found.append(values["x"].new_tensor(node.detail))
        elif node.op == "state":
            found.append(state[str(node.detail)])
        elif node.op in ("zone", "weight"):
            found.append((now if node.op == "zone" else values)[f"{node.op}/{node.detail}"])
        else:
            found.append(_gate(program, values, now, found, (node.op, str(node.detail))))
    return tuple(
        found[output].expand_as(old)
        for output, old in zip(program.outputs, state.values(), strict=True)
    )


def _gate(
    program: Program, values: Values, now: Values, found: list[Tensor], leaf: tuple[str, str]
) -> Tensor:
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


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        backend: Backend,
        program: Program,
        sizes: tuple[int, ...],
        names: tuple[str, ...],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        keep = any(ctx.needs_input_grad)
        memory = Memory(program, dict(zip(names, tensors, strict=True)), sizes, {}, keep)
        backend.forward(memory)
        if keep:
            ctx.backend, ctx.program, ctx.sizes = backend, program, sizes
            ctx.names, ctx.slots = names, tuple(memory.buffers)
            ctx.save_for_backward(*tensors, *memory.buffers.values())
        ctx.set_materialize_grads(False)
        return tuple(memory.whole(("new", state)) for state in program.states)

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.names)
        values = dict(zip(ctx.names, ctx.saved_tensors[:count], strict=True))
        required = {
            name for name, needs in zip(ctx.names, ctx.needs_input_grad[4:], strict=True) if needs
        }
        if torch.is_grad_enabled():
            gradients = _differentiable_gradients(ctx.program, values, ctx.sizes, required, given)
        else:
            buffers = dict(zip(ctx.slots, ctx.saved_tensors[count:], strict=True))
            memory = Memory(ctx.program, values, ctx.sizes, buffers, keep=True)
            states = ctx.backend.backward(memory, dict(zip(ctx.program.states, given, strict=True)))
            gradients = {f"state/{state}": adjoint for state, adjoint in states.items()}
            gradients |= _gradients(ctx.backend, memory, required)
        return None, None, None, None, *(gradients.get(name) for name in ctx.names)


def _differentiable_gradients(
    program: Program,
    values: Values,
    sizes: Sequence[int],
    required: set[str],
    given: tuple[Tensor | None, ...],
) -> dict[str, Tensor | None]:
    """Repeat the forward pass in plain torch, for a gradient that is itself differentiated."""
    pairs = [
        (path, grad)
        for path, grad in zip(_ticks(program, values, sizes), given, strict=True)
        if grad is not None
    ]
    sources = [values[name] for name in required]
    paths, grads = zip(*pairs, strict=True)
    found = torch.autograd.grad(paths, sources, grads, create_graph=True, allow_unused=True)
    return dict(zip(required, found, strict=True))


def _gradients(backend: Backend, memory: Memory, required: set[str]) -> dict[str, Tensor]:
    """Return the gradients of parameters and input from the adjoints of a backend."""
    gradients = {
        f"weight/{weight.name}": memory.sum(weight.name).sum(0) for weight in memory.program.weights
    }
    for index in range(len(memory.program.stages)):
        for name, gradient in _products_back(backend, memory, index, required):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
    return gradients


def _products_back(
    backend: Backend, memory: Memory, index: int, required: set[str]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the gradients of a stage's matrices and biases and its part of the input's.

    Each is one product over all steps.
    """
    part, values, places = (
        memory.program.stages[index],
        memory.values,
        columns(memory.program, index),
    )
    adjoint, of_all = memory.buffers["gate_adjoints", index], len(part.gates) * memory.units(index)
    if part.reads:
        of_input = adjoint[:, :of_all]
        if "ids" in values:
            of_input = adjoint.new_zeros(len(values["x"]), of_all).index_add_(
                0, values["ids"], of_input
            )
        matrix, bias = backend.weigh(of_input, values["x"])
        yield f"{part.name}/input", as_written(matrix, places.of_x)
        if "x" in required:
            yield "x", of_input @ reorder(values[f"{part.name}/input"], places.of_x)
        if "x" in part.bias:
            yield f"{part.name}/input_bias", as_written(bias, places.of_x)
    if part.of is not None:
        source = memory.whole(plan(memory.program).forward.found[part.of])
        matrix, bias = backend.weigh(adjoint[:, -of_all:], source)
        yield f"{part.name}/recurrent", as_written(matrix, places.of_h)
        if "h" in part.bias:
            yield f"{part.name}/recurrent_bias", as_written(bias, places.of_h)
