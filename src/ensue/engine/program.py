"""A cell's tick as plain data: what the engine runs, differentiates, and writes into a run
folder as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from ensue.cells.wellformed import SMALL, check
from ensue.engine.simplify import Node, Nodes, pruned
from ensue.errors import UserError

FURTHER = "use another stage"


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

    Leaves: `state` (the old one), `gate` (the whole preactivation), `gate.x` and `gate.h` (its
    parts, where they are read apart), `weight`, `zone` (the share of a state that zoneout keeps),
    `constant`. Equal programs compute the same; the name does not count.
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

    @cached_property
    def _hash(self) -> int:
        return hash((self.states, self.nodes, self.outputs))

    def __hash__(self) -> int:
        # Plans are looked up by program at every call of a layer, which must not cost more than a
        # small tick.
        return self._hash

    def to_json(self) -> str:
        """Write the program, whole."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Read what `to_json` wrote, and check all of it. Raises UserError if it is something
        else."""
        try:
            values = _parsed(text)
            check(values)
            values["stages"] = tuple(Part(**_tuples(part)) for part in values["stages"])
            values["weights"] = tuple(Weight(**weight) for weight in values["weights"])
            values["nodes"] = tuple(Node(**_tuples(node)) for node in values["nodes"])
            return _simplified(cls(**_tuples(values)))
        except (ValueError, UserError) as error:
            why = error.what if isinstance(error, UserError) else error
            what = f"the program of the cell is damaged: {why}"
            raise UserError(what, hint="train again from the cell's file") from None

    def own(self) -> list[bool | None]:
        """Say of each node whether it has the own width (None: it is a number). Raises UserError
        where both meet."""
        own, place = self.widths()
        if place is not None:
            raise UserError(
                f"{self.nodes[place].op} combines units of two widths",
                where=self.name,
                hint=FURTHER,
            )
        return own

    def widths(self) -> tuple[list[bool | None], int | None]:
        """Say the same of the nodes before the first whose arguments have two widths, and give
        its place."""
        of_leaf = {("weight", weight.name): weight.own for weight in self.weights}
        for part in self.stages:
            of_leaf |= {
                (op, gate): part.own for op in ("gate", "gate.x", "gate.h") for gate in part.gates
            }
        for name in self.states:
            of_leaf |= {(op, name): name in self.own_states for op in ("state", "zone")}
        own: list[bool | None] = []
        for place, node in enumerate(self.nodes):
            kinds = {own[arg] for arg in node.args} - {None}
            if len(kinds) > 1:
                return own, place
            own.append(kinds.pop() if kinds else of_leaf.get((node.op, str(node.detail))))
        return own, None


def _tuples(values: dict) -> dict:
    def freeze(value: object) -> object:
        return tuple(freeze(one) for one in value) if isinstance(value, list | tuple) else value

    return {key: freeze(value) for key, value in values.items()}


def _parsed(text: str) -> Any:
    """Read JSON as strictly as it is written. Raises ValueError."""
    if len(text) > SMALL:
        raise ValueError(f"it has more than {SMALL:,} characters")

    def refuse(value: str) -> None:
        raise ValueError(f"{value} is not finite")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def _simplified(program: Program) -> Program:
    """Write a checked program again as tracing would have: the engine reads no other form."""
    nodes = Nodes()
    places = nodes.copy(program.nodes)
    return rewritten(
        replace(program, outputs=tuple(places[one] for one in program.outputs)), nodes, places
    )


def rewritten(program: Program, nodes: Nodes, places: Sequence[int]) -> Program:
    """Give a program, its outputs already among them, other nodes; `places` says where each of
    its own is."""
    stages = tuple(
        replace(
            part,
            of=None if part.of is None else places[part.of],
            stop=max(places[: part.stop], default=-1) + 1,
        )
        for part in program.stages
    )
    return finished(replace(program, nodes=tuple(nodes.list), stages=stages))


def finished(program: Program) -> Program:
    """Drop the nodes that nothing is made of, and check the rest."""
    ofs = [part.of for part in program.stages if part.of is not None]
    nodes, new = pruned(program.nodes, [*program.outputs, *ofs])
    stages = tuple(
        replace(
            part,
            of=None if part.of is None else new[part.of],
            stop=sum(old < part.stop for old in new),
        )
        for part in program.stages
    )
    outputs = tuple(new[output] for output in program.outputs)
    return _checked(replace(program, nodes=nodes, stages=stages, outputs=outputs))


def _checked(program: Program) -> Program:
    """Refuse what could never learn: gates and weights that nothing depends on, and states that
    are mere numbers."""
    leaves = {(node.op, node.detail) for node in program.nodes}
    for gate in (gate for part in program.stages for gate in part.gates):
        unused = [op for op in ("gate.x", "gate.h") if not {(op, gate), ("gate", gate)} & leaves]
        if unused:
            what = f"the gate {gate!r}" if len(unused) == 2 else f"{unused[0]} of {gate!r}"
            raise UserError(
                f"no state depends on {what}", where=program.name, hint="drop it, or use it"
            )
    for weight in program.weights:
        if ("weight", weight.name) not in leaves:
            what = f"no state depends on the weight {weight.name!r}"
            raise UserError(what, where=program.name, hint="drop it, or use it")
    own = program.own()
    for part in program.stages:
        if part.of is not None and own[part.of] is None:
            what = f"the stage {part.name!r} multiplies a constant"
            raise UserError(what, where=program.name, hint="use the gates")
    for state, output in zip(program.states, program.outputs, strict=True):
        if own[output] is None:
            raise UserError(
                f"the state {state!r} is constant",
                where=program.name,
                hint="use the gates",
            )
        if own[output] != (state in program.own_states):
            raise UserError(
                f"the state {state!r} has another width than its stage", where=program.name
            )
    return program
