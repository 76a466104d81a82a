"""Counting the n-grams of a corpus, all lengths at once, by sorting its positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram import kernels
from ensue.models.ngram.levels import Counts, Ids, Level, Nodes
from ensue.models.ngram.spilling import count_in_runs

POSITION_BYTES, LEVEL_BYTES = 40, 20
"""What counting takes for each symbol of a text: once, and for each length where all n-grams are different."""


def with_starts(ids: Ids, offsets: NDArray[np.integer], size: int) -> Ids:
    """Give one text of all records, the start symbol `size` before each.

    >>> with_starts(np.array([1, 0, 1]), np.array([0, 2, 3]), 2).tolist()
    [2, 1, 0, 2, 1]
    """
    records = len(offsets) - 1
    begins = offsets[:-1] - offsets[0] + np.arange(records)
    text = np.full(int(offsets[-1] - offsets[0]) + records, size, np.min_scalar_type(size))
    real = np.ones(len(text), bool)
    real[begins] = False
    text[real] = ids[offsets[0] : offsets[-1]]
    return text


def count(ids: Ids, offsets: NDArray[np.integer], size: int, order: int, memory: int = 0) -> Counts:
    """Count the n-grams of 1 to `order` symbols; none reaches over the start of a record.

    If that may take more than `memory` bytes (0: any), it is done in runs on disk.

    Positions of the text are sorted by the `order` symbols that follow them. In that order all occurrences of an
    n-gram stand together, for every n, and the levels are read off by comparing neighbours.

    >>> level = count(np.array([0, 1, 0, 1]), np.array([0, 4]), 2, order=2).levels[1]
    >>> [f"{context}{symbol}" for context, symbol in zip(level.context, level.symbol)], level.count.tolist()
    (['01', '10', '20'], [2, 1, 1])
    """
    length = int(offsets[-1] - offsets[0]) + len(offsets) - 1
    if 0 < memory < length * (POSITION_BYTES + LEVEL_BYTES * order):
        return count_in_runs(ids, offsets, size, order, memory)
    text = with_starts(ids, offsets, size)
    levels = kernels.levels_of(text, size, order)
    return _counted(text, size, order) if levels is None else Counts(size, levels)


def _counted(text: Ids, size: int, order: int) -> Counts:
    length = len(text)
    padded = np.concatenate([text, np.full(order, size, text.dtype)])
    whole = np.min_scalar_type(-length - size - 2)
    at = _sorted_positions(padded, length, size, order)
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
        # The start symbol is the largest, so what is dropped ends its block and never is the head of what stays.
        kept = column != size
        at, fresh, column = at[kept], fresh[kept], column[kept]
        fresh[1:] |= column[1:] != column[:-1]
        heads = np.flatnonzero(fresh)
        head_at = at[heads]
        context, suffix = place[head_at], place[head_at + 1]
        below = levels[-1]
        levels[-1] = _with_left(below, suffix)
        occurrences = np.diff(np.append(heads, len(at))).astype(whole)
        started = int(np.searchsorted(context, below.started))
        levels.append(Level(column[heads], context, suffix, occurrences, nowhere[:0], started))
        place = np.full(len(padded), -1, whole)
        place[at] = np.cumsum(fresh, dtype=whole) - 1
    return Counts(size, levels)


def _with_left(level: Level, suffixes_above: Nodes) -> Level:
    left = np.bincount(suffixes_above, minlength=len(level.symbol)).astype(level.count.dtype)
    left[level.started :] = level.count[level.started :]
    return Level(level.symbol, level.context, level.suffix, level.count, left, level.started)


def _sorted_positions(padded: Ids, length: int, size: int, order: int) -> NDArray[np.int64]:
    """Sort the first `length` positions by the `order` symbols from each on, by prefix doubling.

    What follows a start symbol inside an n-gram is never looked at, so past the end anything will do.
    """
    bits = max(1, size.bit_length())
    place_bits = len(padded).bit_length()
    depth = max(1, min(order, (63 - place_bits) // bits))
    key = padded.astype(np.int64)
    for step in range(1, depth):
        key = (key << bits) | _ahead(padded, step)
    at, key = _sort(key, place_bits)
    while depth < order:
        rank = np.empty(len(padded), np.int64)
        rank[at] = np.cumsum(np.diff(key, prepend=key[:1]) != 0)
        step = min(depth, order - depth)
        at, key = _sort(rank * (rank[at[-1]] + 1) + _ahead(rank, step), place_bits)
        depth += step
    return at[at < length]


def _ahead(values: NDArray[np.integer], step: int) -> NDArray[np.int64]:
    moved = np.zeros(len(values), np.int64)
    moved[: len(values) - step] = values[step:]
    return moved


def _sort(key: NDArray[np.int64], place_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the positions in the order of their keys, and the keys in that order."""
    if int(key.max()).bit_length() + place_bits <= 63:
        # NumPy sorts plain numbers many times faster than it finds the order of numbers: pack the place into them.
        packed = np.sort((key << place_bits) | np.arange(len(key)))
        return packed & ((1 << place_bits) - 1), packed >> place_bits
    at = np.argsort(key, kind="stable")
    return at, key[at]
