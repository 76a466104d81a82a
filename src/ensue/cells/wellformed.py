"""Validation of a stored program before it runs: a run may be damaged or untrusted.

A program that passes could have been traced from an equation. The engine checks nothing again, and
the kernels use its indices as memory addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ensue.cells.algebra import FUNCTIONS, LARGEST
from ensue.cells.equations import RESERVED, WAYS

SMALL = 1_000_000
"""Maximum size of a program, in characters; the largest of the catalogue has 2,000."""
MOST_NODES, MOST_NAMES, MOST_UNITS, LONGEST_NAME = 1_000, 256, 65_536, 100
"""Limits far above any handwritten equation; scheduling time grows with the square of the nodes."""
TWO = {"add", "subtract", "multiply", "divide", "maximum"}
ONE = {"negate", "square", *FUNCTIONS} - {"maximum", "minimum"}
ARITY = dict.fromkeys(ONE, 1) | dict.fromkeys(TWO, 2)
"""Number of arguments of each operation."""
PROGRAM = {
    *("name", "states", "own_states", "stages", "weights", "nodes"),
    *("outputs", "own_width", "bias", "recurrence"),
}
STAGE = {"name", "gates", "of", "reads", "bias", "own", "stop"}
WEIGHT, NODE = {"name", "start", "own"}, {"op", "args", "detail"}


def check(values: Any) -> None:
    """Check a program as parsed from JSON. Raises ValueError that names the problem."""
    _object(values, PROGRAM, "the program")
    _require(isinstance(values["name"], str), "the name is not a string")
    states = _names(values["states"], "states")
    _require(bool(states), "there are no states")
    _require(
        set(_names(values["own_states"], "own_states")) <= set(states),
        "own_states has an unknown state",
    )
    stages = _list(values["stages"], MOST_NAMES, "stages")
    nodes = _list(values["nodes"], MOST_NODES, "nodes")
    weights = _weights(values["weights"])
    _require(
        values["own_width"] is None or _within(values["own_width"], 1, MOST_UNITS),
        "own_width is out of range",
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
        f"{what} does not have the expected fields",
    )


def _list(value: Any, most: int, what: str) -> list[Any]:
    _require(
        isinstance(value, list) and len(value) <= most, f"{what} is not a list of at most {most}"
    )
    return value


def _names(value: Any, what: str) -> list[str]:
    names = _list(value, MOST_NAMES, what)
    _require(all(_is_name(one) for one in names), f"{what} are not valid names")
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
            "the initial value of a weight is not a number",
        )
    return set(_names([one["name"] for one in weights], "weights"))


def _stages(stages: Sequence[Any], nodes: int) -> None:
    _require(bool(stages), "there are no stages")
    for one in stages:
        _object(one, STAGE, "a stage")
        _require(bool(_names(one["gates"], "gates")), "a stage has no gates")
        flags = isinstance(one["reads"], bool) and isinstance(one["own"], bool)
        _require(flags and (one["reads"] or one["of"] is not None), "a stage has no products")
        _require(
            one["of"] is None or _within(one["of"], 0, nodes - 1),
            "a stage multiplies an unknown node",
        )
        bias = _list(one["bias"], 2, "sides of a bias")
        # A bias of a product that the stage has not would be a parameter that nothing depends on.
        sides = {
            side for side, there in (("x", one["reads"]), ("h", one["of"] is not None)) if there
        }
        _require(all(isinstance(side, str) for side in bias), "a bias side is not a string")
        _require(len(set(bias)) == len(bias) and set(bias) <= sides, "a bias belongs to no product")
        _require(_within(one["stop"], 0, nodes), "a stage ends outside the program")
    _require(
        not set(_names([one["name"] for one in stages], "stages")) & {*RESERVED},
        "a stage has a reserved name",
    )
    _names([gate for one in stages for gate in one["gates"]], "gates")
    stops = [one["stop"] for one in stages]
    _require(
        all(a <= b for a, b in pairwise(stops)) and stops[-1] == nodes,
        "the stages are out of order",
    )


def _biases(value: Any, gates: Mapping[str, int]) -> None:
    for pair in _list(value, MOST_NAMES, "biases"):
        _require(isinstance(pair, list) and len(pair) == 2, "a bias is not a pair")
        number = pair[1]
        # A person may write an integer, where an equation makes every number a float.
        known = (
            _is_number(float(number))
            if _within(number, -(1 << 53), 1 << 53)
            else _is_number(number)
        )
        _require(
            isinstance(pair[0], str) and pair[0] in gates and known,
            "a bias is not a finite number of a gate",
        )


def _nodes(
    nodes: Sequence[Any],
    stages: Sequence[Any],
    gates: Mapping[str, int],
    leaves: Mapping[str, set[str]],
) -> None:
    """Check each node: its operation, that arguments come first, and that its gates are ready."""
    ready: list[int] = []
    """The first stage at which each node has its value."""
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
                all(ready[arg] <= stage for arg in node["args"]),
                "a node is used before its gate is computed",
            )
            ready.append(stage)
        key = (node["op"], tuple(node["args"]), node["detail"])
        _require(key not in seen, "a node is repeated")
        seen.add(key)
    for at, one in enumerate(stages):
        of = one["of"]
        known = of is None or ready[of] < at or nodes[of]["op"] == "state"
        _require(
            known and (of is None or nodes[of]["op"] != "constant"),
            "a stage multiplies a later result",
        )
    _gates_are_whole(nodes, gates)


def _leaf(
    node: Any, stages: Sequence[Any], gates: Mapping[str, int], leaves: Mapping[str, set[str]]
) -> int:
    op, detail = node["op"], node["detail"]
    if op == "constant":
        _require(_is_number(detail), "a constant is not a finite number")
        return 0
    _require(isinstance(op, str) and isinstance(detail, str), "a leaf has no name")
    if op in leaves:
        _require(detail in leaves[op], f"a node names an unknown {op}")
        return 0
    _require(op in ("gate", "gate.x", "gate.h") and detail in gates, "a node names an unknown gate")
    part = stages[gates[detail]]
    both = part["reads"] and part["of"] is not None
    _require(op == "gate" or both, "a node reads a part of a gate that has no parts")
    return gates[detail]


def _operation(node: Any, place: int) -> None:
    op, args = node["op"], node["args"]
    _require(
        isinstance(op, str) and op in ARITY and node["detail"] is None, "an operation is unknown"
    )
    _require(
        isinstance(args, list) and len(args) == ARITY[op],
        "an operation has a wrong number of arguments",
    )
    _require(
        all(_within(arg, 0, place - 1) for arg in args),
        "an argument does not come before its operation",
    )


def _gates_are_whole(nodes: Iterable[Any], gates: Mapping[str, int]) -> None:
    """Check that a gate is read whole or as both parts, for which its columns are laid out."""
    read: dict[str, set[str]] = {gate: set() for gate in gates}
    for node in nodes:
        if str(node["op"]).startswith("gate"):
            read[node["detail"]].add(node["op"])
    known = ({"gate"}, {"gate.x", "gate.h"})
    _require(
        all(one in known for one in read.values()), "a gate is read neither whole nor as both parts"
    )


def _outputs(value: Any, states: int, nodes: int) -> None:
    outputs = _list(value, MOST_NAMES, "outputs")
    _require(len(outputs) == states, "the number of outputs and states differs")
    _require(all(_within(one, 0, nodes - 1) for one in outputs), "an output is not a node")
