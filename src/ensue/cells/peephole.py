"""LSTM whose gates see the memory (Gers & Schmidhuber 2000, Recurrent nets that time and count)."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names


class Peephole(Cell):
    """LSTM whose gates read the memory: input and forget the old c, output the new one.

    Each reads it through one weight a unit.
    """

    states = ("h", "c")
    gates = ("input", "forget", "output", "candidate")
    weights = ("input", "forget", "output")
    bias: ClassVar = {"forget": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        forget = sigmoid(gate.forget + weight.forget * state.c)
        input = sigmoid(gate.input + weight.input * state.c)
        c = forget * state.c + input * tanh(gate.candidate)
        return {"h": sigmoid(gate.output + weight.output * c) * tanh(c), "c": c}
