"""Recurrences h' = a * h + b whose a and b do not depend on h: all ticks at once, by a parallel
scan.

Feng et al. 2024 (arXiv:2410.01201) train minimal cells so. Which programs are of this form is found
from the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ensue.engine.derivative import differentiate
from ensue.engine.operations import TENSOR
from ensue.engine.program import Program
from ensue.engine.simplify import Node, Nodes, needed, pruned


@dataclass(frozen=True)
class Linear:
    """The factor a, for each state, and the summand b of a linear program, as places among
    `nodes`."""

    nodes: tuple[Node, ...]
    factors: tuple[int, ...]
    summands: tuple[int, ...]


@lru_cache(maxsize=64)
def linear(program: Program) -> Linear | None:
    """Give factor and summand of each state; None if the program is not linear in its state, unit
    by unit.

    The factor is the derivative of a new state in its old one, which depends on no state; the
    summand is what the program gives where every state is 0.
    """
    if any(part.of is not None for part in program.stages):
        return None
    derivative, on_state = differentiate(program), _on_state(program.nodes)
    for state, place in derivative.states.items():
        leaves = [derivative.nodes[at] for at in needed(derivative.nodes, [place])]
        own = all(leaf.detail == state for leaf in leaves if leaf.op == "adjoint")
        if not own or any(on_state[int(leaf.detail or 0)] for leaf in leaves if leaf.op == "value"):
            return None
    nodes = Nodes()
    zero, one = nodes.constant(0.0), nodes.constant(1.0)
    values = nodes.copy(program.nodes, lambda leaf: zero if leaf.op == "state" else nodes.add(leaf))

    def behind(leaf: Node) -> int:
        if leaf.op == "value":
            return values[int(leaf.detail or 0)]
        return one if leaf.op == "adjoint" else nodes.add(leaf)

    back, new = pruned(derivative.nodes, derivative.states.values())
    slopes = nodes.copy(back, behind)
    factors = [
        slopes[new[derivative.states[state]]] if state in derivative.states else zero
        for state in program.states
    ]
    summands = [values[output] for output in program.outputs]
    kept, new = pruned(nodes.list, [*factors, *summands])
    return Linear(
        kept, tuple(new[place] for place in factors), tuple(new[place] for place in summands)
    )


def _on_state(nodes: Sequence[Node]) -> list[bool]:
    """Say of each node whether it depends on a state."""
    found: list[bool] = []
    for node in nodes:
        found.append(node.op == "state" or any(found[arg] for arg in node.args))
    return found


SMALL_TICK = 1024
"""Numbers in a tick up to which the cost of a tick in the eager engine is its overhead, measured
on a CPU."""


def faster(program: Program, values: Mapping[str, Tensor]) -> bool:
    """Say whether the scan is faster than the eager engine's ticks: always on a GPU, with small
    ticks on a CPU.

    The compiled kernels are faster than it at every size (benchmarks/training.py), and are asked
    first.
    """
    if linear(program) is None:
        return False
    state = values[f"state/{program.states[0]}"]
    return state.device.type != "cpu" or state.numel() <= SMALL_TICK


def run(program: Program, values: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Give the path of each state of a linear program, (time, batch, units); differentiable any
    number of times."""
    form = linear(program)
    if form is None:
        raise ValueError(f"{program.name} is not linear in its state")
    gates: dict[str, Tensor] = {}
    for part in program.stages:
        product = F.linear(
            values["x"], values[f"{part.name}/input"], values.get(f"{part.name}/input_bias")
        )
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
    """h_t = a_t * h_{t-1} + b_t from h = 0; its gradient is the same recurrence, backward in
    time."""

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
    """Give h_t = a_t * h_{t-1} + b_t over the first axis, from 0, in about 2 log2(time) steps of
    work 2 * time in all.

    Neighbouring ticks are joined into one, the half as long recurrence is solved, and the ticks
    between filled in (Blelloch 1990, Prefix sums and their applications).

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
