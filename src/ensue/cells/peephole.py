"""LSTM with peephole connections (Gers & Schmidhuber 2000, Recurrent nets that time and count)."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names


class Peephole(Cell):
    """LSTM whose input and forget gates read the old c, and whose output gate reads the new c.

    Each peephole has one weight per unit.
    """

    states = ("h", "c")
    gates = ("input", "forget", "output", "candidate")
    weights = ("input", "forget", "output")
    bias: ClassVar = {"forget": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new states."""
        forget = sigmoid(gate.forget + weight.forget * state.c)
        input = sigmoid(gate.input + weight.input * state.c)
        c = forget * state.c + input * tanh(gate.candidate)
        return {"h": sigmoid(gate.output + weight.output * c) * tanh(c), "c": c}
