"""What a stored program must be before it is run: a run folder may be damaged, or somebody else's.

Whatever passes here could have been traced from an equation, so that the engine need not look
again: the kernels follow its numbers into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ensue.cells.algebra import FUNCTIONS, LARGEST
from ensue.cells.equations import RESERVED, WAYS

SMALL = 1_000_000
"""Characters of a program; the largest of the catalogue has 2,000."""
MOST_NODES, MOST_NAMES, MOST_UNITS, LONGEST_NAME = 1_000, 256, 65_536, 100
"""What an equation that a person writes never reaches; the time to schedule a program grows with
their square."""
TWO = {"add", "subtract", "multiply", "divide", "maximum"}
ONE = {"negate", "square", *FUNCTIONS} - {"maximum", "minimum"}
ARITY = dict.fromkeys(ONE, 1) | dict.fromkeys(TWO, 2)
"""How many arguments each operation has that an equation can be made of."""
SIDES = {"x", "h"}
PROGRAM = {
    *("name", "states", "own_states", "stages", "weights", "nodes"),
    *("outputs", "own_width", "bias", "recurrence"),
}
STAGE = {"name", "gates", "of", "reads", "bias", "own", "stop"}
WEIGHT, NODE = {"name", "start", "own"}, {"op", "args", "detail"}


def check(values: Any) -> None:
    """Look at a program as it comes from JSON. Raises ValueError that says what is wrong."""
    _object(values, PROGRAM, "the program")
    _require(isinstance(values["name"], str), "the name is no text")
    states = _names(values["states"], "states")
    _require(bool(states), "there are no states")
    _require(
        set(_names(values["own_states"], "own_states")) <= set(states), "own_states are no states"
    )
    stages = _list(values["stages"], MOST_NAMES, "stages")
    nodes = _list(values["nodes"], MOST_NODES, "nodes")
    weights = _weights(values["weights"])
    _require(
        values["own_width"] is None or _within(values["own_width"], 1, MOST_UNITS),
        "own_width is no width",
    )
    _require(values["recurrence"] in WAYS, "the recurrence is unknown")
    _stages(stages, len(nodes))
    gates = {gate: at for at, stage in enumerate(stages) for gate in stage["gates"]}
    _biases(values["bias"], gates)
    leaves = {"state": set(states), "weight": weights}
    _nodes(nodes, stages, gates, leaves)
    _outputs(values["outputs"], len(states), len(nodes))


def _require(so: bool, otherwise: str) -> None:
    if not so:
        raise ValueError(otherwise)


def _object(value: Any, keys: set[str], what: str) -> None:
    _require(
        isinstance(value, Mapping) and value.keys() == keys,
        f"{what} has not the fields that it should",
    )


def _list(value: Any, most: int, what: str) -> list[Any]:
    _require(
        isinstance(value, list) and len(value) <= most, f"{what} are no list of at most {most}"
    )
    return value


def _names(value: Any, what: str) -> list[str]:
    names = _list(value, MOST_NAMES, what)
    _require(all(_is_name(one) for one in names), f"{what} are no names")
    _require(len(set(names)) == len(names), f"{what} are not distinct")
    return names


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and len(value) <= LONGEST_NAME


def _within(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and abs(value) <= LARGEST


def _weights(value: Any) -> set[str]:
    weights = _list(value, MOST_NAMES, "weights")
    for one in weights:
        _object(one, WEIGHT, "a weight")
        _require(
            _is_number(one["start"]) and isinstance(one["own"], bool),
            "a weight starts from no number",
        )
    return set(_names([one["name"] for one in weights], "weights"))


def _stages(stages: Sequence[Any], nodes: int) -> None:
    _require(bool(stages), "there are no stages")
    for one in stages:
        _object(one, STAGE, "a stage")
        _require(bool(_names(one["gates"], "gates")), "a stage has no gates")
        flags = isinstance(one["reads"], bool) and isinstance(one["own"], bool)
        _require(flags and (one["reads"] or one["of"] is not None), "a stage has no products")
        _require(one["of"] is None or _within(one["of"], 0, nodes - 1), "a stage is of no node")
        bias = _list(one["bias"], 2, "sides of a bias")
        # A bias of a product that the stage has not would be a parameter that nothing depends on.
        sides = {
            side for side, there in (("x", one["reads"]), ("h", one["of"] is not None)) if there
        }
        _require(all(isinstance(side, str) for side in bias), "a bias has no side")
        _require(len(set(bias)) == len(bias) and set(bias) <= sides, "a bias is of no product")
        _require(_within(one["stop"], 0, nodes), "a stage ends nowhere")
    _require(
        not set(_names([one["name"] for one in stages], "stages")) & {*RESERVED},
        "a stage has a reserved name",
    )
    _names([gate for one in stages for gate in one["gates"]], "gates")
    stops = [one["stop"] for one in stages]
    _require(
        all(a <= b for a, b in pairwise(stops)) and stops[-1] == nodes, "the stages end in no order"
    )


def _biases(value: Any, gates: Mapping[str, int]) -> None:
    for pair in _list(value, MOST_NAMES, "biases"):
        _require(isinstance(pair, list) and len(pair) == 2, "a bias is no pair")
        number = pair[1]
        # A person may write an integer, where an equation makes every number a float.
        known = (
            _is_number(float(number))
            if _within(number, -(1 << 53), 1 << 53)
            else _is_number(number)
        )
        _require(
            isinstance(pair[0], str) and pair[0] in gates and known, "a bias is no number of a gate"
        )


def _nodes(
    nodes: Sequence[Any],
    stages: Sequence[Any],
    gates: Mapping[str, int],
    leaves: Mapping[str, set[str]],
) -> None:
    """Check every node: its operation, arguments that come before it, and gates that are there
    when it is computed."""
    ready: list[int] = []
    """From which stage on each node has its value."""
    seen: set[tuple] = set()
    stage = 0
    for place, node in enumerate(nodes):
        _object(node, NODE, "a node")
        while place >= stages[stage]["stop"]:
            stage += 1
        if node["args"] == [] and isinstance(node["args"], list):
            ready.append(_leaf(node, stages, gates, leaves))
        else:
            _operation(node, place)
            _require(
                all(ready[arg] <= stage for arg in node["args"]), "a node comes before its gate"
            )
            ready.append(stage)
        key = (node["op"], tuple(node["args"]), node["detail"])
        _require(key not in seen, "a node is there twice")
        seen.add(key)
    for at, one in enumerate(stages):
        of = one["of"]
        known = of is None or ready[of] < at or nodes[of]["op"] == "state"
        _require(
            known and (of is None or nodes[of]["op"] != "constant"),
            "a stage is of what comes later",
        )
    _gates_are_whole(nodes, gates)


def _leaf(
    node: Any, stages: Sequence[Any], gates: Mapping[str, int], leaves: Mapping[str, set[str]]
) -> int:
    op, detail = node["op"], node["detail"]
    if op == "constant":
        _require(_is_number(detail), "a constant is no finite number")
        return 0
    _require(isinstance(op, str) and isinstance(detail, str), "a leaf has no name")
    if op in leaves:
        _require(detail in leaves[op], f"a node names no {op} that there is")
        return 0
    _require(
        op in ("gate", "gate.x", "gate.h") and detail in gates, "a node is of a gate that is none"
    )
    part = stages[gates[detail]]
    both = part["reads"] and part["of"] is not None
    _require(op == "gate" or both, "a part of a gate is read that has no parts")
    return gates[detail]


def _operation(node: Any, place: int) -> None:
    op, args = node["op"], node["args"]
    _require(
        isinstance(op, str) and op in ARITY and node["detail"] is None, "an operation is unknown"
    )
    _require(
        isinstance(args, list) and len(args) == ARITY[op],
        "an operation has another number of arguments",
    )
    _require(
        all(_within(arg, 0, place - 1) for arg in args),
        "an argument does not come before its operation",
    )


def _gates_are_whole(nodes: Iterable[Any], gates: Mapping[str, int]) -> None:
    """Gates are read whole, or both of their parts are: the columns of the products are laid out
    for one of the two."""
    read: dict[str, set[str]] = {gate: set() for gate in gates}
    for node in nodes:
        if str(node["op"]).startswith("gate"):
            read[node["detail"]].add(node["op"])
    known = ({"gate"}, {"gate.x", "gate.h"})
    _require(
        all(one in known for one in read.values()),
        "a gate is read in another way than whole or in both parts",
    )


def _outputs(value: Any, states: int, nodes: int) -> None:
    outputs = _list(value, MOST_NAMES, "outputs")
    _require(len(outputs) == states, "there is not one output for each state")
    _require(all(_within(one, 0, nodes - 1) for one in outputs), "an output is no node")
