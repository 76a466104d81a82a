"""Recurrences h' = a * h + b whose a and b do not depend on h: all ticks at once, by a parallel scan.

Feng et al. 2024 (arXiv:2410.01201) train minimal cells so. Which programs are of this form is found from the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ensue.engine.derivative import RULES
from ensue.engine.operations import TENSOR
from ensue.engine.program import Program
from ensue.engine.simplify import Node, Nodes
from ensue.errors import UserError


@dataclass(frozen=True)
class Linear:
    """The factor a, for each state, and the summand b of a linear program, as places among `nodes`."""

    nodes: tuple[Node, ...]
    factors: tuple[int, ...]
    summands: tuple[int, ...]


@lru_cache(maxsize=64)
def linear(program: Program) -> Linear | None:
    """Give factor and summand of each state; None if the program is not linear in its state, unit by unit."""
    if any(part.of is not None for part in program.stages):
        return None
    try:
        return _linear(program)
    except UserError:  # with 0 for the state, a number came out that is not finite, as of 1 / state
        return None


def _linear(program: Program) -> Linear | None:
    nodes = Nodes()
    factors, summands = [], []
    for state, output in zip(program.states, program.outputs, strict=True):
        summands.append(_copy(program, nodes, without_state=True)[output])
        places = _copy(program, nodes, without_state=False)
        factors.append(_slope(program, nodes, places, output, state))
        if factors[-1] is None:
            return None
    return Linear(tuple(nodes.list), tuple(factor for factor in factors if factor is not None), tuple(summands))


def _copy(program: Program, nodes: Nodes, without_state: bool) -> list[int]:
    places: list[int] = []
    for node in program.nodes:
        if node.args:
            places.append(nodes.apply(node.op, *(places[arg] for arg in node.args)))
        elif node.op == "state" and without_state:
            places.append(nodes.constant(0.0))
        else:
            places.append(nodes.leaf(node.op, node.detail if node.detail is not None else ""))
    return places


def _slope(program: Program, nodes: Nodes, places: list[int], output: int, state: str) -> int | None:
    """Give the derivative of an output in its own state; None if it depends on any state, or another one counts."""
    adjoints = {output: nodes.constant(1.0)}
    on_the_way = _on_state(list(program.nodes))
    for place in range(output, -1, -1):
        node = program.nodes[place]
        if place not in adjoints or not node.args:
            continue
        parts = RULES[node.op](nodes, adjoints[place], places[place], *(places[arg] for arg in node.args))
        for arg, part in zip(node.args, parts, strict=True):
            # Only the ways to a state count: another would bring in values that the scan does not have.
            if on_the_way[arg]:
                adjoints[arg] = nodes.apply("add", adjoints[arg], part) if arg in adjoints else part
    slopes = {program.nodes[place].detail: slope for place, slope in adjoints.items() if not program.nodes[place].args}
    if slopes.keys() - {state} or any(_on_state(nodes.list)[slope] for slope in slopes.values()):
        return None
    return slopes.get(state, nodes.constant(0.0))


def _on_state(nodes: list[Node]) -> list[bool]:
    """Say of each node whether it depends on a state."""
    found: list[bool] = []
    for node in nodes:
        found.append(node.op == "state" or any(found[arg] for arg in node.args))
    return found


SMALL_TICK = 1024
"""Numbers in a tick up to which the cost of a tick in the eager engine is its overhead, measured on a CPU."""


def faster(program: Program, values: Mapping[str, Tensor]) -> bool:
    """Say whether the scan is faster than the eager engine's ticks: always on a GPU, with small ticks on a CPU.

    The compiled kernels are faster than it at every size (benchmarks/training.py), and are asked first.
    """
    if linear(program) is None:
        return False
    state = values[f"state/{program.states[0]}"]
    return state.device.type != "cpu" or state.numel() <= SMALL_TICK


def run(program: Program, values: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Give the path of each state of a linear program, (time, batch, units); differentiable any number of times."""
    form = linear(program)
    if form is None:
        raise ValueError(f"{program.name} is not linear in its state")
    gates: dict[str, Tensor] = {}
    for part in program.stages:
        product = F.linear(values["x"], values[f"{part.name}/input"], values.get(f"{part.name}/input_bias"))
        gates |= dict(zip(part.gates, product.chunk(len(part.gates), -1), strict=True))
    found: list[Tensor] = []
    for node in form.nodes:
        detail = str(node.detail)
        if node.args:
            found.append(TENSOR[node.op](*(found[arg] for arg in node.args)))
        elif node.op == "gate":
            found.append(gates[detail])
        elif node.op == "constant":
            found.append(values["x"].new_tensor(node.detail))
        else:
            found.append(values[f"{node.op}/{detail}"])
    paths = []
    for state, factor, summand in zip(program.states, form.factors, form.summands, strict=True):
        initial = values[f"state/{state}"]
        shape = (len(values["x"]), *initial.shape)
        a, b = found[factor].expand(shape), found[summand].expand(shape)
        paths.append(Scan.apply(a, torch.cat([a[:1] * initial + b[:1], b[1:]])))
    return tuple(paths)


class Scan(torch.autograd.Function):
    """h_t = a_t * h_{t-1} + b_t from h = 0; its gradient is the same recurrence, backward in time."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        """Give h (time, ...) of a and b (time, ...)."""
        h = scan(a, b)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Give the gradients of a and b; itself differentiable."""
        a, h = ctx.saved_tensors
        later = torch.cat([a[1:], torch.zeros_like(a[:1])])
        total = Scan.apply(later.flip(0), given[0].flip(0)).flip(0)
        return total * torch.cat([torch.zeros_like(h[:1]), h[:-1]]), total


def scan(a: Tensor, b: Tensor) -> Tensor:
    """Give h_t = a_t * h_{t-1} + b_t over the first axis, from 0, in about 2 log2(time) steps of work 2 * time in all.

    Neighbouring ticks are joined into one, the half as long recurrence is solved, and the ticks between filled in
    (Blelloch 1990, Prefix sums and their applications).

    >>> scan(torch.tensor([9.0, 2.0, 2.0]), torch.tensor([1.0, 1.0, 1.0]))
    tensor([1., 3., 7.])
    """
    if len(a) == 1:
        return b.clone()
    even, odd = slice(0, len(a) // 2 * 2, 2), slice(1, None, 2)
    h = torch.empty_like(b)
    h[odd] = scan(a[odd] * a[even], torch.addcmul(b[odd], a[odd], b[even]))
    h[0] = b[0]
    if len(a) > 2:
        torch.addcmul(b[2::2], a[2::2], h[1 : len(a) - 1 : 2], out=h[2::2])
    return h
