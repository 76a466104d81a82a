"""A node list with constant folding, common subexpressions shared, and identities removed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ensue.cells.algebra import LARGEST
from ensue.errors import UserError


@dataclass(frozen=True)
class Node:
    """An operation on earlier nodes, by place; or a leaf (no `args`) with its `detail`."""

    op: str
    args: tuple[int, ...] = ()
    detail: str | float | None = None


SCALAR: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negate": lambda a: -a,
    "square": lambda a: a * a,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "softplus": lambda a: math.log1p(math.exp(a)),
    "absolute": abs,
    "normalise": lambda a: 0.0,
    "maximum": max,
    "exceeds": lambda a, b: (float(a > b) + float(a >= b)) / 2,
    "sign": lambda a: float(a > 0) - float(a < 0),
}
"""Scalar implementation of each operation.

`exceeds` is 1 where a > b, 1/2 where they are equal, and 0 elsewhere.
"""

COMMUTATIVE = {"add", "multiply", "maximum"}


class Nodes:
    """A growing list of nodes, in which equal operations share one node."""

    def __init__(self) -> None:
        self.list: list[Node] = []
        self._places: dict[Node, int] = {}

    def leaf(self, op: str, detail: str | float) -> int:
        """Return the place of a leaf."""
        return self.add(Node(op, (), detail))

    def constant(self, value: float) -> int:
        """Return the place of a constant."""
        return self.leaf("constant", float(value))

    def apply(self, op: str, *args: int) -> int:
        """Return the place of `op` on the values at `args`, simplified; adds a node if needed."""
        values = [self._value(arg) for arg in args]
        if all(value is not None for value in values):
            return self.constant(_fold(op, values))
        short = self._simplify(op, args, values)
        if short is not None:
            return short
        ordered = tuple(sorted(args)) if op in COMMUTATIVE else args
        return self.add(Node(op, ordered))

    def copy(self, nodes: Sequence[Node], leaf: Callable[[Node], int] | None = None) -> list[int]:
        """Copy other nodes, with leaves replaced by `leaf`; return the place of each."""
        leaf, places = leaf or self.add, []
        for node in nodes:
            places.append(
                self.apply(node.op, *(places[arg] for arg in node.args))
                if node.args
                else leaf(node)
            )
        return places

    def add(self, node: Node) -> int:
        """Return the place of a node, without simplifying it."""
        if node not in self._places:
            self._places[node] = len(self.list)
            self.list.append(node)
        return self._places[node]

    def _value(self, place: int) -> float | None:
        node = self.list[place]
        return node.detail if node.op == "constant" and isinstance(node.detail, float) else None

    def _inside(self, op: str, place: int) -> int | None:
        """Return x if the node at `place` is op(x), else None."""
        node = self.list[place]
        return node.args[0] if node.op == op else None

    def _simplify(self, op: str, args: tuple[int, ...], values: list[float | None]) -> int | None:
        rules = {
            "add": self._add,
            "subtract": self._subtract,
            "multiply": self._multiply,
            "divide": self._divide,
        }
        if op in rules:
            return rules[op](args, values)
        if op == "negate":
            return self._inside("negate", args[0])
        if op == "maximum" and args[0] == args[1]:
            return args[0]
        if op == "normalise_back" and values[0] is not None:
            return self.constant(0.0)  # a normalised row sums to zero, whatever its input
        return None

    def _add(self, args: tuple[int, ...], values: list[float | None]) -> int | None:
        for this, other in ((0, 1), (1, 0)):
            if values[this] == 0:
                return args[other]
            negated = self._inside("negate", args[this])
            if negated is not None:
                return self.apply("subtract", args[other], negated)
        return None

    def _subtract(self, args: tuple[int, ...], values: list[float | None]) -> int | None:
        if args[0] == args[1]:
            return self.constant(0)
        if values[1] == 0:
            return args[0]
        if values[0] == 0:
            return self.apply("negate", args[1])
        negated = self._inside("negate", args[1])
        return None if negated is None else self.apply("add", args[0], negated)

    def _multiply(self, args: tuple[int, ...], values: list[float | None]) -> int | None:
        for this, other in ((0, 1), (1, 0)):
            if values[this] == 0:
                return args[this]
            if values[this] == 1:
                return args[other]
            if values[this] == -1:
                return self.apply("negate", args[other])
            negated = self._inside("negate", args[this])
            if negated is not None:
                return self.apply("negate", self.apply("multiply", negated, args[other]))
        return self.add(Node("square", (args[0],))) if args[0] == args[1] else None

    def _divide(self, args: tuple[int, ...], values: list[float | None]) -> int | None:
        if values[1] == 0:
            raise UserError("a division by 0 is not finite")
        if values[0] == 0:
            return args[0]
        return args[0] if values[1] == 1 else None


def _fold(op: str, values: list[float | None]) -> float:
    try:
        result = SCALAR[op](*values)
    except (ArithmeticError, ValueError):
        result = math.nan
    if not abs(result) <= LARGEST:
        raise UserError(f"{op}({', '.join(str(value) for value in values)}) is not finite")
    return result


def find_needed(nodes: Sequence[Node], required: Iterable[int]) -> list[int]:
    """Return the places of the `required` nodes and all their dependencies, in order."""
    found = set(required)
    for place in range(len(nodes) - 1, -1, -1):
        if place in found:
            found.update(nodes[place].args)
    return sorted(found)


def prune(
    nodes: Sequence[Node], required: Iterable[int]
) -> tuple[tuple[Node, ...], dict[int, int]]:
    """Drop nodes that no `required` one depends on; return the rest and their new places."""
    new = {old: place for place, old in enumerate(find_needed(nodes, required))}
    kept = (nodes[old] for old in new)
    return tuple(
        Node(node.op, tuple(new[arg] for arg in node.args), node.detail) for node in kept
    ), new
