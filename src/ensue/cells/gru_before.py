"""Gated recurrent unit with the reset before the product, as first published (Cho et al. 2014, arXiv:1406.1078)."""

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class GRUBefore(Cell):
    """h' = (1 - keep) * new + keep * h,  new = tanh(W x + U (reset * h) + b)."""

    states = ("h",)
    stages = (
        Stage("equation", ("reset", "keep"), of="h"),
        Stage("renew", ("new",), of="recalled"),
    )

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write what is recalled of the old state, and how much of it is kept."""
        return {"recalled": sigmoid(gate.reset) * state.h, "kept": sigmoid(gate.keep)}

    def renew(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the new state."""
        new = tanh(gate.new)
        return {"h": new + state.kept * (state.h - new)}
