"""Negative log-likelihood of a text by line, numbered as in an editor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.likelihood import Nats


@dataclass(frozen=True)
class LineScore:
    """Nats of one line, including its line break."""

    line: int
    symbols: int
    nats: float


def line_numbers(
    breaks: NDArray[np.int64], offsets: NDArray[np.int64], firsts: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the line on which each symbol begins; `breaks` counts the line breaks in each symbol.

    An end symbol is a line break. `firsts` are the first lines of the records at `offsets`; by
    default records follow each other from line 1.

    >>> line_numbers(np.array([0, 1, 0, 0, 1]), np.array([0, 2, 5]), firsts=np.array([3,
    ...     7])).tolist()
    [3, 3, 7, 7, 7]
    """
    before = np.cumsum(breaks) - breaks
    return before + (
        1 if firsts is None else np.repeat(firsts - before[offsets[:-1]], np.diff(offsets))
    )


def by_line(nats: Nats, lines: NDArray[np.int64], offsets: NDArray[np.int64]) -> list[LineScore]:
    """Sum the nats of each line that has symbols, separately for each record."""
    first = (
        np.union1d(np.flatnonzero(np.diff(lines, prepend=0)), offsets[:-1])
        if len(lines)
        else offsets[:0]
    )
    counts = np.diff(np.append(first, len(lines))).tolist()
    sums = np.add.reduceat(nats, first).tolist() if len(first) else []
    return [LineScore(*each) for each in zip(lines[first].tolist(), counts, sums, strict=True)]
