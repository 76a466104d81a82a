"""N-gram counting, all lengths together, by sorting the positions of the text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram import kernels
from ensue.models.ngram.levels import Counts, Ids, Level, add_starts
from ensue.models.ngram.spilling import count_in_runs
from ensue.models.ngram.suffixes import sort_suffixes

POSITION_BYTES, LEVEL_BYTES = 40, 20
"""Peak memory per position of a text: once, and per length if all n-grams are distinct."""


def count(ids: Ids, offsets: NDArray[np.integer], size: int, order: int, memory: int = 0) -> Counts:
    """Count the n-grams of 1 to `order` symbols; none crosses the start of a record.

    If that may take more than `memory` bytes (0: no limit), it is done in runs on disk. Positions
    of the text are sorted by the `order` symbols that follow them. Then all occurrences of an
    n-gram are adjacent, for every n, and the levels follow from comparing neighbours.

    >>> level = count(np.array([0, 1, 0, 1]), np.array([0, 4]), 2, order=2).levels[1]
    >>> ([f"{context}{symbol}" for context, symbol in zip(level.context, level.symbol)],
    ...  level.count.tolist())
    (['01', '10', '20'], [2, 1, 1])
    """
    length = int(offsets[-1] - offsets[0]) + len(offsets) - 1
    if 0 < memory < length * (POSITION_BYTES + LEVEL_BYTES * order):
        return count_in_runs(ids, offsets, size, order, memory)
    text = add_starts(ids, offsets, size)
    levels = kernels.count_levels(text, size, order)
    return _count_slowly(text, size, order) if levels is None else Counts(size, levels)


def _count_slowly(text: Ids, size: int, order: int) -> Counts:
    length = len(text)
    padded = np.concatenate([text, np.full(order, size, text.dtype)])
    whole = np.min_scalar_type(-length - size - 2)
    # What follows a start symbol inside an n-gram is never looked at, so past the end anything will
    # do.
    at = sort_suffixes(padded, order)
    at = at[at < length]
    fresh = np.zeros(length, bool)
    fresh[:1] = True
    column = padded[at]
    fresh[1:] = column[1:] != column[:-1]
    single = np.bincount(text, minlength=size + 1).astype(whole)
    single[size] = 0
    ids_in_order = np.arange(size + 1, dtype=text.dtype)
    nowhere = np.zeros(size + 1, whole)
    levels = [Level(ids_in_order, nowhere, nowhere, single, nowhere[:0], size)]
    place = padded.astype(whole)
    for n in range(2, order + 1):
        column = padded[at + (n - 1)]
        # The start symbol is the largest, so what is dropped ends its block and never is the head
        # of what stays.
        kept = column != size
        at, fresh, column = at[kept], fresh[kept], column[kept]
        fresh[1:] |= column[1:] != column[:-1]
        heads = np.flatnonzero(fresh)
        head_at = at[heads]
        context, suffix = place[head_at], place[head_at + 1]
        below = levels[-1]
        left = np.bincount(suffix, minlength=len(below.symbol)).astype(whole)
        left[below.started :] = below.count[below.started :]
        levels[-1] = replace(below, left=left)
        occurrences = np.diff(np.append(heads, len(at))).astype(whole)
        started = int(np.searchsorted(context, below.started))
        levels.append(Level(column[heads], context, suffix, occurrences, nowhere[:0], started))
        place = np.full(len(padded), -1, whole)
        place[at] = np.cumsum(fresh, dtype=whole) - 1
    return Counts(size, levels)
