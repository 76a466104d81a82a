"""Reverse-mode symbolic differentiation of a program (Griewank & Walther 2008, chapter 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ensue.engine.program import Program
from ensue.engine.simplify import Node, Nodes, prune

RECOMPUTED = {"add", "subtract", "multiply", "negate", "square"}
"""Operations that are cheaper to recompute from stored values than to store and reload."""
ACTIVATIONS = {"sigmoid", "tanh", "relu", "exp", "softplus"}
"""Activations, which overwrite the buffer of a gate that nothing else reads."""


@dataclass(frozen=True)
class Derivative:
    """One tick of the backward pass: nodes for the adjoint of each gate, weight and old state.

    Leaves: `value` (a value of the forward tick, by its place), `adjoint` (of a new state),
    `recall` (the adjoint that comes back through the product of a stage, known after its gates'
    adjoints), and `constant`.
    """

    nodes: tuple[Node, ...]
    gates: tuple[dict[str, tuple[int, int]], ...]
    """For each stage and gate, the places of the adjoints of its x and h parts."""
    states: dict[str, int]
    weights: dict[str, int]
    kept: frozenset[int]
    """Places of the forward values that the backward pass reads."""
    recomputed: frozenset[int] = frozenset()
    """Places whose values are recomputed from the stored ones."""

    def required(self) -> set[int]:
        """Return the places of all results."""
        gates = {place for pairs in self.gates for pair in pairs.values() for place in pair}
        return gates | set(self.states.values()) | set(self.weights.values())


def differentiate(program: Program) -> Derivative:
    """Differentiate a tick, and choose which of its values are stored and which recomputed."""
    first = _Reverse(program, frozenset()).derivative()
    recomputed = _choose_recomputed(program, first.kept)
    return _Reverse(program, recomputed).derivative() if recomputed else first


def _choose_recomputed(program: Program, required: frozenset[int]) -> frozenset[int]:
    """Choose the required values that are cheap functions of other available values."""
    nodes = program.nodes
    uses = Counter(arg for node in nodes for arg in node.args)
    activated = {
        node.args[0] for node in nodes if node.op in ACTIVATIONS and uses[node.args[0]] == 1
    }
    at_hand = {place for place, node in enumerate(nodes) if not node.args} | set(program.outputs)
    at_hand |= {part.of for part in program.stages if part.of is not None}
    at_hand |= {place for place in required if nodes[place].op not in RECOMPUTED}
    recomputed = set()
    for place in sorted(required - at_hand):
        at_hand.add(place)
        # Recomputing from a gate would store it besides its activation, which saves nothing.
        if all(
            arg in at_hand and not (nodes[arg].op == "gate" and arg in activated)
            for arg in nodes[place].args
        ):
            recomputed.add(place)
    return frozenset(recomputed)


class _Reverse:
    def __init__(self, program: Program, recomputed: frozenset[int]) -> None:
        self.program, self.recomputed = program, recomputed
        self.nodes = Nodes()
        self.adjoints: dict[int, int] = {}
        self.values: dict[int, int] = {}
        """Places of the recomputed values."""

    def derivative(self) -> Derivative:
        program = self.program
        for state, output in zip(program.states, program.outputs, strict=True):
            self._give(output, self.nodes.leaf("adjoint", state))
        gates: list[dict[str, tuple[int, int]]] = [{} for _ in program.stages]
        stop = len(program.nodes)
        for index in range(len(program.stages) - 1, -1, -1):
            part = program.stages[index]
            start = program.stages[index - 1].stop if index else 0
            for place in range(stop - 1, start - 1, -1):
                self._reverse(place)
            gates[index] = {gate: self._gate(gate) for gate in part.gates}
            if part.of is not None:
                self._give(part.of, self.nodes.leaf("recall", str(index)))
            stop = start
        states, weights = self._of_leaves("state"), self._of_leaves("weight")
        required = [place for pairs in gates for pair in pairs.values() for place in pair]
        nodes, new = prune(self.nodes.list, [*required, *states.values(), *weights.values()])
        return Derivative(
            nodes,
            tuple({gate: (new[x], new[h]) for gate, (x, h) in pairs.items()} for pairs in gates),
            {state: new[place] for state, place in states.items()},
            {weight: new[place] for weight, place in weights.items()},
            frozenset(
                int(node.detail) for node in nodes if node.op == "value" and node.detail is not None
            ),
            self.recomputed,
        )

    def _give(self, place: int, adjoint: int) -> None:
        before = self.adjoints.get(place)
        self.adjoints[place] = (
            adjoint if before is None else self.nodes.apply("add", before, adjoint)
        )

    def _value(self, place: int) -> int:
        node = self.program.nodes[place]
        if node.op == "constant":
            return self.nodes.constant(float(node.detail or 0.0))
        if place not in self.recomputed:
            return self.nodes.leaf("value", place)
        if place not in self.values:
            self._recompute(place)
        return self.values[place]

    def _recompute(self, place: int) -> None:
        """Recompute a value and its recomputed arguments, each once.

        It is iterative, since programs may be deeper than Python's stack.
        """
        pending = [place]
        while pending:
            at = pending[-1]
            args = self.program.nodes[at].args
            missing = [arg for arg in args if arg in self.recomputed and arg not in self.values]
            if missing:
                pending.append(missing[0])
                continue
            self.values[at] = self.nodes.apply(
                self.program.nodes[at].op, *(self._value(arg) for arg in args)
            )
            pending.pop()

    def _reverse(self, place: int) -> None:
        node = self.program.nodes[place]
        if not node.args or place not in self.adjoints:
            return
        values = [self._value(arg) for arg in node.args]
        adjoints = RULES[node.op](self.nodes, self.adjoints[place], self._value(place), *values)
        for arg, adjoint in zip(node.args, adjoints, strict=True):
            self._give(arg, adjoint)

    def _gate(self, gate: str) -> tuple[int, int]:
        whole, x, h = (self._of_leaves(op).get(gate) for op in ("gate", "gate.x", "gate.h"))
        if whole is not None:
            return whole, whole
        if x is None or h is None:
            raise AssertionError(f"a checked program depends on both parts of {gate}")
        return x, h

    def _of_leaves(self, op: str) -> dict[str, int]:
        nodes = self.program.nodes
        return {
            str(nodes[place].detail): adjoint
            for place, adjoint in self.adjoints.items()
            if nodes[place].op == op
        }


Rule = Callable[..., list[int]]


def _multiply(nodes: Nodes, adjoint: int, value: int, a: int, b: int) -> list[int]:
    return [nodes.apply("multiply", adjoint, b), nodes.apply("multiply", adjoint, a)]


def _divide(nodes: Nodes, adjoint: int, value: int, a: int, b: int) -> list[int]:
    share = nodes.apply("divide", adjoint, b)
    return [share, nodes.apply("negate", nodes.apply("multiply", share, value))]


def _maximum(nodes: Nodes, adjoint: int, value: int, a: int, b: int) -> list[int]:
    first = nodes.apply("multiply", adjoint, nodes.apply("exceeds", a, b))
    return [first, nodes.apply("subtract", adjoint, first)]


def _sqrt(nodes: Nodes, adjoint: int, value: int, a: int) -> list[int]:
    return [nodes.apply("divide", nodes.apply("multiply", adjoint, nodes.constant(0.5)), value)]


RULES: dict[str, Rule] = {
    "add": lambda n, d, v, a, b: [d, d],
    "subtract": lambda n, d, v, a, b: [d, n.apply("negate", d)],
    "multiply": _multiply,
    "divide": _divide,
    "negate": lambda n, d, v, a: [n.apply("negate", d)],
    "square": lambda n, d, v, a: [n.apply("multiply", d, n.apply("multiply", n.constant(2.0), a))],
    "sigmoid": lambda n, d, v, a: [n.apply("sigmoid_back", d, v)],
    "tanh": lambda n, d, v, a: [n.apply("tanh_back", d, v)],
    "relu": lambda n, d, v, a: [n.apply("relu_back", d, v)],
    "exp": lambda n, d, v, a: [n.apply("multiply", d, v)],
    "log": lambda n, d, v, a: [n.apply("divide", d, a)],
    "sqrt": _sqrt,
    "softplus": lambda n, d, v, a: [n.apply("multiply", d, n.apply("sigmoid", a))],
    "absolute": lambda n, d, v, a: [n.apply("multiply", d, n.apply("sign", a))],
    "normalise": lambda n, d, v, a: [n.apply("normalise_back", d, v, a)],
    "maximum": _maximum,
}
"""Adjoint rule of each operation, called with (nodes, adjoint, value, *arguments)."""
