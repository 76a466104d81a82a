"""Minimal GRU (Feng et al. 2024, arXiv:2410.01201, 3.1): its gate does not see the state, so a scan can train it."""

from ensue.cells.algebra import Expr, sigmoid
from ensue.cells.contract import Cell, Gates, Names, Stage


class MinGRU(Cell):
    """h' = (1 - write) * h + write * new, with write = sigmoid(W x + b) and new linear in x."""

    states = ("h",)
    stages = (Stage("equation", ("write", "new"), of=None),)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write the tick."""
        return {"h": state.h + sigmoid(gate.write) * (gate.new - state.h)}
