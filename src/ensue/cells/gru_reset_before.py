"""Gated recurrent unit with the reset before the product, as first published (Cho et al. 2014,
arXiv:1406.1078)."""

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class GRUResetBefore(Cell):
    """h' = (1 - update) * candidate + update * h,  candidate = tanh(W x + U (reset * h) + b)."""

    states = ("h",)
    stages = (
        Stage("equation", ("reset", "update"), of="h"),
        Stage("renew", ("candidate",), of="recalled"),
    )

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write what is recalled of the old state, and how much of it is kept."""
        return {"recalled": sigmoid(gate.reset) * state.h, "kept": sigmoid(gate.update)}

    def renew(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the new state."""
        candidate = tanh(gate.candidate)
        return {"h": candidate + state.kept * (state.h - candidate)}
