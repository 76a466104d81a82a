"""Gated recurrent unit, reset before the product as in Cho et al. 2014 (arXiv:1406.1078)."""

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class GRUResetBefore(Cell):
    """h' = (1 - update) * candidate + update * h,  candidate = tanh(W x + U (reset * h) + b)."""

    states = ("h",)
    stages = (
        Stage("equation", ("reset", "update"), of="h"),
        Stage("update_state", ("candidate",), of="reset_h"),
    )

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the reset state and the update gate."""
        return {"reset_h": sigmoid(gate.reset) * state.h, "update": sigmoid(gate.update)}

    def update_state(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        candidate = tanh(gate.candidate)
        return {"h": candidate + state.update * (state.h - candidate)}
