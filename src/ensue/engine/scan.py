"""Parallel scan for linear recurrences h' = a * h + b, whose a and b do not depend on h.

Feng et al. 2024 (arXiv:2410.01201) train minimal cells this way. The form is detected from the
program.
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
from ensue.engine.simplify import Node, Nodes, find_needed, prune


@dataclass(frozen=True)
class Linear:
    """Factor a and summand b of each state of a linear program, as places among `nodes`."""

    nodes: tuple[Node, ...]
    factors: tuple[int, ...]
    summands: tuple[int, ...]


@lru_cache(maxsize=64)
def linear(program: Program) -> Linear | None:
    """Return factor and summand of each state; None if the program is not linear.

    The factor is the derivative of a new state in its old one, which may depend on no state. The
    summand is the value of the new state where every state is 0. Both hold unit by unit.
    """
    if any(part.of is not None for part in program.stages):
        return None
    derivative, on_state = differentiate(program), _on_state(program.nodes)
    for state, place in derivative.states.items():
        leaves = [derivative.nodes[at] for at in find_needed(derivative.nodes, [place])]
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

    back, new = prune(derivative.nodes, derivative.states.values())
    slopes = nodes.copy(back, behind)
    factors = [
        slopes[new[derivative.states[state]]] if state in derivative.states else zero
        for state in program.states
    ]
    summands = [values[output] for output in program.outputs]
    kept, new = prune(nodes.list, [*factors, *summands])
    return Linear(
        kept, tuple(new[place] for place in factors), tuple(new[place] for place in summands)
    )


def _on_state(nodes: Sequence[Node]) -> list[bool]:
    """Return for each node whether it depends on a state."""
    found: list[bool] = []
    for node in nodes:
        found.append(node.op == "state" or any(found[arg] for arg in node.args))
    return found


SMALL_TICK = 1024
"""Largest size of a tick, in numbers, at which overhead dominates the eager backend on a CPU."""


def faster(program: Program, values: Mapping[str, Tensor]) -> bool:
    """Return whether the scan beats the eager backend: on a GPU, or for small ticks on a CPU.

    The compiled kernels are faster at every size (benchmarks/training.py), so they take precedence.
    """
    if linear(program) is None:
        return False
    state = values[f"state/{program.states[0]}"]
    return state.device.type != "cpu" or state.numel() <= SMALL_TICK


def run(program: Program, values: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Return the path of each state of a linear program, (time, batch, units).

    The paths are differentiable any number of times.
    """
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
    """h_t = a_t * h_{t-1} + b_t from h = 0; the gradient is the same recurrence in reverse."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:  # pyrefly: ignore[bad-override]
        """Return h (time, ...) for a and b (time, ...)."""
        h = scan(a, b)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of a and b, which are differentiable themselves."""
        a, h = ctx.saved_tensors
        later = torch.cat([a[1:], torch.zeros_like(a[:1])])
        total = Scan.apply(later.flip(0), given[0].flip(0)).flip(0)
        return total * torch.cat([torch.zeros_like(h[:1]), h[:-1]]), total


def scan(a: Tensor, b: Tensor) -> Tensor:
    """Compute h_t = a_t * h_{t-1} + b_t over the first axis, from h = 0.

    Neighbouring ticks are combined, the recurrence of half the length is solved, and the ticks
    between are filled in (Blelloch 1990, Prefix sums and their applications). It takes about 2
    log2(time) steps, with 2 * time of work in total.

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
