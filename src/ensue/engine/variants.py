"""Program transformations for any cell: zoneout, and layer normalisation inside the gates."""

from __future__ import annotations

from dataclasses import replace

from ensue.engine.program import Part, Program, Weight, rewrite
from ensue.engine.simplify import Node, Nodes


def with_zoneout(program: Program) -> Program:
    """Add zoneout: new + zone * (old - new) (Krueger et al. 2017, arXiv:1606.01305)."""
    nodes = Nodes()
    places = nodes.copy(program.nodes)
    outputs = []
    for state, output in zip(program.states, program.outputs, strict=True):
        lost = nodes.apply("subtract", nodes.leaf("state", state), places[output])
        outputs.append(
            nodes.apply(
                "add", places[output], nodes.apply("multiply", nodes.leaf("zone", state), lost)
            )
        )
    return rewrite(replace(program, outputs=tuple(outputs)), nodes, places)


def with_normalised_gates(program: Program) -> Program:
    """Normalise W x and U h of each gate over the units, with a gain each, before the bias.

    This is equation 20 of Ba et al. 2016 (arXiv:1607.06450), but for each gate separately.
    """
    gates = _Normalised(program)
    places = gates.nodes.copy(program.nodes, gates.leaf)
    changed = replace(
        program,
        outputs=tuple(places[output] for output in program.outputs),
        weights=tuple(gates.weights),
        stages=tuple(replace(part, bias=()) for part in program.stages),
    )
    return rewrite(changed, gates.nodes, places)


class _Normalised:
    """Leaves of a program whose gates are normalised."""

    def __init__(self, program: Program) -> None:
        self.original, self.nodes = program, Nodes()
        self.weights: list[Weight] = list(program.weights)

    def leaf(self, node: Node) -> int:
        """Return the place of the replacement of a leaf."""
        if not node.op.startswith("gate"):
            return self.nodes.add(node)
        part = next(part for part in self.original.stages if node.detail in part.gates)
        sides = [
            side for side, present in (("x", part.reads), ("h", part.of is not None)) if present
        ]
        parts = [
            self._side(part, str(node.detail), side, alone=len(sides) == 1)
            for side in sides
            if node.op in ("gate", f"gate.{side}")
        ]
        return self.nodes.apply("add", *parts) if len(parts) == 2 else parts[0]

    def _side(self, part: Part, gate: str, side: str, alone: bool) -> int:
        place = self.nodes.apply(
            "normalise", self.nodes.leaf("gate" if alone else f"gate.{side}", gate)
        )
        place = self.nodes.apply("multiply", self._weight(f"gain/{gate}/{side}", 1.0, part), place)
        if side not in part.bias:
            return place
        start = dict(self.original.bias).get(gate, 0.0) if side == part.bias[0] else 0.0
        return self.nodes.apply("add", place, self._weight(f"shift/{gate}/{side}", start, part))

    def _weight(self, name: str, start: float, part: Part) -> int:
        self.weights.append(Weight(name, start, part.own))
        return self.nodes.leaf("weight", name)
