"""Minimal LSTM (Feng et al. 2024, arXiv:2410.01201, 3.2): no gate depends on the state.

The gates are normalised: forget + input = 1.
"""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, softplus
from ensue.cells.contract import Cell, Gates, Names, Stage


class MinLSTM(Cell):
    """h' = forget * h + input * candidate, with forget and input divided by their sum."""

    states = ("h",)
    stages = (Stage("equation", ("forget", "input", "candidate"), of=None),)
    bias: ClassVar = {"forget": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        # sigmoid(k) / (sigmoid(k) + sigmoid(w)), so written that it is no 0 / 0 where both are
        # small.
        share = sigmoid(softplus(-gate.input) - softplus(-gate.forget))
        return {"h": gate.candidate + share * (state.h - gate.candidate)}
