"""One tick of a recurrent layer, written into a network for the compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from ensue.engine.memory import GATES, Values, in_order, input_parameters
from ensue.engine.parameters import width_of
from ensue.engine.program import Program
from ensue.engine.schedule import Slot, columns
from ensue.engine.step.network import Held, Network
from ensue.engine.tape import Product, Segment, Tape, tape

LARGEST_TABLE = 1 << 26
"""Numbers of a table of input products: for more symbols than that, the products are made at every tick."""


@dataclass(frozen=True)
class Source:
    """What a layer reads: the place of some features, or what a table (symbols, features) has for the row's symbol."""

    place: int = -1
    table: Tensor | None = None


def add_layer(network: Network, program: Program, values: Values, width: int, source: Source) -> int:
    """Write down the tick of a layer, and give where its first state is after it.

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
        self.tape: Tape = tape(program, "forward", keep=False)
        self.held: dict[str, Held] = {
            state: network.state(width_of(program, width, state in program.own_states)) for state in program.states
        }
        network.states.append(self.held)
        self.buffers: dict[tuple[str, int], int] = {}
        self.places = {number: self._place(slot, number) for slot, number in self.tape.slots.items()}

    def fits(self, table: Tensor) -> bool:
        """Say whether what the layer makes of every symbol can be kept."""
        outputs = sum(len(part.gates) * self.units(part.own) for part in self.program.stages if part.reads)
        return len(table) * outputs <= LARGEST_TABLE

    def units(self, own: bool) -> int:
        """Give the units of the layer, or of the cell's own width."""
        return width_of(self.program, self.width, own)

    def write(self, source: Source) -> None:
        """Write the tick: each stage's W x beside its U v, before the instructions that use them."""
        at = {
            self.tape.products[product].matrix[1]: number
            for number, segment in enumerate(self.tape.segments)
            for product in segment.products
        }
        inputs: dict[int, list[int]] = {}
        for index, part in enumerate(self.program.stages):
            if not part.reads:
                continue
            if source.table is not None:
                self._look_up(index, source.table)
                continue
            first = self.tape.segments[0]
            if index in at:
                inputs.setdefault(at[index], []).append(index)
            elif first.own == part.own and not first.whole_rows:
                inputs.setdefault(0, []).append(index)
            else:
                self.network.stage(self.units(part.own), [self._input(index, source)])
        for number, segment in enumerate(self.tape.segments):
            products = [self._input(index, source) for index in inputs.get(number, [])]
            products += [self._recurrent(self.tape.products[product]) for product in segment.products]
            self._write(segment, products)

    def _recurrent(self, one: Product) -> int:
        index, first, last = (int(place) for place in one.matrix[1:])
        part = self.program.stages[index]
        matrix = in_order(self.values[f"{part.name}/recurrent"], columns(self.program, index).of_h)
        units, add = self.units(part.own), -1 if one.add < 0 else self.places[one.add]
        gates = matrix[first * units : last * units]
        return self.network.product(gates, self.places[one.source], add, self.places[one.out], last - first)

    def _write(self, segment: Segment, products: list[int]) -> None:
        instructions = [
            (name, self.places[out], tuple(self.places[arg] for arg in args))
            for name, out, args in self.tape.instructions[segment.first : segment.last]
        ]
        self.network.stage(self.units(segment.own), products, *instructions)

    def _input(self, index: int, source: Source) -> int:
        matrix, bias = input_parameters(self.program, index, self.values)
        add, gates = -1 if bias is None else self.network.shared(bias), len(self.program.stages[index].gates)
        return self.network.product(matrix, source.place, add, self._buffer("gates", index), gates)

    def _bias(self, slot: Slot) -> Tensor:
        index, first, last = (int(place) for place in slot[1:])
        part, of = self.program.stages[index], columns(self.program, index).of_h
        bias = in_order(self.values[f"{part.name}/recurrent_bias"], of)
        return bias.unflatten(0, (len(of), -1))[first:last].flatten()

    def _look_up(self, index: int, table: Tensor) -> None:
        """Make W x + b once for every symbol."""
        made = F.linear(table, *input_parameters(self.program, index, self.values))
        self.network.lookup(made, self._buffer("gates", index))

    def _buffer(self, kind: str, index: int) -> int:
        if (kind, index) not in self.buffers:
            part = self.program.stages[index]
            self.buffers[kind, index] = self.network.row(columns(self.program, index).count * self.units(part.own))
        return self.buffers[kind, index]

    def _place(self, slot: Slot, number: int) -> int:
        kind, which, network = str(slot[0]), slot[1], self.network
        if number in self.tape.registers:
            return network.register(self.tape.registers[number])
        if kind in ("old", "new"):
            held = self.held[str(which)]
            return held.before if kind == "old" else held.after
        if kind in GATES:
            part = self.program.stages[int(which)]
            return network.part(self._buffer(kind, int(which)), int(slot[2]) * self.units(part.own))
        if kind in ("weight", "zone"):
            return network.shared(self.values[f"{kind}/{which}"])
        if kind == "recurrent_bias":
            return network.shared(self._bias(slot))
        return network.constant(float(which)) if kind == "constant" else network.row(self.units(bool(slot[-1])))
