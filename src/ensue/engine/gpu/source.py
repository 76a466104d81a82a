"""Generator of Triton kernels from a program's tape (engine/tape.py), as text per cell.

There are two forms. `whole` is one kernel over all ticks: each block has a few rows of the batch,
with the recurrent products inside. `pieces` is for more units than that allows: the work of one
tick between its products. Numbers are computed in float32 and rounded where they are stored. Values
that the backward pass does not read are not stored. No user-defined name enters the text, because a
program may come from an untrusted file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ensue.engine.gpu.functions import FORMULAS, FUNCTIONS
from ensue.engine.memory import GATES
from ensue.engine.program import Program
from ensue.engine.schedule import Slot, columns
from ensue.engine.tape import has_own_width, tape

SIZES = ("LAYER", "OWN", "LAYER_TILE", "OWN_TILE", "ROWS", "DEPTH", "PRECISION")
"""Compile-time constants of a kernel.

They are the units of the layer and of the own width, their tiles, rows per block, inner units per
step of a product, and the precision of products.
"""
HEAD = (
    "rows = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]",
    "layer, own = tl.arange(0, LAYER_TILE)[None, :], tl.arange(0, OWN_TILE)[None, :]",
    "layer_real, own_real = layer < LAYER, own < OWN",
)
TICK = (
    "before = tl.load(firsts + tick)",
    "now = tl.load(firsts + tick + 1)",
    "here = now - batch",
    "live = rows < tl.load(firsts + tick + 2) - now",
    "layer_live, own_live = live & layer_real, live & own_real",
)
ROW = {"old": "before", "new": "now", "zone": "here", "given": "here"}
"""First row of a tick in the tensors that have rows for every tick."""


@dataclass(frozen=True)
class Kernel:
    """Text of a function `kernel`, with the `places` whose addresses it takes.

    Its other arguments are "firsts", "reach" or "tick", "batch", and the constants SIZES. `firsts`
    holds the first row of each tick in a path; `reach` the number of ticks of each block.
    """

    source: str
    places: tuple[Slot, ...]
    held: int
    """Approximate number of tiles that a block holds at once."""


@dataclass(frozen=True)
class Multiplication:
    """A product between kernels: rows of a slot times a recurrent matrix, written to `place`."""

    matrix: Slot
    source: Slot
    place: Slot


@lru_cache(maxsize=256)
def whole(
    program: Program, phase: str, keep: bool, missing: frozenset[str] = frozenset()
) -> Kernel:
    """Generate the kernel for all ticks, "forward" or "backward".

    The loss has no gradient in the paths of `missing` states.
    """
    text = _Text(program, phase, keep, missing)
    for segment in text.tape.segments:
        if segment.products:
            text.multiply(segment.products)
        text.compute(segment.first, segment.last)
    text.end([], len(text.tape.instructions))
    running = text.running.items()
    start = [
        f"{name} = tl.zeros([ROWS, {place.width.upper()}_TILE], tl.float32)"
        for name, place in running
    ]
    stop = [place.store(name, f"(rows < batch) & {place.width}_real") for name, place in running]
    # One tick reads what the previous one wrote: no load may be hoisted over ticks, so this loop
    # has one stage.
    loop = [
        "count = tl.load(reach + tl.program_id(0))",
        "for step in tl.range(0, count, num_stages=1):",
    ]
    tick = "tick = count - 1 - step" if text.backward else "tick = step"
    body = [f"    {line}" for line in (tick, *TICK, *text.loads, *text.lines)]
    return text.kernel([*HEAD, *text.fixed, *start, *loop, *body, *stop], "reach")


@lru_cache(maxsize=256)
def pieces(
    program: Program, phase: str, keep: bool, missing: frozenset[str] = frozenset()
) -> tuple[Kernel | Multiplication, ...]:
    """Generate the kernels of one tick and the products between them, in order."""
    text = _Text(program, phase, keep, missing)
    cuts = [segment for segment in text.tape.segments if segment.products]
    bounds = [0, *(cut.first for cut in cuts), len(text.tape.instructions)]
    made: list[Kernel | Multiplication] = []
    for index, (first, last) in enumerate(pairwise(bounds)):
        if index:
            products = cuts[index - 1].products
            product = text.tape.products[products[0]]
            made.append(
                Multiplication(product.matrix, text.slots[product.source], ("product", products[0]))
            )
            text.take(products)
        text.compute(first, last)
        text.end([product for cut in cuts[index:] for product in cut.products], last)
        if text.lines:
            start = [f"{name} = {place.load(place.live)}" for name, place in text.running.items()]
            stop = [
                place.store(name, place.live)
                for name, place in text.running.items()
                if name in text.changed
            ]
            made.append(
                text.kernel(
                    [*HEAD, *TICK, *text.fixed, *start, *text.loads, *text.lines, *stop], "tick"
                )
            )
        text.forget()
    return tuple(made)


@dataclass(frozen=True)
class _Place:
    """A place: row and column in the tensor at `address`, whose rows have `stride` numbers."""

    address: str
    row: str
    column: str
    stride: str
    width: str
    """Width of the units: "layer" or "own"."""

    @property
    def live(self) -> str:
        return f"{self.width}_live"

    def at(self, columns: str) -> str:
        return f"{self.address} + ({self.row} + rows) * ({self.stride}) + {self.column} + {columns}"

    def load(self, mask: str) -> str:
        return f"tl.load({self.at(self.width)}, {mask}, 0.0).to(tl.float32)"

    def store(self, value: str, mask: str) -> str:
        return f"tl.store({self.at(self.width)}, {value}, {mask})"


class _Text:
    """The text of a tick under construction: named values, and those not stored yet."""

    def __init__(self, program: Program, phase: str, keep: bool, missing: frozenset[str]) -> None:
        # The loss gradient is added where a tick begins, and not, as in the tape,
        # where the previous one ends.
        everywhere = frozenset(program.states)
        self.program, self.keep, self.missing = program, keep, missing
        self.tape = tape(program, phase, keep, everywhere)
        self.slots = list(self.tape.slots)
        self.read_back = tape(program, "backward", True, everywhere).slots if keep else {}
        self.backward = phase == "backward"
        self.numbers: dict[Slot, int] = {}
        self.forget()

    def forget(self) -> None:
        """Start another kernel of the same tick."""
        self.lines: list[str] = []
        self.fixed: list[str] = []
        """Lines that are constant over ticks."""
        self.loads: list[str] = []
        """Lines that load results of earlier ticks and kernels, early to hide memory latency."""
        self.addresses: dict[Slot, str] = {}
        self.hand: dict[Slot, str] = {}
        self.unstored: dict[Slot, str] = {}
        self.running: dict[str, _Place] = {}
        """Values carried from tick to tick, by name: adjoints of states, and sums."""
        self.changed: set[str] = set()
        """Names of carried values with a new value."""

    def kernel(self, body: Iterable[str], when: str) -> Kernel:
        """Assemble the text."""
        names = [
            *self.addresses.values(),
            "firsts",
            when,
            "batch",
            *(f"{size}: tl.constexpr" for size in SIZES),
        ]
        jit = '@triton.jit(do_not_specialize=["tick"])' if when == "tick" else "@triton.jit"
        head = f"{FUNCTIONS}{jit}\ndef kernel({', '.join(names)}):\n"
        held = len(self.loads) + len(self.running)
        return Kernel(head + "".join(f"    {line}\n" for line in body), tuple(self.addresses), held)

    def compute(self, first: int, last: int) -> None:
        """Generate the instructions [first, last)."""
        for operation, out, args in self.tape.instructions[first:last]:
            target = self.slots[out]
            width = self._width(target)
            values = [self._read(self.slots[arg]) for arg in args]
            self._write(
                target,
                FORMULAS[operation].format(*values, real=f"{width}_real", units=width.upper()),
            )

    def multiply(self, numbers: range) -> None:
        """Generate products with a matrix as a loop over its inner units."""
        product = self.tape.products[numbers[0]]
        source, stage = self.slots[product.source], product.matrix[1]
        self._store([slot for slot in _singles(source) if slot in self.unstored])
        outs, inner = self._outs(numbers), self._columns(source)
        matrix = self._address(("recurrent", stage))
        left = self._place(source)
        width = self._width(outs[0])
        # The accumulator starts from the summand of the product.
        self._finish(numbers, [f"tl.zeros([ROWS, {width.upper()}_TILE], tl.float32)"] * len(outs))
        self.lines += [
            f"for depth in tl.range(0, {inner}, DEPTH):",
            "    inner = depth + tl.arange(0, DEPTH)",
            (
                f"    left = tl.load({left.at('inner[None, :]')}, live & (inner < "
                f"{inner})[None, :], 0.0)"
            ),
        ]
        for gate, out in enumerate(outs):
            # The matrix is (gates * units, inner units); backward, what was inner is outer.
            where = f"inner[:, None] * {width.upper()} + {width}"
            if product.matrix[0] == "recurrent":
                where = f"({gate} * {width.upper()} + {width}) * {inner} + inner[:, None]"
            self.lines += [
                (
                    f"    right = tl.load({matrix} + {where}, (inner < {inner})[:, None] & "
                    f"{width}_real, 0.0)"
                ),
                (
                    f"    {self.hand[out]} = tl.dot(left, right, {self.hand[out]}, "
                    f"input_precision=PRECISION)"
                ),
            ]

    def take(self, numbers: range) -> None:
        """Generate the loads of products that were computed before."""
        outs = self._outs(numbers)
        width = self._width(outs[0])
        address, stride = self._address(("product", numbers[0])), f"{len(outs)} * {width.upper()}"
        places = [
            _Place(address, "0", f"{gate} * {width.upper()}", stride, width)
            for gate in range(len(outs))
        ]
        self._finish(numbers, [place.load(place.live) for place in places])

    def _outs(self, numbers: range) -> list[Slot]:
        return [
            slot
            for number in numbers
            for slot in _singles(self.slots[self.tape.products[number].out])
        ]

    def _finish(self, numbers: range, values: list[str]) -> None:
        """Generate the outputs of products, each with its summand."""
        left = iter(values)
        for product in (self.tape.products[number] for number in numbers):
            add = self.slots[product.add] if product.add >= 0 else None
            for gate, slot in enumerate(_singles(self.slots[product.out])):
                if add is None:
                    self._write(slot, next(left))
                elif add[0] == "recurrent_bias":
                    self._write(slot, f"{next(left)} + {self._bias(add, gate, self._width(slot))}")
                else:
                    self._write(slot, f"{next(left)} + {self._read(_singles(add)[gate])}")

    def end(self, products: list[int], stop: int) -> None:
        """Store the values that later instructions, products, ticks or the backward pass read."""
        last = stop == len(self.tape.instructions) and not products
        later = set() if last else self._read_later(products, stop)
        for slot in [slot for slot in self.unstored if slot[0] == "sum"]:
            self._change(slot, self.unstored.pop(slot))
        for state in self.program.states if last and self.backward else ():
            self._change(("carry", state), self._read(("outgoing", state)))
        always = ("new", "gate_adjoints")
        back = {
            slot
            for slot in self.unstored
            if slot[0] in ("gates", "kept") and slot in self.read_back
        }
        self._store([slot for slot in self.unstored if slot[0] in always or slot in later | back])

    def _read_later(self, products: list[int], start: int) -> set[Slot]:
        places = {arg for _, _, args in self.tape.instructions[start:] for arg in args}
        for product in (self.tape.products[number] for number in products):
            places |= {product.source} | ({product.add} if product.add >= 0 else set())
        found = {slot for place in places for slot in _singles(self.slots[place])}
        return found | {("outgoing", state) for state in self.program.states}

    def _store(self, slots: list[Slot]) -> None:
        """Generate stores of slots between barriers, so that pending reads finish first."""
        if slots:
            stores = []
            for slot in slots:
                place = self._place(slot)
                stores.append(place.store(self.unstored.pop(slot), place.live))
            self.lines += ["tl.debug_barrier()", *stores, "tl.debug_barrier()"]

    def _write(self, slot: Slot, formula: str) -> None:
        name = f"{slot[0]}_{self._number(slot)}"
        self.lines.append(f"{name} = {formula}")
        self.hand[slot] = self.unstored[slot] = name

    def _read(self, slot: Slot) -> str:
        kind = slot[0]
        if kind == "constant":
            return f"({float(slot[1])!r})"
        if kind == "given":
            return "0.0"
        if kind == "sum":
            return self._running(slot)
        if slot not in self.hand:
            self.hand[slot] = f"{kind}_{self._number(slot)}"
            lines = self.fixed if kind == "weight" else self.loads
            lines.append(f"{self.hand[slot]} = {self._loaded(slot)}")
        return self.hand[slot]

    def _loaded(self, slot: Slot) -> str:
        kind, which = slot[0], slot[1]
        if kind == "weight":
            width = self._width(slot)
            return f"tl.load({self._address(slot)} + {width}, {width}_real, 0.0).to(tl.float32)"
        if kind == "incoming":
            given, carried = ("given", which), self._running(("carry", which))
            if which in self.missing:
                return carried
            return f"{carried} + {self._place(given).load(self._place(given).live)}"
        place = self._place(slot)
        return place.load(place.live)

    def _bias(self, slot: Slot, gate: int, width: str) -> str:
        """Return the name of the bias of one gate of a stage."""
        name = f"bias_{self._number(slot)}_{gate}"
        line = (
            f"{name} = tl.load({self._address(slot)} + {gate} * {width.upper()} + {width}, "
            f"{width}_real, 0.0)"
        )
        self.fixed.append(f"{line}.to(tl.float32)")
        return name

    def _running(self, slot: Slot) -> str:
        name = f"running_{self._number(slot)}"
        self.running.setdefault(name, self._place(slot))
        return name

    def _change(self, slot: Slot, value: str) -> None:
        name = self._running(slot)
        self.lines.append(f"{name} = tl.where(live, {value}, {name})")
        self.changed.add(name)

    def _place(self, slot: Slot) -> _Place:
        kind, width = str(slot[0]), self._width(slot)
        units = width.upper()
        if kind in GATES:
            count = columns(self.program, int(slot[1])).count
            return _Place(
                self._address(slot[:2]), "here", f"{slot[2]} * {units}", f"{count} * {units}", width
            )
        row = "here" if kind == "kept" and self.keep else ROW.get(kind, "0")
        key = ("path", slot[1]) if kind in ("old", "new") else slot
        return _Place(self._address(key), row, "0", "0" if kind == "weight" else units, width)

    def _address(self, key: Slot) -> str:
        return self.addresses.setdefault(key, f"at_{key[0]}_{len(self.addresses)}")

    def _number(self, slot: Slot) -> int:
        return self.numbers.setdefault(slot, len(self.numbers))

    def _width(self, slot: Slot) -> str:
        return "own" if has_own_width(self.program, slot) else "layer"

    def _columns(self, slot: Slot) -> str:
        count = len(_singles(slot))
        return (f"{count} * " if count > 1 else "") + self._width(slot).upper()


def _singles(slot: Slot) -> list[Slot]:
    """Split a slot of several gates into one per gate."""
    if slot[0] not in GATES:
        return [slot]
    return [(*slot[:2], gate, gate + 1) for gate in range(int(slot[2]), int(slot[3]))]
