"""A schedule as the compiled kernels execute it (native/cpp/ensue.h).

It has numbered operations on slots, in segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from ensue.engine.memory import GATES
from ensue.engine.operations import TENSOR, add_product, copy, subtract_product
from ensue.engine.program import Program
from ensue.engine.schedule import Instruction, Schedule, Slot, has_input_bias, plan

NAMES = {function: name for name, function in TENSOR.items()}
NAMES |= {copy: "copy", add_product: "add_product", subtract_product: "subtract_product"}
"""Kernel name of each function that an instruction calls."""
WHOLE_ROWS = {"normalise", "normalise_back"}
PRODUCTS = (torch.mm, torch.addmm)
STATES = {"old", "new", "zone", "incoming", "outgoing", "given", "carry"}
"""Slot kinds that have the units of a state."""


@dataclass(frozen=True)
class Product:
    """out = add + source * matrix, by slots."""

    add: int
    source: int
    matrix: Slot
    out: int


@dataclass
class Segment:
    """Products with one matrix, then the instructions [first, last), for units of one width."""

    first: int
    last: int
    products: range
    own: bool
    whole_rows: bool


@dataclass
class Tape:
    """The work of one tick.

    `slots` are named as in the schedule, but each covers one gate, unless a product uses it.
    """

    slots: dict[Slot, int] = field(default_factory=dict)
    instructions: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)
    """The register of each slot that lives within one tile of one segment."""

    def place(self, slot: Slot) -> int:
        """Return the number of a slot."""
        return self.slots.setdefault(slot, len(self.slots))


@lru_cache(maxsize=256)
def tape(
    program: Program,
    phase: str,
    keep: bool,
    missing: frozenset[str] = frozenset(),
    inputs: bool = False,
) -> Tape:
    """Build the tape of a program, "forward" or "backward".

    The loss has no gradient in the paths of `missing` states. With `inputs`, W x is computed in the
    tick; otherwise it is precomputed.
    """
    schedule = plan(program).forward if phase == "forward" else plan(program).backward
    made = Tape()
    missing_inputs = {index for index, part in enumerate(program.stages) if part.reads and inputs}
    for one in schedule.instructions:
        args, out = [_named(schedule, place) for place in one.args], _named(schedule, one.out)
        nothing = [slot for slot in args if slot[0] == "given" and slot[1] in missing]
        for stage in [
            int(slot[1]) for slot in args if slot[0] == "gates" and slot[1] in missing_inputs
        ]:
            missing_inputs.discard(stage)
            _add_input(made, program, stage)
        if one.function in PRODUCTS:
            _add_product(made, program, args[-2:] if nothing else args, out)
        elif not nothing:
            _add_instruction(made, program, one, args, out)
    _allocate(made, keep)
    return made


def _named(schedule: Schedule, place: int) -> Slot:
    return list(schedule.slots)[place]


def _add_input(made: Tape, program: Program, stage: int) -> None:
    count = len(program.stages[stage].gates)
    add: list[Slot] = [("input_bias", stage)] if has_input_bias(program, stage) else []
    _add_product(
        made, program, [*add, ("x", stage), ("input", stage, 0, count)], ("gates", stage, 0, count)
    )


def _add_product(made: Tape, program: Program, args: list[Slot], out: Slot) -> None:
    *add, source, matrix = args
    places = [made.place(slot) for slot in add]
    made.products.append(
        Product(places[0] if places else -1, made.place(source), matrix, made.place(out))
    )
    here = len(made.instructions)
    number = len(made.products) - 1
    last = made.segments[-1] if made.segments else None
    if (
        last is not None
        and last.first == last.last
        and made.products[number - 1].matrix[1] == matrix[1]
    ):
        last.products = range(last.products.start, number + 1)
    else:
        made.segments.append(
            Segment(here, here, range(number, number + 1), has_own_width(program, out), False)
        )


def _add_instruction(
    made: Tape, program: Program, one: Instruction, args: list[Slot], out: Slot
) -> None:
    name, own, here = NAMES[one.function], has_own_width(program, out), len(made.instructions)
    whole_rows = name in WHOLE_ROWS
    last = made.segments[-1] if made.segments else None
    if last is None or last.own != own or last.whole_rows != whole_rows:
        made.segments.append(Segment(here, here, range(0), own, whole_rows))
    for arguments, target in _single_gates(args, out):
        made.instructions.append(
            (name, made.place(target), tuple(made.place(slot) for slot in arguments))
        )
    made.segments[-1].last = len(made.instructions)


def _single_gates(args: list[Slot], out: Slot) -> Iterator[tuple[list[Slot], Slot]]:
    """Split an instruction on several gates into one per gate."""
    if out[0] not in GATES:
        yield args, out
        return
    for offset in range(int(out[3]) - int(out[2])):
        yield [_gate(slot, offset) for slot in args], _gate(out, offset)


def _gate(slot: Slot, offset: int) -> Slot:
    if slot[0] not in GATES:
        return slot
    at = int(slot[2]) + offset
    return (slot[0], slot[1], at, at + 1)


def has_own_width(program: Program, slot: Slot) -> bool:
    """Return whether a slot has the cell's own width."""
    kind, which = slot[0], slot[1]
    if kind in GATES:
        return program.stages[int(which)].own
    if kind in STATES:
        return which in program.own_states
    if kind in ("sum", "weight"):
        return next(weight.own for weight in program.weights if weight.name == which)
    return bool(slot[-1])


def _allocate(made: Tape, keep: bool) -> None:
    """Assign a register to each value that is not read outside its tile."""
    users: dict[int, set[int]] = {}
    for number, segment in enumerate(made.segments):
        used = [
            place
            for _, out, args in made.instructions[segment.first : segment.last]
            for place in (out, *args)
        ]
        for place in used:
            users.setdefault(place, set()).update({number, -1} if segment.whole_rows else {number})
        for product in (made.products[index] for index in segment.products):
            users.setdefault(product.source, set()).update({number, -1})
            users.setdefault(product.out, set()).add(number)
    names = list(made.slots)
    for place, segments in users.items():
        forgotten = names[place][0] == "scratch" or (names[place][0] == "kept" and not keep)
        if forgotten and len(segments) == 1:
            made.registers[place] = len(made.registers)
