"""Rectified linear units, identity initialisation (Le, Jaitly & Hinton 2015, arXiv:1504.00941)."""

from ensue.cells.algebra import Expr, relu
from ensue.cells.contract import Cell, Gates, Names


class IRNN(Cell):
    """h' = relu(W x + U h + b), with U initialised to the identity and b to zero."""

    states = ("h",)
    gates = ("hidden",)
    recurrence = "identity"

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        return {"h": relu(gate.hidden)}
