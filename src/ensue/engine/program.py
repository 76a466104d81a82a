"""A cell's tick as plain data: what the engine runs, differentiates, and writes into a run folder as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from ensue.cells.algebra import Expr
from ensue.cells.contract import Cell, Stage
from ensue.cells.equations import equations_of, parts_of
from ensue.engine.simplify import Node, Nodes, needed
from ensue.errors import UserError


@dataclass(frozen=True)
class Weight:
    """A parameter of one number for each unit, and what it starts from."""

    name: str
    start: float
    own: bool


@dataclass(frozen=True)
class Part:
    """A stage of the tick: its gates' products, then the nodes up to `stop`."""

    name: str
    gates: tuple[str, ...]
    of: int | None
    """The place of the node that U multiplies."""
    reads: bool
    bias: tuple[Literal["x", "h"], ...]
    own: bool
    stop: int


@dataclass(frozen=True)
class Program:
    """One tick: nodes in an order in which each follows its arguments.

    Leaves: `state` (the old one), `gate` (the whole preactivation), `gate.x` and `gate.h` (its parts, where they
    are read apart), `weight`, `zone` (the share of a state that zoneout keeps), `constant`.
    Equal programs compute the same; the name does not count.
    """

    name: str = field(compare=False)
    states: tuple[str, ...]
    own_states: tuple[str, ...]
    """The states that have the own width."""
    stages: tuple[Part, ...]
    weights: tuple[Weight, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    """The place of each new state."""
    own_width: int | None
    bias: tuple[tuple[str, float], ...] = field(compare=False)
    recurrence: Literal["orthogonal", "identity"] = field(compare=False)

    def to_json(self) -> str:
        """Write the program, whole."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Read what `to_json` wrote. Raises UserError if it is something else."""
        try:
            values = json.loads(text)
            values["stages"] = tuple(Part(**_tuples(part)) for part in values["stages"])
            values["weights"] = tuple(Weight(**weight) for weight in values["weights"])
            values["nodes"] = tuple(Node(**_tuples(node)) for node in values["nodes"])
            return cls(**_tuples(values))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError("the program of the cell is damaged", mend="train again from the cell's file") from None

    def own(self) -> list[bool | None]:
        """Say of each node whether it has the own width (None: it is a number). Raises UserError where both meet."""
        of_leaf = {("weight", weight.name): weight.own for weight in self.weights}
        for part in self.stages:
            of_leaf |= {(op, gate): part.own for op in ("gate", "gate.x", "gate.h") for gate in part.gates}
        for name in self.states:
            of_leaf |= {(op, name): name in self.own_states for op in ("state", "zone")}
        own: list[bool | None] = []
        for node in self.nodes:
            kinds = {own[arg] for arg in node.args} - {None}
            if len(kinds) > 1:
                raise UserError(f"{node.op} joins units of two widths", where=self.name, mend="use a further stage")
            own.append(kinds.pop() if kinds else of_leaf.get((node.op, str(node.detail))))
        return own


def _tuples(values: dict) -> dict:
    def freeze(value: object) -> object:
        return tuple(freeze(one) for one in value) if isinstance(value, list | tuple) else value

    return {key: freeze(value) for key, value in values.items()}


def trace(cell: Cell, name: str, zoneout: bool = False, normalised: bool = False) -> Program:
    """Turn a cell into a program; `name` is its name, or its file, for errors.

    With `zoneout` each new state is mixed with the old one (Krueger et al. 2017). With `normalised` each part of
    each gate is layer-normalised before its bias, with a gain (Ba et al. 2016, equation 20, gate by gate).
    """
    return _Tracer(cell, name, normalised).program(zoneout)


class _Tracer:
    def __init__(self, cell: Cell, name: str, normalised: bool) -> None:
        self.cell, self.name, self.normalised = cell, name, normalised
        self.equations = equations_of(cell, name)
        self.nodes = Nodes()
        self.results: dict[str, int] = {}
        self.weights: dict[str, Weight] = {}

    def program(self, zoneout: bool) -> Program:
        stages, own_states = [], []
        for stage, equations in zip(self.cell.all_stages(), self.equations, strict=True):
            of = None if stage.of is None else self._readable(stage.of)
            self._write(stage, equations)
            bias = () if self.normalised else stage.bias
            stop = len(self.nodes.list)
            stages.append(Part(stage.name, stage.gates, of, stage.reads, bias, stage.own_width, stop))
            own_states += [state for state in self.cell.states if state in equations and stage.own_width]
        outputs = [self._zoned(state) if zoneout else self.results[state] for state in self.cell.states]
        program = Program(
            self.name,
            self.cell.states,
            tuple(own_states),
            tuple(stages),
            tuple(self.weights.values()),
            tuple(self.nodes.list),
            tuple(outputs),
            self.cell.own_width,
            tuple(self.cell.bias.items()),
            self.cell.recurrence,
        )
        return _checked(_pruned(program))

    def _readable(self, name: str) -> int:
        return self.nodes.leaf("state", name) if name in self.cell.states else self.results[name]

    def _zoned(self, state: str) -> int:
        old, new = self.nodes.leaf("state", state), self.results[state]
        kept = self.nodes.apply("multiply", self.nodes.leaf("zone", state), self.nodes.apply("subtract", old, new))
        return self.nodes.apply("add", new, kept)

    def _write(self, stage: Stage, equations: dict[str, Expr]) -> None:
        parts = parts_of(equations.values())
        apart = {part.detail for part in parts if part.op in ("gate.x", "gate.h")}
        places: dict[int, int] = {}
        for part in parts:
            try:
                places[id(part)] = self._place(
                    part, [places[id(arg)] for arg in part.args], stage, part.detail in apart
                )
            except UserError as error:
                raise UserError(error.what, where=self.name, mend=f"look at {part!r:.60}") from None
        self.results |= {name: places[id(value)] for name, value in equations.items()}

    def _place(self, part: Expr, args: Sequence[int], stage: Stage, apart: bool) -> int:
        if args:
            return self.nodes.apply(part.op, *args)
        name = str(part.detail)
        if part.op == "gate":
            return self._gate(name, stage, apart)
        if part.op in ("gate.x", "gate.h"):
            return self._gate_part(name, part.op, stage)
        if part.op == "weight":
            self._weight(name, 0.0, stage)
        if part.op == "result":
            return self.results[name]
        return self.nodes.leaf(part.op, part.detail if part.detail is not None else "")

    def _gate(self, name: str, stage: Stage, apart: bool) -> int:
        if not (apart or self.normalised) or not stage.reads or stage.of is None:
            return self._gate_part(name, "gate.x" if stage.reads else "gate.h", stage, whole=True)
        return self.nodes.apply("add", *(self._gate_part(name, op, stage) for op in ("gate.x", "gate.h")))

    def _gate_part(self, name: str, op: str, stage: Stage, whole: bool = False) -> int:
        # Where a stage has one of the two parts only, that part is the whole gate.
        whole = whole or not stage.reads or stage.of is None
        place = self.nodes.leaf("gate" if whole else op, name)
        if not self.normalised:
            return place
        side: Literal["x", "h"] = "x" if op == "gate.x" else "h"
        gain = self._weight(f"gain.{name}.{side}", 1.0, stage)
        place = self.nodes.apply("multiply", gain, self.nodes.apply("normalise", place))
        if side not in stage.bias:
            return place
        start = self.cell.bias.get(name, 0.0) if side == stage.bias[0] else 0.0
        return self.nodes.apply("add", place, self._weight(f"shift.{name}.{side}", start, stage))

    def _weight(self, name: str, start: float, stage: Stage) -> int:
        weight = self.weights.setdefault(name, Weight(name, start, stage.own_width))
        if weight.own != stage.own_width:
            raise UserError(f"the weight {name!r} is used for units of two widths")
        return self.nodes.leaf("weight", name)


def _pruned(program: Program) -> Program:
    """Drop the nodes that nothing is made of."""
    ofs = [part.of for part in program.stages if part.of is not None]
    kept = needed(list(program.nodes), [*program.outputs, *ofs])
    new = {old: place for place, old in enumerate(kept)}
    nodes = tuple(
        Node(node.op, tuple(new[arg] for arg in node.args), node.detail)
        for node in map(program.nodes.__getitem__, kept)
    )
    stages = tuple(
        replace(part, of=None if part.of is None else new[part.of], stop=sum(old < part.stop for old in kept))
        for part in program.stages
    )
    return replace(program, nodes=nodes, stages=stages, outputs=tuple(new[output] for output in program.outputs))


def _checked(program: Program) -> Program:
    """Refuse what could never learn: gates and weights that nothing depends on, and states that are mere numbers."""
    leaves = {(node.op, node.detail) for node in program.nodes}
    for gate in (gate for part in program.stages for gate in part.gates):
        unused = [op for op in ("gate.x", "gate.h") if not {(op, gate), ("gate", gate)} & leaves]
        if unused:
            what = (
                f"no state depends on the gate {gate!r}"
                if len(unused) == 2
                else f"no state depends on {unused[0]} of {gate!r}"
            )
            raise UserError(what, where=program.name, mend="drop it, or use it")
    for weight in program.weights:
        if ("weight", weight.name) not in leaves:
            raise UserError(
                f"no state depends on the weight {weight.name!r}", where=program.name, mend="drop it, or use it"
            )
    own = program.own()
    for state, output in zip(program.states, program.outputs, strict=True):
        if own[output] is None:
            raise UserError(f"the state {state!r} is always the same number", where=program.name, mend="use the gates")
        if own[output] != (state in program.own_states):
            raise UserError(f"the state {state!r} has another width than its stage", where=program.name)
    return program
