"""Minimal LSTM (Feng et al. 2024, arXiv:2410.01201, 3.2): no gate sees the state, and keep + write = 1."""

from typing import ClassVar

from ensue.cells.algebra import Expr, sigmoid, softplus
from ensue.cells.contract import Cell, Gates, Names, Stage


class MinLSTM(Cell):
    """h' = keep * h + write * new, with keep and write divided by their sum."""

    states = ("h",)
    stages = (Stage("equation", ("keep", "write", "new"), of=None),)
    bias: ClassVar = {"keep": 1.0}

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        # sigmoid(k) / (sigmoid(k) + sigmoid(w)), so written that it is no 0 / 0 where both are small.
        share = sigmoid(softplus(-gate.write) - softplus(-gate.keep))
        return {"h": gate.new + share * (state.h - gate.new)}
