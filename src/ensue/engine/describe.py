"""A readable description of a program: its algebra, stored values, and the cost of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ensue.cells.algebra import Expr
from ensue.engine.derivative import ACTIVATIONS, Derivative
from ensue.engine.memory import GATES
from ensue.engine.program import Part, Program
from ensue.engine.schedule import Slot, plan
from ensue.engine.simplify import Node
from ensue.engine.tape import tape

LEAVES = {
    "gate": "gate.{}",
    "gate.x": "gate.{}.x",
    "gate.h": "gate.{}.h",
    "state": "state.{}",
    "weight": "weight.{}",
}
FUNCTIONS = {
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "softplus",
    "divide",
    "normalise",
    "normalise_back",
}
"""Operations that cost as much as several additions."""
NUMBER_BYTES = 4


def describe(program: Program) -> str:
    """Describe the forward and backward program of one unit; `d` marks a derivative of the loss."""
    derivative, names = plan(program).derivative, _names(program)
    memory = [
        place for place, node in enumerate(program.nodes) if node.op not in ("weight", "constant")
    ]
    stored = [names[place] for place in memory if place in derivative.kept]
    recomputed = [
        names.get(place, _text(program.nodes, place, names))
        for place in sorted(derivative.recomputed)
    ]
    return "\n".join(
        [
            "forward:",
            *(f"  {line}" for line in _forward(program, names)),
            "backward:",
            *(f"  {line}" for line in _backward(program, derivative, names)),
            f"stored for the backward pass: {', '.join(stored) or 'nothing'}",
            f"recomputed: {', '.join(recomputed) or 'nothing'}",
            "per unit and step, without W x, which is one product for all steps:",
            *(f"  {phase}: {_cost(program, phase)}" for phase in ("forward", "backward")),
        ]
    )


def _names(program: Program) -> dict[int, str]:
    """Name leaves, new states, and values that are stored or used more than once."""
    kept = plan(program).derivative.kept | {part.of for part in program.stages}
    uses = Counter(arg for node in program.nodes for arg in node.args)
    names: dict[int, str] = {}
    for place, node in enumerate(program.nodes):
        if not node.args and node.op != "constant":
            names[place] = LEAVES.get(node.op, f"{node.op}.{{}}").format(node.detail)
        elif place in program.outputs:
            names[place] = f"{program.states[program.outputs.index(place)]}'"
        elif node.args and (place in kept or uses[place] > 1):
            inner = program.nodes[node.args[0]]
            name = (
                str(inner.detail) if inner.op == "gate" and node.op in ACTIVATIONS else f"v{place}"
            )
            names[place] = name if name not in names.values() else f"v{place}"
    return names


def _forward(program: Program, names: Mapping[int, str]) -> Iterator[str]:
    start = 0
    stops = [*(part.stop for part in program.stages[:-1]), len(program.nodes)]
    for part, stop in zip(program.stages, stops, strict=True):
        yield f"gate.{', gate.'.join(part.gates)} = {_product(part, names)}"
        for place in range(start, stop):
            if program.nodes[place].args and place in names:
                yield f"{names[place]} = {_text(program.nodes, place, names)}"
        start = stop
    for state, output in zip(program.states, program.outputs, strict=True):
        if names.get(output) != f"{state}'":
            yield f"{state}' = {_text(program.nodes, output, names)}"


def _product(part: Part, names: Mapping[int, str]) -> str:
    terms = (
        ["W x"] * part.reads
        + ([] if part.of is None else [f"U {names[part.of]}"])
        + ["b"] * bool(part.bias)
    )
    return " + ".join(terms)


def _backward(
    program: Program, derivative: Derivative, forward: Mapping[int, str]
) -> Iterator[str]:
    uses = Counter(arg for node in derivative.nodes for arg in node.args)
    targets = [
        (f"dgate.{gate}", x)
        for pairs in derivative.gates
        for gate, (x, h) in pairs.items()
        if x == h
    ]
    apart = [
        (gate, pair)
        for pairs in derivative.gates
        for gate, pair in pairs.items()
        if pair[0] != pair[1]
    ]
    targets += [
        (f"dgate.{gate}.{side}", place)
        for gate, pair in apart
        for side, place in zip("xh", pair, strict=True)
    ]
    targets += [(f"dweight.{weight}", place) for weight, place in derivative.weights.items()]
    targets += [(f"dstate.{state}", place) for state, place in derivative.states.items()]
    names: dict[int, str] = {}
    for place, node in enumerate(derivative.nodes):
        if node.op == "value":
            names[place] = forward[int(node.detail or 0)]
        elif node.op == "adjoint":
            names[place] = f"d{node.detail}'"
        elif node.op == "recall":
            names[place] = f"U^T dgate.({', '.join(program.stages[int(node.detail or 0)].gates)})"
        elif node.args and (uses[place] > 1 or place in dict(targets).values()):
            names[place] = next((target for target, at in targets if at == place), f"e{place}")
    for place, node in enumerate(derivative.nodes):
        if node.args and place in names:
            yield f"{names[place]} = {_text(derivative.nodes, place, names)}"
    for target, place in targets:
        if names[place] != target:
            yield f"{target} = {names[place]}"


def _text(nodes: tuple[Node, ...], place: int, names: Mapping[int, str]) -> str:
    """Format a node as an expression of named values."""

    def expression(at: int) -> Expr:
        node = nodes[at]
        if at in names and at != place:
            return Expr("name", detail=names[at])
        if not node.args:
            return Expr(
                "name",
                detail=names.get(
                    at, f"{node.detail:g}" if node.op == "constant" else str(node.detail)
                ),
            )
        args = [expression(arg) for arg in node.args]
        if node.op == "sigmoid_back":
            return args[0] * args[1] * (1 - args[1])
        if node.op == "tanh_back":
            return args[0] * (1 - args[1] * args[1])
        return Expr(node.op, tuple(args))

    text = repr(expression(place)).replace("1.0", "1")
    return text[1:-1] if text.startswith("(") else text


def _cost(program: Program, phase: str) -> str:
    made = tape(program, phase, True)
    slots = list(made.slots)
    forgotten = {slots[place] for place in made.registers}
    functions = sum(name in FUNCTIONS for name, _, _ in made.instructions)
    multiplied = [
        made.products[segment.products[0]] for segment in made.segments if segment.products
    ]
    products = [program.stages[int(product.matrix[1])] for product in multiplied]
    read = written = 0
    for segment in made.segments:
        seen: set[Slot] = set()
        wrote: set[Slot] = set()
        steps = [(args, out) for _, out, args in made.instructions[segment.first : segment.last]]
        for product in (made.products[index] for index in segment.products):
            steps.insert(
                0, ((product.source, *([product.add] if product.add >= 0 else ())), product.out)
            )
        for args, out in steps:
            seen |= {one for place in args for one in _numbers(slots[place])} - wrote
            wrote |= _numbers(slots[out])
        read, written = read + len(seen - forgotten), written + len(wrote - forgotten)
    count = f"{len(made.instructions)} operation{'s' * (len(made.instructions) != 1)}"
    product = " + ".join(f"2 x {len(part.gates)} x width" for part in products)
    return (
        f"{count}, {functions} of them functions or "
        f"quotients{f', and {product} in products with U' * bool(product)}; "
        f"{read * NUMBER_BYTES} bytes read, {written * NUMBER_BYTES} written"
    )


def _numbers(slot: Slot) -> set[Slot]:
    """Return the buffers of one unit that a slot covers, by gate.

    Weights and constants are shared by all rows, so they do not count.
    """
    if slot[0] in GATES:
        return {(slot[0], slot[1], at) for at in range(int(slot[2]), int(slot[3]))}
    return set() if slot[0] in ("weight", "constant", "recurrent_bias") else {slot}
