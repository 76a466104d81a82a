"""A program that a run holds may be damaged, or an attack: it is refused in one line, or it runs
like a traced one."""

import json
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import pytest
import torch
from random_cells import random_program

from ensue.cells import CELLS
from ensue.engine import Program, eager, native, paths, scan, start, trace
from ensue.errors import UserError
from ensue.layers import RecurrentSettings
from ensue.settings import read

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 1_000_000, 10**30, 0.5, -1e300, 1e39, ""),
    *(
        "h",
        "c",
        "x",
        "gate",
        "gate.x",
        "gate.h",
        "state",
        "weight",
        "zone",
        "constant",
        "sigmoid",
        "exceeds",
        "copy",
    ),
    *("__class__", "../x", "a b", "identity", [], [0], [0, 1], ["h"], {}, {"op": "tanh"}),
)


@cache
def originals() -> list[str]:
    draws = Random(0)
    drawn = [random_program(draws).to_json() for _ in range(12)]
    return [trace(kind(), name).to_json() for name, kind in CELLS.items()] + drawn


def mutant(draws: Random) -> str:
    """Change a stored program in one to three places: its text, or its values."""
    text = draws.choice(originals())
    if draws.random() < 0.2:
        at = draws.randrange(len(text))
        return (
            text[:at]
            + draws.choice(["", chr(draws.randrange(32, 127)), "[" * 5000, "9" * 5000, text])
            + text[at + 1 :]
        )
    values = json.loads(text)
    for _ in range(draws.choice([1, 1, 2, 3])):
        change(values, draws)
    return json.dumps(values)


def change(values: Any, draws: Random) -> None:
    """Go down to some value, and put another in its place, swap it, repeat it or take it away."""
    while True:
        keys = list(values) if isinstance(values, dict) else list(range(len(values)))
        if not keys:
            return
        key = draws.choice(keys)
        inner = values[key]
        if not isinstance(inner, dict | list) or not inner or draws.random() < 0.15:
            break
        values = inner
    way = draws.randrange(5)
    if way == 0:
        del values[key]
    elif way == 1 and isinstance(values, list):
        values.insert(key, deepcopy(inner))
    elif way == 2:
        other = draws.choice(keys)
        values[key], values[other] = values[other], values[key]
    elif way == 3 and isinstance(inner, int) and not isinstance(inner, bool):
        values[key] = inner + draws.choice([-2, -1, 1, 2])
    else:
        # A copy: a list put into itself later is no JSON.
        values[key] = deepcopy(draws.choice(VALUES))


def runs(program: Program) -> bool:
    """Run it both ways by every engine, which must agree; give whether the numbers stayed
    finite."""
    torch.manual_seed(0)
    values = {name: tensor.requires_grad_() for name, tensor in start(program, 3, 4).items()}
    for state in program.states:
        values[f"state/{state}"] = torch.full(
            (2, program.own_width or 4 if state in program.own_states else 4), 0.1
        )
    values["x"] = torch.randn(3, 2, 3)
    found = []
    for backend in (eager, native):
        if backend is native and not native.usable(program, values):
            continue
        path = paths(backend, program, values)
        parameters = [value for value in values.values() if value.requires_grad]
        found.append(
            [
                *path,
                *torch.autograd.grad(sum(one.sum() for one in path), parameters, allow_unused=True),
            ]
        )
    if scan.linear(program):
        found.append([*scan.run(program, values)])
    finite = all(one is None or bool(one.isfinite().all()) for one in found[0])
    for other in found[1:] if finite else ():
        for one, same in zip(found[0], other, strict=False):
            torch.testing.assert_close(one, same, rtol=1e-3, atol=1e-3)
    return finite


def taken_or_refused(text: str) -> Program | None:
    try:
        return Program.from_json(text)
    except UserError as error:
        line = str(error)
    assert line.startswith("the program of the cell is damaged: "), text
    assert len(line.splitlines()) == 1, text
    return None


def attack(count: int, seed: int) -> tuple[int, int]:
    draws, refused, taken = Random(seed), 0, 0
    for number in range(count):
        text = mutant(draws)
        program = taken_or_refused(text)
        if program is None:
            refused += 1
            continue
        assert Program.from_json(program.to_json()) == program, number
        # A width of thousands is allowed, and takes long.
        if (program.own_width or 0) < 100:
            runs(program)
        taken += 1
    return refused, taken


def test_damaged_programs_are_refused_or_run() -> None:
    refused, taken = attack(400, seed=1)
    assert refused > 250
    assert taken > 20


@pytest.mark.slow
def test_thousands_of_damaged_programs_are_refused_or_run() -> None:
    refused, taken = attack(10_000, seed=2)
    assert refused > 6_000
    assert taken > 500


def test_what_was_traced_is_taken_as_it_is() -> None:
    for text in originals():
        assert Program.from_json(text).to_json() == text
        assert runs(Program.from_json(text))


def lstm() -> dict[str, Any]:
    return json.loads(trace(CELLS["lstm"](), "lstm").to_json())


def damaged(**changes: Any) -> str:
    return json.dumps(lstm() | changes)


NODES = lstm()["nodes"]
STAGE = lstm()["stages"][0]
DAMAGED = [
    ("{", "it is not JSON"),
    ("[" * 100_000, "it is not JSON"),
    ('{"a": ' + "9" * 5000 + "}", "it is not JSON"),
    (" " * 1_000_001, "it has more than 1,000,000 characters"),
    ("[1]", "the program does not have the expected fields"),
    ('{"stages": 3}', "the program does not have the expected fields"),
    (damaged(states="h"), "states is not a list of at most 256"),
    (damaged(states=["h", "h"]), "states are not distinct"),
    (damaged(states=["h", "__import__('os')"]), "states are not valid names"),
    (damaged(outputs=[10**9, 0]), "an output is not a node"),
    (damaged(outputs=[0]), "the number of outputs and states differs"),
    (damaged(own_width=-1), "own_width is out of range"),
    (damaged(own_width=10**12), "own_width is out of range"),
    (damaged(bias=[["forget", float("inf")]]), "it is not JSON"),
    (damaged(bias=[["forget", 1e39]]), "a bias is not a finite number of a gate"),
    (damaged(recurrence="fire"), "the recurrence is unknown"),
    (damaged(recurrence=[]), "the recurrence is unknown"),
    (damaged(stages=[STAGE | {"of": 99}]), "a stage multiplies an unknown node"),
    (damaged(stages=[STAGE | {"of": len(NODES) - 1}]), "a stage multiplies a later result"),
    (damaged(stages=[STAGE | {"stop": 0}]), "the stages are out of order"),
    (damaged(stages=[STAGE | {"name": "weight"}]), "a stage has a reserved name"),
    (damaged(stages=[STAGE | {"gates": []}]), "a stage has no gates"),
    (damaged(stages=[STAGE | {"reads": False, "of": None}]), "a stage has no products"),
    (
        damaged(nodes=[*NODES[:-1], NODES[-1] | {"args": [len(NODES) - 1] * 2}]),
        "an argument does not come before",
    ),
    (damaged(nodes=[*NODES[:-1], NODES[-1] | {"op": "system"}]), "an operation is unknown"),
    (
        damaged(nodes=[*NODES[:-1], NODES[-1] | {"args": [0]}]),
        "an operation has a wrong number of arguments",
    ),
    (damaged(nodes=NODES[:-1]), "a stage ends outside the program"),
    (damaged(nodes=NODES * 100), "nodes is not a list of at most 1000"),
]


@pytest.mark.parametrize(("text", "why"), DAMAGED)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(UserError) as caught:
        Program.from_json(text)
    assert str(caught.value).startswith(f"the program of the cell is damaged: {why}")
    with pytest.raises(UserError, match="the program of the cell is damaged"):
        read(RecurrentSettings, {"cell": "{" + text})


def test_a_value_computed_again_is_written_once_however_deep_it_lies() -> None:
    """Each level uses the one below twice: written out, a hundred levels would be 2 to the 100
    operations."""
    values = lstm()
    nodes, place = [*NODES], values["outputs"][1]
    for _ in range(100):
        nodes.append({"op": "multiply", "args": [place, len(nodes) - 1], "detail": None})
        nodes.append({"op": "add", "args": [place, len(nodes) - 1], "detail": None})
        place = len(nodes) - 1
    values |= {
        "nodes": nodes,
        "outputs": [place, values["outputs"][1]],
        "stages": [STAGE | {"stop": len(nodes)}],
    }
    runs(Program.from_json(json.dumps(values)))
