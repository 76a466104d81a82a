"""Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names


class LSTM(Cell):
    """c' = keep * c + write * new,  h' = show * tanh(c').

    The gates stand in the order of torch (i, f, g, o), so that its kernels take the weights as they are.
    """

    states = ("h", "c")
    gates = ("write", "keep", "new", "show")
    bias: ClassVar = {"keep": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        c = sigmoid(gate.keep) * state.c + sigmoid(gate.write) * tanh(gate.new)
        return {"h": sigmoid(gate.show) * tanh(c), "c": c}
