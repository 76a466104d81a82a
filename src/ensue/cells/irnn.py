"""Rectified units that start by copying (Le, Jaitly & Hinton 2015, arXiv:1504.00941)."""

from ensue.cells.algebra import Expr, relu
from ensue.cells.contract import Cell, Gates, Names


class IRNN(Cell):
    """h' = relu(W x + U h + b), U starting from the identity and b from zero."""

    states = ("h",)
    gates = ("new",)
    recurrence = "identity"

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        return {"h": relu(gate.new)}
