"""LSTM whose gates see the memory (Gers & Schmidhuber 2000, Recurrent nets that time and count)."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names


class Peephole(Cell):
    """LSTM with write and keep looking at the old c, and show at the new one, each through a weight of its unit."""

    states = ("h", "c")
    gates = ("write", "keep", "show", "new")
    weights = ("write", "keep", "show")
    bias: ClassVar = {"keep": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        keep = sigmoid(gate.keep + weight.keep * state.c)
        write = sigmoid(gate.write + weight.write * state.c)
        c = keep * state.c + write * tanh(gate.new)
        return {"h": sigmoid(gate.show + weight.show * c) * tanh(c), "c": c}
