"""The simple recurrent network (Elman 1990)."""

from ensue.cells.algebra import Expr, tanh
from ensue.cells.contract import Cell, Gates, Names


class Elman(Cell):
    """h' = tanh(W x + U h + b)."""

    states = ("h",)
    gates = ("hidden",)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        return {"h": tanh(gate.hidden)}
