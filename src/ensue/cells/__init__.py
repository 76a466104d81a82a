"""Recurrent cells, each written as the equation of one time step. Nothing here imports torch."""

from ensue.cells.algebra import (
    Expr,
    absolute,
    exp,
    log,
    maximum,
    minimum,
    normalise,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
)
from ensue.cells.contract import Cell, Gates, Names, Stage
from ensue.cells.elman import Elman
from ensue.cells.gru import GRU
from ensue.cells.gru_reset_before import GRUResetBefore
from ensue.cells.irnn import IRNN
from ensue.cells.jordan import Jordan
from ensue.cells.lstm import LSTM
from ensue.cells.mingru import MinGRU
from ensue.cells.minlstm import MinLSTM
from ensue.cells.mlstm import MLSTM
from ensue.cells.peephole import Peephole

CELLS: dict[str, type[Cell]] = {
    "tanh": Elman,
    "irnn": IRNN,
    "jordan": Jordan,
    "lstm": LSTM,
    "peephole": Peephole,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
    "mlstm": MLSTM,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
}

__all__ = [
    "CELLS",
    "Cell",
    "Expr",
    "Gates",
    "Names",
    "Stage",
    "absolute",
    "exp",
    "log",
    "maximum",
    "minimum",
    "normalise",
    "relu",
    "sigmoid",
    "softplus",
    "sqrt",
    "tanh",
]
