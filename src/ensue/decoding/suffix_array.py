"""Any stretch of a sequence, found among all its suffixes in order by binary search (Manber & Myers 1993)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]

_FIRST_BLOCK, _LARGEST_BLOCK = 16, 1024


def find(text: Ids, suffixes: Ids, query: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each position of the query the longest stretch from there on that is in the text.

    Gives the lengths of these stretches and where in the text each of them begins.
    """
    starts = np.arange(len(query))
    low, high = np.zeros_like(starts), np.full_like(starts, len(suffixes))
    best, where = np.zeros_like(starts), np.zeros_like(starts)
    while (active := np.flatnonzero(low < high)).size:
        middle = (low[active] + high[active]) // 2
        at = np.asarray(suffixes[middle], dtype=np.int64)
        common = _common(text, at, query, starts[active])
        longer = active[common > best[active]]
        where[longer] = at[common > best[active]]
        best[active] = np.maximum(best[active], common)
        above = _symbol(text, at + common) < _symbol(query, starts[active] + common)
        low[active] = np.where(above, middle + 1, low[active])
        high[active] = np.where(above, high[active], middle)
    return best, where


def _common(text: Ids, at: NDArray[np.int64], query: Ids, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the symbols that text and query have in common from each pair of positions on."""
    common = np.zeros_like(at)
    active, block = np.arange(len(at)), _FIRST_BLOCK
    while active.size:
        reach = common[active][:, None] + np.arange(block)
        ours, theirs = _symbol(text, at[active][:, None] + reach), _symbol(query, start[active][:, None] + reach)
        different = (ours != theirs) | (theirs < 0)
        run = np.where(different.any(axis=1), different.argmax(axis=1), block)
        common[active] += run
        active, block = active[run == block], min(2 * block, _LARGEST_BLOCK)
    return common


def _symbol(ids: Ids, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the symbols at these positions; -1 past the end."""
    inside = at < len(ids)
    return np.where(inside, np.asarray(ids[np.where(inside, at, 0)], dtype=np.int64), -1)
