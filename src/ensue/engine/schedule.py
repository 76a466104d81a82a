"""Schedules of a tick, forward and backward, and the memory slot of each value.

They are built once per program. A `Slot` is a tuple that names a place in memory by its kind.
Forward: ("old" | "new", state), ("gates", stage, first, last) for columns of the gates' buffer,
("kept", node, own width) for stored values, ("scratch", phase, node, own width) for temporary ones,
("weight", name), ("zone", state), ("constant", value), ("recurrent" | "recurrent_bias", stage,
first, last) for gates in the order of U h. Backward also: ("recurrent_back", stage), ("incoming" |
"outgoing" | "given", state), ("gate_adjoints", stage, first, last), ("sum", weight).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

import torch

from ensue.engine.derivative import ACTIVATIONS, Derivative, differentiate
from ensue.engine.operations import TENSOR, add_product, copy, subtract_product
from ensue.engine.program import Program
from ensue.engine.simplify import Node, find_needed

Slot: TypeAlias = tuple[str | int | float, ...]


@dataclass(frozen=True)
class Instruction:
    """Call `function` on the slots `args` and write to `out`, all by number in the schedule."""

    function: Callable
    args: tuple[int, ...]
    out: int


class Schedule:
    """A list of instructions, their slots, and the slot of each node."""

    def __init__(
        self, nodes: tuple[Node, ...], own: list[bool | None], phase: str, whole: Iterable[int]
    ) -> None:
        self.nodes, self.own, self.phase = nodes, own, phase
        self.whole = frozenset(whole)
        """Nodes whose own value is read elsewhere, so that they are not fused."""
        self.slots: dict[Slot, int] = {}
        self.instructions: list[Instruction] = []
        self.found: dict[int, Slot] = {}
        self.uses = Counter(arg for node in nodes for arg in node.args)

    def call(self, function: Callable, args: Iterable[Slot], out: Slot) -> None:
        """Append an instruction."""
        places = tuple(self._place(arg) for arg in args)
        self.instructions.append(Instruction(function, places, self._place(out)))

    def _place(self, slot: Slot) -> int:
        return self.slots.setdefault(slot, len(self.slots))

    def compute(self, places: Iterable[int], targets: dict[int, Slot]) -> None:
        """Append the instructions of the nodes at `places`; `targets` maps nodes to their slots."""
        places = [place for place in places if self.nodes[place].args and place not in self.found]
        inside = self._products_to_fuse(set(places))
        for place in places:
            if place in inside.values():
                continue
            node = self.nodes[place]
            function, args = TENSOR[node.op], node.args
            if place in inside:
                product = inside[place]
                other = args[0] if args[1] == product else args[1]
                args = (other, *self.nodes[product].args)
                function = add_product if node.op == "add" else subtract_product
            self.found[place] = targets.get(place, self.scratch(place))
            self.call(function, [self.get_slot(arg) for arg in args], self.found[place])

    def _products_to_fuse(self, places: set[int]) -> dict[int, int]:
        """Find for each sum or difference a product that nothing else reads."""
        inside: dict[int, int] = {}
        for place in places:
            node = self.nodes[place]
            candidates = {"add": node.args, "subtract": node.args[1:]}.get(node.op, ())
            for arg in candidates:
                single = self.nodes[arg].op == "multiply" and self.uses[arg] == 1
                if (
                    single
                    and arg in places
                    and arg not in self.whole
                    and node.args[0] != node.args[-1]
                ):
                    inside[place] = arg
        return inside

    def scratch(self, place: int) -> Slot:
        """Return a slot for a value that is needed only within the tick."""
        return ("scratch", self.phase, place, bool(self.own[place]))

    def get_slot(self, place: int) -> Slot:
        """Return the slot of a node."""
        node = self.nodes[place]
        return (
            ("constant", float(node.detail or 0.0)) if node.op == "constant" else self.found[place]
        )


@dataclass(frozen=True)
class Plan:
    """Forward and backward schedule of a program, and its derivative."""

    forward: Schedule
    backward: Schedule
    derivative: Derivative


@lru_cache(maxsize=64)
def plan(program: Program) -> Plan:
    """Schedule a program and its derivative."""
    derivative = differentiate(program)
    forward = _forward(program, derivative.kept)
    return Plan(forward, _backward(program, derivative, forward), derivative)


@dataclass(frozen=True)
class Columns:
    """Column order of a stage's gates: separate x parts, sums of both parts, separate h parts.

    So W x fills a prefix of the columns and U h a suffix, and no column is duplicated.
    """

    apart: tuple[int, ...]
    """Gates whose parts are read separately, by index in the stage."""
    sums: tuple[int, ...]

    @property
    def of_x(self) -> tuple[int, ...]:
        """Gates of the columns that W x fills."""
        return self.apart + self.sums

    @property
    def of_h(self) -> tuple[int, ...]:
        """Gates of the columns that U h fills, from `len(apart)` on."""
        return self.sums + self.apart

    @property
    def count(self) -> int:
        """Number of columns."""
        return 2 * len(self.apart) + len(self.sums)

    def find(self, op: str, gate: int) -> int:
        """Return the column of a gate or of its part."""
        return self.of_x.index(gate) if op == "gate.x" else len(self.apart) + self.of_h.index(gate)


@lru_cache(maxsize=256)
def columns(program: Program, stage: int) -> Columns:
    """Return the columns of a stage."""
    gates = program.stages[stage].gates
    apart = {
        gates.index(str(node.detail))
        for node in program.nodes
        if node.op == "gate.h" and node.detail in gates
    }
    return Columns(tuple(sorted(apart)), tuple(sorted({*range(len(gates))} - apart)))


def has_input_bias(program: Program, stage: int) -> bool:
    """Return whether a bias is added to W x; the bias of U h counts if the two are summed."""
    bias = program.stages[stage].bias
    return "x" in bias or ("h" in bias and bool(columns(program, stage).sums))


def _runs(chosen: Iterable[int]) -> list[tuple[int, int]]:
    """Return the maximal runs [first, last) of chosen columns."""
    runs = [
        [*group]
        for _, group in groupby(enumerate(sorted(chosen)), key=lambda pair: pair[1] - pair[0])
    ]
    return [(run[0][1], run[-1][1] + 1) for run in runs]


def _forward(program: Program, kept: frozenset[int]) -> Schedule:
    own = program.own()
    ofs = {part.of for part in program.stages if part.of is not None}
    schedule = Schedule(program.nodes, own, "forward", kept | ofs | set(program.outputs))
    for place, node in enumerate(program.nodes):
        if node.op in ("weight", "zone", "state"):
            schedule.found[place] = ("old" if node.op == "state" else node.op, str(node.detail))
    targets: dict[int, Slot] = {}
    for place in kept | ofs:
        if program.nodes[place].args:
            targets[place] = ("kept", place, bool(own[place]))
    for state, output in zip(program.states, program.outputs, strict=True):
        if program.nodes[output].args:
            targets[output] = ("new", state)
    start = 0
    for index, part in enumerate(program.stages):
        stop = part.stop if index + 1 < len(program.stages) else len(program.nodes)
        _products(schedule, program, index)
        _activations(schedule, program, index, kept, set(targets) & set(program.outputs))
        _replace_gates(schedule, program, kept | ofs | set(program.outputs), targets)
        schedule.compute(range(start, stop), targets)
        start = stop
    for state, output in zip(program.states, program.outputs, strict=True):
        if schedule.found[output] != ("new", state):
            schedule.call(copy, [schedule.found[output]], ("new", state))
    return schedule


def _products(schedule: Schedule, program: Program, index: int) -> None:
    """Append the products U v, added to W x in the stage's buffer, and locate the gates."""
    part, places = program.stages[index], columns(program, index)
    start, sums, count = len(places.apart), len(places.sums), len(part.gates)
    for first, last in ((0, sums), (sums, count)) if part.of is not None else ():
        if first == last:
            continue
        factors: list[Slot] = [schedule.found[part.of or 0], ("recurrent", index, first, last)]
        target: Slot = ("gates", index, start + first, start + last)
        if part.reads and first < sums:
            schedule.call(torch.addmm, [target, *factors], target)
        elif "h" in part.bias:
            schedule.call(torch.addmm, [("recurrent_bias", index, first, last), *factors], target)
        else:
            schedule.call(torch.mm, factors, target)
    for place, node in enumerate(program.nodes):
        if node.op.startswith("gate") and node.detail in part.gates:
            at = places.find(node.op, part.gates.index(str(node.detail)))
            schedule.found[place] = ("gates", index, at, at + 1)


def _activations(
    schedule: Schedule, program: Program, index: int, kept: frozenset[int], outputs: set[int]
) -> None:
    """Append in-place activations of gates whose preactivation nothing else reads.

    Neighbouring columns share one call.
    """
    part = program.stages[index]
    column_of = {
        place: int(schedule.found[node.args[0]][2])
        for place, node in enumerate(program.nodes)
        if node.op in ACTIVATIONS
        and program.nodes[node.args[0]].op == "gate"
        and program.nodes[node.args[0]].detail in part.gates
        and schedule.uses[node.args[0]] == 1
        and not {node.args[0], place} & outputs
        and node.args[0] not in kept
    }
    for op in sorted({program.nodes[place].op for place in column_of}):
        chosen = {
            column: place for place, column in column_of.items() if program.nodes[place].op == op
        }
        for first, last in _runs(chosen):
            slot: Slot = ("gates", index, first, last)
            schedule.call(TENSOR[op], [slot], slot)
        for place in chosen.values():
            schedule.found[place] = schedule.found[program.nodes[place].args[0]]


def _replace_gates(
    schedule: Schedule, program: Program, required: Set[int], targets: dict[int, Slot]
) -> None:
    """Store values in the columns of gates that only they depend on."""
    user = {arg: place for place, node in enumerate(program.nodes) for arg in node.args}
    for place, node in enumerate(program.nodes):
        if not node.op.startswith("gate") or schedule.found.get(place, ("",))[0] != "gates":
            continue
        at = place
        while at not in required and schedule.uses[at] == 1:
            at = user[at]
        if at != place and targets.get(at, ("",))[0] == "kept":
            targets[at] = schedule.found[place]


def _backward(program: Program, derivative: Derivative, forward: Schedule) -> Schedule:
    schedule = Schedule(
        derivative.nodes, _own(program, derivative), "backward", derivative.required()
    )
    for place, node in enumerate(derivative.nodes):
        if node.op == "value":
            schedule.found[place] = forward.found[int(node.detail or 0)]
        elif node.op == "adjoint":
            schedule.found[place] = ("incoming", str(node.detail))
    recalls = {
        int(node.detail or 0): place
        for place, node in enumerate(derivative.nodes)
        if node.op == "recall"
    }
    given: set[str] = set()
    targets: dict[int, Slot] = {
        place: ("outgoing", state) for state, place in derivative.states.items()
    }
    for index in range(len(program.stages) - 1, -1, -1):
        _gate_adjoints(schedule, program, derivative, index, targets)
        if index in recalls:
            _recall(schedule, program, index, recalls[index], targets, given)
    schedule.compute(range(len(derivative.nodes)), targets)
    for weight, place in derivative.weights.items():
        schedule.call(torch.add, [("sum", weight), schedule.get_slot(place)], ("sum", weight))
    found = {state: schedule.get_slot(place) for state, place in derivative.states.items()}
    for state in program.states:
        if found.get(state) != ("outgoing", state):
            schedule.call(copy, [found.get(state, ("given", state))], ("outgoing", state))
    # The loss gradient is added last: an adjoint may be shared by several states, or by a weight.
    for state in program.states:
        if state in found and state not in given:
            schedule.call(torch.add, [("outgoing", state), ("given", state)], ("outgoing", state))
    return schedule


def _own(program: Program, derivative: Derivative) -> list[bool | None]:
    """Return for each node of a derivative whether it has the own width."""
    forward, own = program.own(), []
    for node in derivative.nodes:
        if node.op == "value":
            own.append(forward[int(node.detail or 0)])
        elif node.op == "adjoint":
            own.append(node.detail in program.own_states)
        elif node.op == "recall":
            of = program.stages[int(node.detail or 0)].of
            own.append(None if of is None else forward[of])
        else:
            own.append(next((own[arg] for arg in node.args if own[arg] is not None), None))
    return own


def _gate_adjoints(
    schedule: Schedule,
    program: Program,
    derivative: Derivative,
    index: int,
    targets: dict[int, Slot],
) -> None:
    """Compute a stage's gate adjoints in their buffers; adjoints found elsewhere are copied."""
    columns_of = columns(program, index)
    required: list[tuple[int, Slot]] = []
    for gate, pair in enumerate(derivative.gates[index].values()):
        found = {
            columns_of.find(op, gate): place
            for op, place in zip(("gate.x", "gate.h"), pair, strict=True)
        }
        required += [(place, ("gate_adjoints", index, at, at + 1)) for at, place in found.items()]
    places = dict(reversed(required))
    schedule.compute(find_needed(derivative.nodes, places), {**targets, **places})
    for place, slot in required:
        if schedule.get_slot(place) != slot:
            schedule.call(copy, [schedule.get_slot(place)], slot)


def _recall(
    schedule: Schedule,
    program: Program,
    index: int,
    place: int,
    targets: dict[int, Slot],
    given: set[str],
) -> None:
    """Backpropagate the adjoints of a stage's gates through its product.

    The gradient of the loss in the state itself is added in the same call.
    """
    part, places = program.stages[index], columns(program, index)
    whole: Slot = ("gate_adjoints", index, len(places.apart), places.count)
    schedule.found[place] = targets.get(place, schedule.scratch(place))
    of = program.nodes[part.of if part.of is not None else 0]
    factors: list[Slot] = [whole, ("recurrent_back", index)]
    if of.op == "state" and of.detail not in given:
        given.add(str(of.detail))
        schedule.call(torch.addmm, [("given", str(of.detail)), *factors], schedule.found[place])
    else:
        schedule.call(torch.mm, factors, schedule.found[place])
