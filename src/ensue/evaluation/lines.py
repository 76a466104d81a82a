"""A text's score by lines, as an editor counts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.likelihood import Nats


@dataclass(frozen=True)
class LineScore:
    """What one line costs, its line break included."""

    line: int
    symbols: int
    nats: float


def line_numbers(ids: NDArray[np.integer], breaks: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give the line, from 1, on which each symbol begins; `breaks` (size,) counts the line breaks in each symbol.

    The end of a record counts as one.

    >>> line_numbers(np.array([0, 1, 0, 0, 1]), breaks=np.array([0, 1])).tolist()
    [1, 1, 2, 2, 2]
    """
    through = np.cumsum(np.asarray(breaks, dtype=np.int64)[ids])
    return np.concatenate([[1], through[:-1] + 1]) if len(ids) else np.empty(0, dtype=np.int64)


def by_line(nats: Nats, lines: NDArray[np.int64]) -> list[LineScore]:
    """Add up the nats of the symbols of each line that has any."""
    numbers, first, counts = np.unique(lines, return_index=True, return_counts=True)
    sums = np.add.reduceat(nats, first).tolist() if len(numbers) else []
    return [LineScore(*each) for each in zip(numbers.tolist(), counts.tolist(), sums, strict=True)]
