"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), reset after the product as in cuDNN."""

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class GRU(Cell):
    """h' = (1 - keep) * new + keep * h,  new = tanh(W x + b + reset * (U h + d)).

    `keep` is 1 to copy the old state. PyTorch uses the same convention; Chung et al. 2014 use the opposite.
    The bias d inside the reset is why every gate has two, and the order of gates is torch's (r, z, n).
    """

    states = ("h",)
    stages = (Stage("equation", ("reset", "keep", "new"), of="h", bias=("x", "h")),)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        new = tanh(gate.new.x + sigmoid(gate.reset) * gate.new.h)
        return {"h": new + sigmoid(gate.keep) * (state.h - new)}
