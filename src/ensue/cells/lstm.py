"""Long short-term memory with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names


class LSTM(Cell):
    """c' = forget * c + input * candidate, h' = output * tanh(c').

    The gates are in torch's order (i, f, g, o), so that its kernels take the weights unchanged.
    """

    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")
    bias: ClassVar = {"forget": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new states."""
        c = sigmoid(gate.forget) * state.c + sigmoid(gate.input) * tanh(gate.candidate)
        return {"h": sigmoid(gate.output) * tanh(c), "c": c}
