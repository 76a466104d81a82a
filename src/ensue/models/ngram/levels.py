"""N-gram counts of a corpus, length by length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]
Nodes = NDArray[np.integer]


@dataclass(frozen=True)
class Level:
    """The distinct n-grams of one length n, sorted by their first n-1 symbols, then by their last.

    `context` and `suffix` are the places of an n-gram's first and last n-1 symbols in the level
    below. `count` is its number of occurrences. `left` is its continuation count (Kneser & Ney):
    how many distinct symbols precede it. An n-gram at the start of a record, which nothing can
    precede, has `count` there (as in Chen & Goodman and KenLM). `left` is empty in the last level.
    `started` is the place of the first n-gram that begins with the start symbol.
    """

    symbol: Ids
    context: Nodes
    suffix: Nodes
    count: Nodes
    left: Nodes
    started: int


@dataclass(frozen=True)
class Counts:
    """The n-grams of a corpus up to a length: length n is `levels[n - 1]`.

    The first level holds every id, seen or not, in order, so that a place in it is an id. The last
    id is the start symbol, `size`, which is a context and never counts.
    """

    size: int
    levels: list[Level]


def add_starts(
    ids: Ids, offsets: NDArray[np.integer], size: int, begin: int = 0, end: int | None = None
) -> Ids:
    """Join all records, with the start symbol `size` before each; or only positions begin to end.

    Everything that is counted passes here. Ids are checked, as the kernels use them as memory
    offsets. Raises ValueError for ids that are no symbols.

    >>> add_starts(np.array([1, 0, 1]), np.array([0, 2, 3]), 2).tolist()
    [2, 1, 0, 2, 1]
    """
    starts = offsets[:-1] - offsets[0] + np.arange(len(offsets) - 1)
    end = int(offsets[-1] - offsets[0]) + len(starts) if end is None else end
    before, until = np.searchsorted(starts, [begin, end])
    text = np.full(end - begin, size, np.min_scalar_type(size))
    real = np.ones(len(text), bool)
    real[starts[before:until] - begin] = False
    symbols = ids[offsets[0] + begin - before : offsets[0] + end - until]
    if len(symbols) and not 0 <= int(symbols.min()) <= int(symbols.max()) < size:
        raise ValueError(
            f"ids go from {symbols.min()} to {symbols.max()}, and the symbols from 0 to {size - 1}"
        )
    text[real] = symbols
    return text
