"""The n-gram language model: a back-off table behind the contract of language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from ensue.engine.shapes import Row, check_lengths, check_state, check_symbols
from ensue.models.contract import Autoregressive
from ensue.models.ngram.distribution import NextSymbol
from ensue.models.ngram.packed import NO_MODEL, PackedTable, check
from ensue.models.ngram.settings import NgramSettings
from ensue.models.ngram.table import OrderTable, Table, unigram_table
from ensue.state import State

UNREAD = -1
"""Marks a place of the state where no symbol was read yet."""


class Ngram(Autoregressive):
    """Predicts from the last order - 1 symbols, its state: int64 ids (batch, order - 1).

    `estimate` fits one to a corpus, `read_arpa` reads one from a file.
    """

    def __init__(self, table: Table | PackedTable, discounts: NDArray[np.float64]) -> None:
        """Take the table, and the discounts: (order, 3) if they were tuned, else (0, 3)."""
        self.table, self.size, self.discounts = table, table.size, discounts

    @property
    def order(self) -> int:
        """The model's order: a symbol and its order - 1 predecessors."""
        return self.table.order

    def with_choices_of(self, settings: NgramSettings) -> NgramSettings:
        """Return settings that repeat this model's selection on other counts.

        They fix the order, and the discounts if tuned.
        """
        chosen = (
            {"discounts": tuple(map(tuple, self.discounts.tolist()))} if len(self.discounts) else {}
        )
        return settings.model_copy(update={"order": self.order, **chosen})

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the state before any input, the start symbol included."""
        return torch.full(
            (batch_size, self.order - 1), UNREAD, device=None if context is None else context.device
        )

    def __call__(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Return the distribution after each of inputs (batch, time); it is computed lazily."""
        check_symbols(inputs, self.size)
        check_lengths(lengths, *inputs.shape)
        check_state(state, Row((self.order - 1,)), len(inputs), None)
        state = cast(Tensor, state)
        check_symbols(state, self.size, least=UNREAD)
        sequence = torch.cat([state.to(inputs.device), inputs], 1)
        rows, time = inputs.shape
        ends = (
            torch.full((rows,), time, device=inputs.device)
            if lengths is None
            else lengths.to(inputs.device)
        )
        columns = ends[:, None] + torch.arange(self.order - 1, device=inputs.device)
        return NextSymbol(self.table, sequence, time), sequence.gather(1, columns)

    def packed(self, quantised: bool = False) -> Ngram:
        """Return the model in compact form: probabilities to 7 digits.

        Quantised, each length has 256 distinct values.
        """
        table = self.table if isinstance(self.table, PackedTable) else PackedTable.of(self.table)
        return Ngram(table.quantised() if quantised else table, self.discounts)

    @property
    def parameter_count(self) -> int:
        """Number of probabilities and back-off weights; the longest n-grams have no weight."""
        lengths = self.table.lengths
        return 2 * sum(lengths) - lengths[-1]

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return probabilities, back-off weights and the n-grams of each length."""
        found = {"discounts": self.discounts}
        if isinstance(self.table, PackedTable):
            return found | self.table.arrays()
        for n, level in enumerate(self.table.orders, 1):
            found |= {f"probability.{n}": level.probability, f"backoff.{n}": level.backoff}
            if n > 1:
                found |= {
                    f"symbol.{n}": _compact(level.symbol),
                    f"children.{n}": _compact(level.children),
                }
        return found

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load a table; its order may differ from the present one.

        Of packed arrays only types, sizes and the first values are checked, so that a large
        memory-mapped model opens at once. No content can make a query read outside of them. Raises
        RunError if arrays do not fit.
        """
        packed = "grams.1" in arrays
        first = "grams.1" if packed else "probability.1"
        order = sum(name.startswith(first[:-1]) for name in arrays)
        check(first in arrays and "discounts" in arrays, NO_MODEL)
        check(len(arrays[first]) == self.size + 1, f"it is not over {self.size} symbols")
        rest = {name: array for name, array in arrays.items() if name != "discounts"}
        table = (
            PackedTable.read(rest, self.size, order)
            if packed
            else _read_plain(rest, self.size, order)
        )
        check(
            arrays["discounts"].shape in ((0, 3), (order, 3)),
            "its discounts are not those of its order",
        )
        self.table, self.discounts = table, arrays["discounts"]


def _read_plain(arrays: Mapping[str, np.ndarray], size: int, order: int) -> Table:
    names = {f"{kind}.{n}" for n in range(1, order + 1) for kind in ("probability", "backoff")}
    names |= {f"{kind}.{n}" for n in range(2, order + 1) for kind in ("symbol", "children")}
    check(names == set(arrays), NO_MODEL)
    orders = [unigram_table(arrays["probability.1"], arrays["backoff.1"])]
    for n in range(2, order + 1):
        symbol, children = arrays[f"symbol.{n}"], arrays[f"children.{n}"]
        orders.append(
            OrderTable(symbol, children, arrays[f"probability.{n}"], arrays[f"backoff.{n}"], size)
        )
    for n, level in enumerate(orders, 1):
        check(
            _fits(level, orders[n - 2] if n > 1 else None, n == order),
            f"its {n}-grams do not fit together",
        )
    return Table(size, orders)


def _compact(values: np.ndarray) -> np.ndarray:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _fits(level: OrderTable, below: OrderTable | None, last: bool) -> bool:
    count = len(level.symbol)
    return (
        len(level.probability) == count
        and len(level.backoff) == (0 if last else count)
        and int(level.children.sum(dtype=np.int64)) == count
        and (below is None or len(level.children) == len(below.symbol))
        and int(level.symbol.max(initial=0)) <= level.size
    )
