"""What can be done to any cell: zoneout, and layer normalisation inside its gates. A program becomes another."""

from __future__ import annotations

from dataclasses import replace

from ensue.engine.program import Part, Program, Weight, checked, pruned
from ensue.engine.simplify import Nodes


def with_zoneout(program: Program) -> Program:
    """Mix each new state with the old one: new + zone * (old - new) (Krueger et al. 2017, arXiv:1606.01305)."""
    copy = _Copy(program, normalised=False)
    outputs = []
    for state, output in zip(program.states, program.outputs, strict=True):
        new = copy.places[output]
        lost = copy.nodes.apply("subtract", copy.nodes.leaf("state", state), new)
        outputs.append(copy.nodes.apply("add", new, copy.nodes.apply("multiply", copy.nodes.leaf("zone", state), lost)))
    return copy.program(outputs)


def with_normalised_gates(program: Program) -> Program:
    """Normalise W x and U h of each gate over the units, with a gain each, before the bias.

    Ba et al. 2016 (arXiv:1607.06450), equation 20, but for each gate on its own.
    """
    copy = _Copy(program, normalised=True)
    return copy.program([copy.places[output] for output in program.outputs])


class _Copy:
    """A copy of a program's nodes; `places` says where each is now."""

    def __init__(self, program: Program, normalised: bool) -> None:
        self.original, self.nodes = program, Nodes()
        self.weights: list[Weight] = list(program.weights)
        self.places: list[int] = []
        self.stages: list[Part] = list(program.stages)
        for place, node in enumerate(program.nodes):
            self._end_stages(place)
            if node.args:
                self.places.append(self.nodes.apply(node.op, *(self.places[arg] for arg in node.args)))
            elif normalised and node.op.startswith("gate"):
                self.places.append(self._normalised(node.op, str(node.detail)))
            else:
                self.places.append(self.nodes.leaf(node.op, node.detail if node.detail is not None else ""))
        self._end_stages(len(program.nodes))
        if normalised:
            self.stages = [replace(part, bias=()) for part in self.stages]

    def program(self, outputs: list[int]) -> Program:
        nodes, stages = tuple(self.nodes.list), tuple(self.stages)
        changed = replace(
            self.original, nodes=nodes, stages=stages, weights=tuple(self.weights), outputs=tuple(outputs)
        )
        return checked(pruned(changed))

    def _end_stages(self, place: int) -> None:
        for index, part in enumerate(self.original.stages):
            if part.stop == place:
                of = None if part.of is None else self.places[part.of]
                self.stages[index] = replace(part, of=of, stop=len(self.nodes.list))

    def _normalised(self, op: str, gate: str) -> int:
        part = next(part for part in self.original.stages if gate in part.gates)
        whole = op == "gate"
        sides = [side for side, present in (("x", part.reads), ("h", part.of is not None)) if present]
        parts = [self._side(part, gate, side, alone=len(sides) == 1) for side in sides if whole or op == f"gate.{side}"]
        return self.nodes.apply("add", *parts) if len(parts) == 2 else parts[0]

    def _side(self, part: Part, gate: str, side: str, alone: bool) -> int:
        place = self.nodes.apply("normalise", self.nodes.leaf("gate" if alone else f"gate.{side}", gate))
        place = self.nodes.apply("multiply", self._weight(f"gain/{gate}/{side}", 1.0, part), place)
        if side not in part.bias:
            return place
        start = dict(self.original.bias).get(gate, 0.0) if side == part.bias[0] else 0.0
        return self.nodes.apply("add", place, self._weight(f"shift/{gate}/{side}", start, part))

    def _weight(self, name: str, start: float, part: Part) -> int:
        self.weights.append(Weight(name, start, part.own))
        return self.nodes.leaf("weight", name)
