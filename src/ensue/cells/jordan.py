"""Jordan network: recurrence from the output to the hidden units (Jordan 1986), tanh for both."""

from ensue.cells.algebra import Expr, tanh
from ensue.cells.contract import Cell, Gates, Names, Stage


class Jordan(Cell):
    """hidden = tanh(W x + U y + b), y' = tanh(V hidden + c).

    The output y is the only state.
    """

    states = ("y",)
    stages = (
        Stage("equation", ("hidden",), of="y"),
        Stage("output", ("output",), of="hidden", reads=False, bias=("h",), own_width=True),
    )

    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the hidden units."""
        return {"hidden": tanh(gate.hidden)}

    def output(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return the output."""
        return {"y": tanh(gate.output)}
