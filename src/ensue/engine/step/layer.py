"""One tick of a recurrent layer, added to a network for the compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from ensue.engine.memory import GATES, Values, input_parameters, parameter
from ensue.engine.parameters import get_width
from ensue.engine.program import Program
from ensue.engine.schedule import Slot, columns
from ensue.engine.step.network import Network, StateSlot
from ensue.engine.tape import Product, tape

LARGEST_TABLE = 1 << 26
"""Largest table of precomputed input products, in numbers.

With more symbols the products are computed at every tick.
"""


@dataclass(frozen=True)
class Source:
    """Input of a layer: the place of features, or a table (symbols, features) indexed by symbol."""

    place: int = -1
    table: Tensor | None = None


def add_layer(
    network: Network, program: Program, values: Values, width: int, source: Source
) -> int:
    """Add the tick of a layer, and return the place of its new first state.

    `values` are the parameters by name, and "zone/NAME" (units) for a program with zoneout.
    """
    layer = _Layer(network, program, values, width)
    if source.table is not None and not layer.fits(source.table):
        place = network.row(source.table.shape[1])
        network.lookup(source.table, place)
        source = Source(place)
    layer.write(source)
    return layer.held[program.states[0]].after


class _Layer:
    def __init__(self, network: Network, program: Program, values: Values, width: int) -> None:
        self.network, self.program, self.values, self.width = network, program, values, width
        self.held: dict[str, StateSlot] = {
            state: network.state(get_width(program, width, state in program.own_states))
            for state in program.states
        }
        network.states.append(self.held)
        self.buffers: dict[tuple[str, int], int] = {}

    def fits(self, table: Tensor) -> bool:
        """Return whether the input products of all symbols fit in a table."""
        outputs = sum(
            len(part.gates) * self.units(part.own) for part in self.program.stages if part.reads
        )
        return len(table) * outputs <= LARGEST_TABLE

    def units(self, own: bool) -> int:
        """Return the units of the layer, or of the cell's own width."""
        return get_width(self.program, self.width, own)

    def write(self, source: Source) -> None:
        """Add the tick: W x and U v of each stage, then the instructions that use them."""
        made = tape(self.program, "forward", keep=False, inputs=source.table is None)
        if source.table is not None:
            self._look_up(source.table)
        places = {
            number: self._place(slot, made.registers.get(number), source)
            for slot, number in made.slots.items()
        }
        for segment in made.segments:
            products = [self._product(made.products[number], places) for number in segment.products]
            instructions = [
                (name, places[out], tuple(places[arg] for arg in args))
                for name, out, args in made.instructions[segment.first : segment.last]
            ]
            self.network.stage(self.units(segment.own), products, *instructions)

    def _product(self, one: Product, places: dict[int, int]) -> int:
        matrix, gates = (
            parameter(self.program, self.values, one.matrix),
            int(one.matrix[3]) - int(one.matrix[2]),
        )
        add = -1 if one.add < 0 else places[one.add]
        return self.network.product(matrix, places[one.source], add, places[one.out], gates)

    def _look_up(self, table: Tensor) -> None:
        """Precompute W x + b for every symbol."""
        for index, part in enumerate(self.program.stages):
            if part.reads:
                made = F.linear(table, *input_parameters(self.program, self.values, index))
                self.network.lookup(made, self._buffer("gates", index))

    def _buffer(self, kind: str, index: int) -> int:
        if (kind, index) not in self.buffers:
            part = self.program.stages[index]
            self.buffers[kind, index] = self.network.row(
                columns(self.program, index).count * self.units(part.own)
            )
        return self.buffers[kind, index]

    def _place(self, slot: Slot, register: int | None, source: Source) -> int:
        kind, which, network = str(slot[0]), slot[1], self.network
        if register is not None:
            return network.register(register)
        if kind == "x":
            return source.place
        if kind in ("old", "new"):
            held = self.held[str(which)]
            return held.before if kind == "old" else held.after
        if kind in GATES:
            part = self.program.stages[int(which)]
            return network.part(self._buffer(kind, int(which)), int(slot[2]) * self.units(part.own))
        if kind in ("weight", "zone"):
            return network.shared(self.values[f"{kind}/{which}"])
        if kind in ("input_bias", "recurrent_bias"):
            return network.shared(parameter(self.program, self.values, slot))
        if kind == "constant":
            return network.constant(float(which))
        return network.row(self.units(bool(slot[-1])))
