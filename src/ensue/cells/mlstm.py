"""Multiplicative LSTM (Krause et al. 2016, arXiv:1609.07959).

The output gate is that of Radford et al. 2017.
"""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class MLSTM(Cell):
    """LSTM over m = (W_m x) * (U_m h) instead of h: each input has its own transition."""

    states = ("h", "c")
    stages = (
        Stage("mix", ("mixed",), of="h", bias=()),
        Stage("equation", ("input", "forget", "output", "candidate"), of="m"),
    )
    bias: ClassVar = {"forget": 1.0}

    def mix(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the intermediate state."""
        return {"m": gate.mixed.x * gate.mixed.h}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new states of an LSTM over m."""
        c = sigmoid(gate.forget) * state.c + sigmoid(gate.input) * tanh(gate.candidate)
        return {"h": sigmoid(gate.output) * tanh(c), "c": c}
