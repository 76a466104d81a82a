"""The simple recurrent network (Elman 1990)."""

from ensue.cells.algebra import Expr, tanh
from ensue.cells.contract import Cell, Gates, Names


class Elman(Cell):
    """h' = tanh(W x + U h + b)."""

    states = ("h",)
    gates = ("new",)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        return {"h": tanh(gate.new)}
