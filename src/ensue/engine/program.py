"""A cell's tick as plain data, which is executed, differentiated, and stored as JSON in a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from ensue.cells.wellformed import SMALL, check
from ensue.engine.simplify import Node, Nodes, prune
from ensue.errors import UserError

FURTHER = "use another stage"


@dataclass(frozen=True)
class Weight:
    """An elementwise parameter, one number per unit, with its initial value."""

    name: str
    start: float
    own: bool


@dataclass(frozen=True)
class Part:
    """One stage of a tick: the products of its gates, then the nodes up to `stop`."""

    name: str
    gates: tuple[str, ...]
    of: int | None
    """Place of the node that U multiplies."""
    reads: bool
    bias: tuple[Literal["x", "h"], ...]
    own: bool
    stop: int


@dataclass(frozen=True)
class Program:
    """One tick: nodes in topological order.

    Leaves: `state` (the old one), `gate` (a preactivation), `gate.x` and `gate.h` (its parts, if
    read separately), `weight`, `zone` (the zoneout rate or mask of a state), `constant`. Equal
    programs compute the same function; the name is not compared.
    """

    name: str = field(compare=False)
    states: tuple[str, ...]
    own_states: tuple[str, ...]
    """States that have the cell's own width."""
    stages: tuple[Part, ...]
    weights: tuple[Weight, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    """Place of each new state."""
    own_width: int | None
    bias: tuple[tuple[str, float], ...] = field(compare=False)
    recurrence: Literal["orthogonal", "identity"] = field(compare=False)

    @cached_property
    def _hash(self) -> int:
        return hash((self.states, self.nodes, self.outputs))

    def __hash__(self) -> int:
        # Plans are cached by program and looked up at every call, which must not cost more than a
        # small tick.
        return self._hash

    def to_json(self) -> str:
        """Serialise the complete program."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Parse and validate the output of `to_json`. Raises UserError if it is something else."""
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
        """Return for each node whether it has the own width; None for constants.

        Raises UserError if a node combines both widths.
        """
        own, place = self.widths()
        if place is not None:
            what = f"{self.nodes[place].op} combines units of two widths"
            raise UserError(what, where=self.name, hint=FURTHER)
        return own

    def widths(self) -> tuple[list[bool | None], int | None]:
        """Return the widths up to the first node that combines two, and its place."""
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
    """Parse JSON strictly, without NaN and Infinity. Raises ValueError."""
    if len(text) > SMALL:
        raise ValueError(f"it has more than {SMALL:,} characters")

    def refuse(value: str) -> None:
        raise ValueError(f"{value} is not finite")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None


def _simplified(program: Program) -> Program:
    """Rebuild a validated program as tracing would have, the only form that the engine accepts."""
    nodes = Nodes()
    places = nodes.copy(program.nodes)
    return rewrite(
        replace(program, outputs=tuple(places[one] for one in program.outputs)), nodes, places
    )


def rewrite(program: Program, nodes: Nodes, places: Sequence[int]) -> Program:
    """Replace the nodes of a program; `places` maps the old ones.

    The outputs of the program are already among the new nodes.
    """
    stages = tuple(
        replace(
            part,
            of=None if part.of is None else places[part.of],
            stop=max(places[: part.stop], default=-1) + 1,
        )
        for part in program.stages
    )
    return finish(replace(program, nodes=tuple(nodes.list), stages=stages))


def finish(program: Program) -> Program:
    """Drop unused nodes, and validate the rest."""
    ofs = [part.of for part in program.stages if part.of is not None]
    nodes, new = prune(program.nodes, [*program.outputs, *ofs])
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
    """Refuse unused gates and weights, and constant states, which could never be trained."""
    leaves = {(node.op, node.detail) for node in program.nodes}
    for gate in (gate for part in program.stages for gate in part.gates):
        unused = [op for op in ("gate.x", "gate.h") if not {(op, gate), ("gate", gate)} & leaves]
        if unused:
            what = f"the gate {gate!r}" if len(unused) == 2 else f"{unused[0]} of {gate!r}"
            where = program.name
            raise UserError(f"no state depends on {what}", where=where, hint="drop it, or use it")
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
            what = f"the state {state!r} is constant"
            raise UserError(what, where=program.name, hint="use the gates")
        if own[output] != (state in program.own_states):
            what = f"the state {state!r} has another width than its stage"
            raise UserError(what, where=program.name)
    return program
