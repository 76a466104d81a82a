"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), reset after the product as in cuDNN."""

from ensue.cells.algebra import Expr, sigmoid, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class GRU(Cell):
    """h' = (1 - update) * candidate + update * h,  candidate = tanh(W x + b + reset * (U h + d)).

    `update` is 1 to copy the old state. PyTorch uses the same convention; Chung et al. 2014 use the
    opposite. The bias d inside the reset is why every gate has two, and the order of gates is
    torch's (r, z, n).
    """

    states = ("h",)
    stages = (Stage("equation", ("reset", "update", "candidate"), of="h", bias=("x", "h")),)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        candidate = tanh(gate.candidate.x + sigmoid(gate.reset) * gate.candidate.h)
        return {"h": candidate + sigmoid(gate.update) * (state.h - candidate)}
