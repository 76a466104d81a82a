"""Cells drawn at random: what the laws of the engine are tested on beside the catalogue."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

from ensue.cells import Cell, Stage
from ensue.cells.algebra import FUNCTIONS
from ensue.engine import Program, trace
from ensue.errors import UserError


def random_program(draws: Random) -> Program:
    """Draw a cell and trace it; its name is what a person would have written."""
    while True:
        source = random_cell(draws)
        space: dict[str, Any] = {**FUNCTIONS, "Cell": Cell, "Stage": Stage}
        exec(source, space)
        # Where something cancelled out, nothing depends on a gate: another cell is drawn.
        with suppress(UserError):
            return trace(space["Drawn"](), source)


def random_cell(draws: Random) -> str:
    """Write a cell as a person would, called `Drawn`: states, stages, widths, gates, biases and
    equations are random.

    Something may cancel out, so that a gate counts for nothing and the engine refuses the cell.
    """
    own_width = draws.choice([None, None, 3])
    owns = [
        own_width is not None and draws.random() < 0.5 for _ in range(draws.choice([1, 1, 2, 3]))
    ]
    states = {
        name: draws.randrange(len(owns)) for name in ["h", "c", "d"][: draws.choice([1, 2, 3])]
    }
    states["h"] = len(owns) - 1
    known = {name: owns[home] for name, home in states.items()}
    stages, methods, weights = [], [], []
    for index, own in enumerate(owns):
        stage = _Drawn(draws, index, [name for name, is_own in known.items() if is_own == own])
        only_way = index > 0 and (owns[index - 1] != own or draws.random() < 0.5)
        stage.choose_source(list(known), must_be_last=only_way)
        stages.append(f"Stage({stage.head()}, own_width={own})")
        given = [name for name, home in states.items() if home == index]
        methods.append(stage.method(given, last=index + 1 == len(owns)))
        weights += stage.weights
        known[f"r{index}"] = own
    head = f"states = {tuple(states)}\n    weights = {tuple(weights)}\n    own_width = {own_width}"
    return f"class Drawn(Cell):\n    {head}\n    stages = ({', '.join(stages)},)\n" + "".join(
        methods
    )


class _Drawn:
    """A random stage; `readable` are the states and results of its width."""

    def __init__(self, draws: Random, index: int, readable: list[str]) -> None:
        self.draws, self.index = draws, index
        self.gates = [f"g{index}{number}" for number in range(draws.choice([1, 1, 2, 3, 4]))]
        self.weights = [f"w{index}"] if draws.random() < 0.5 else []
        self.leaves = [
            *(f"state.{name}" for name in readable),
            *(f"weight.{name}" for name in self.weights),
        ]
        self.uses = [f"state.r{index - 1}"] if f"r{index - 1}" in readable else []

    def choose_source(self, sources: list[str], must_be_last: bool) -> None:
        """Draw what is multiplied."""
        source = sources[-1] if must_be_last else self.draws.choice([None, *sources, *sources])
        reads = source is None or self.draws.random() < 0.8
        sides = [side for side, there in (("x", reads), ("h", source is not None)) if there]
        self.source, self.reads = source, reads
        self.bias = tuple(side for side in sides if self.draws.random() < 0.6)
        for gate in self.gates:
            parts = [f"gate.{gate}"]
            if len(sides) == 2 and self.draws.random() < 0.5:
                parts = [f"gate.{gate}.x", f"gate.{gate}.h"]
            self.leaves += parts
            self.uses.append(self.draws.choice([" * ", " - "]).join(parts))
        self.uses += [f"weight.{name}" for name in self.weights]

    def head(self) -> str:
        """Write the arguments of the stage."""
        name = f"s{self.index}" if self.index else "equation"
        return (
            f"{name!r}, {tuple(self.gates)}, of={self.source!r}, reads={self.reads}, "
            f"bias={self.bias}"
        )

    def method(self, states: list[str], last: bool) -> str:
        """Write the equation; its first result makes use of everything."""
        names = [*states, *([] if last else [f"r{self.index}"])]
        self.draws.shuffle(names)
        results = {name: self._value(name) for name in names}
        results[names[-1]] = (
            f"tanh({' + '.join(self.uses)} + {self._formula(2)}) + 0.5 * {results[names[-1]]}"
        )
        name = f"s{self.index}" if self.index else "equation"
        body = ", ".join(f"{key!r}: {value}" for key, value in results.items())
        return f"    def {name}(self, gate, state, weight):\n        return {{{body}}}\n"

    def _value(self, name: str) -> str:
        new = f"tanh({self._formula(3)})"
        old = self.draws.choice(self.leaves)
        return self.draws.choice([new, f"({old} + sigmoid({self._formula(2)}) * ({new} - {old}))"])

    def _formula(self, depth: int) -> str:
        if not depth or self.draws.random() < 0.2:
            return self.draws.choice([*self.leaves, *self.leaves, "0.5", "-2.0", "1.0"])
        form = self.draws.choice(FORMS)
        return form.format(*(self._formula(depth - 1) for _ in range(form.count("{"))))


FORMS = [
    *("({} + {})", "({} - {})", "({} * {})", "({} * {})", "({} / (1.5 + sigmoid({})))"),
    *(
        f"{name}({{}})"
        for name in ("sigmoid", "tanh", "relu", "absolute", "softplus", "layer_norm", "-")
    ),
    *(
        "maximum({}, {})",
        "minimum({}, {})",
        "sqrt(1.0 + ({}) ** 2)",
        "log(1.5 + absolute({}))",
        "exp(-absolute({}))",
    ),
]
"""What random equations are made of: whatever is put in, the values stay within reason."""
