"""Tracing of a cell's equations into a program."""

from __future__ import annotations

from collections.abc import Sequence

from ensue.cells.algebra import Expr
from ensue.cells.contract import Cell, Stage
from ensue.cells.equations import check_equations, list_parts, quote
from ensue.engine.program import FURTHER, Part, Program, Weight, finish
from ensue.engine.simplify import Nodes
from ensue.errors import UserError


def trace(cell: Cell, name: str) -> Program:
    """Trace a cell into a program; `name` is its name, or its file, for errors.

    Raises UserError, with the line, if the equations are invalid.
    """
    return _Tracer(cell, name).program()


class _Tracer:
    def __init__(self, cell: Cell, name: str) -> None:
        self.cell, self.name = cell, name
        self.equations = check_equations(cell, name)
        self.nodes = Nodes()
        self.results: dict[str, int] = {}
        self.weights: dict[str, Weight] = {}
        self.written: dict[int, Expr] = {}
        """The expression of the cell behind each node, for errors."""

    def program(self) -> Program:
        stages, own_states = [], []
        for stage, equations in zip(self.cell.all_stages(), self.equations, strict=True):
            of = None if stage.of is None else self._readable(stage.of)
            self._write(stage, equations)
            stop = len(self.nodes.list)
            stages.append(
                Part(stage.name, stage.gates, of, stage.reads, stage.bias, stage.own_width, stop)
            )
            own_states += [
                state for state in self.cell.states if state in equations and stage.own_width
            ]
        for name in self.cell.weights:
            if name not in self.weights:
                raise quote(
                    f"the weight name {name!r} is never used",
                    "weights",
                    self.name,
                    "drop it, or use it",
                )
        program = Program(
            self.name,
            self.cell.states,
            tuple(own_states),
            tuple(stages),
            tuple(self.weights.values()),
            tuple(self.nodes.list),
            tuple(self.results[state] for state in self.cell.states),
            self.cell.own_width,
            tuple(self.cell.bias.items()),
            self.cell.recurrence,
        )
        place = program.widths()[1]
        if place is not None:
            what = f"{program.nodes[place].op} combines units of two widths"
            raise quote(what, self.written[place].line, self.name, FURTHER)
        return finish(program)

    def _readable(self, name: str) -> int:
        return self.nodes.leaf("state", name) if name in self.cell.states else self.results[name]

    def _write(self, stage: Stage, equations: dict[str, Expr]) -> None:
        parts = list_parts(equations.values())
        apart = {str(part.detail) for part in parts if part.op in ("gate.x", "gate.h")}
        places: dict[int, int] = {}
        for part in parts:
            try:
                places[id(part)] = self._place(
                    part, [places[id(arg)] for arg in part.args], stage, apart
                )
            except UserError as error:
                raise quote(error.what, part.line, self.name, error.hint) from None
            # Simplification may have added further nodes.
            for place in range(len(self.nodes.list) - 1, -1, -1):
                if self.written.setdefault(place, part) is not part:
                    break
        self.results |= {name: places[id(value)] for name, value in equations.items()}

    def _place(self, part: Expr, args: Sequence[int], stage: Stage, apart: set[str]) -> int:
        if args:
            return self.nodes.apply(part.op, *args)
        name = str(part.detail)
        if part.op == "result":
            return self.results[name]
        if part.op == "weight":
            weight = self.weights.setdefault(name, Weight(name, 0.0, stage.own_width))
            if weight.own != stage.own_width:
                raise UserError(f"the weight {name!r} is used for units of two widths")
        if not part.op.startswith("gate"):
            return self.nodes.leaf(
                part.op, name if part.op != "constant" else float(part.detail or 0.0)
            )
        # In a stage with only one of the two products, that product is the whole gate.
        if not stage.reads or stage.of is None or (part.op == "gate" and name not in apart):
            return self.nodes.leaf("gate", name)
        if part.op == "gate":
            return self.nodes.apply(
                "add", self.nodes.leaf("gate.x", name), self.nodes.leaf("gate.h", name)
            )
        return self.nodes.leaf(part.op, name)
