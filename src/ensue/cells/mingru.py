"""Minimal GRU (Feng et al. 2024, arXiv:2410.01201, 3.1).

Its gate does not depend on the state, so a parallel scan can train it.
"""

from ensue.cells.algebra import Expr, sigmoid
from ensue.cells.contract import Cell, Gates, Names, Stage


class MinGRU(Cell):
    """h' = (1 - update) * h + update * candidate,  update = sigmoid(W x + b), candidate = V x.

    `update` is 1 to take the candidate, as in the paper: the opposite of `gru`.
    """

    states = ("h",)
    stages = (Stage("equation", ("update", "candidate"), of=None),)

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the new state."""
        return {"h": state.h + sigmoid(gate.update) * (gate.candidate - state.h)}
