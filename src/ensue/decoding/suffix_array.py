"""All suffixes of a sequence in order, so that any stretch of it is found by binary search (Manber & Myers 1993)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]

_FIRST_BLOCK, _LARGEST_BLOCK = 16, 1024


def build(ids: Ids) -> NDArray[np.int64]:
    """Give the positions of all suffixes in ascending order; one that ends is before those that go on.

    Prefix doubling (Larsson & Sadakane 2007): suffixes are sorted by as many symbols as fit into 63 bits, then
    only those that are still equal to others, by twice as many each time.

    >>> build(np.array([1, 0, 1, 0])).tolist()
    [3, 1, 2, 0]
    """
    count = len(ids)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    keys, width = _pack(ids)
    order = np.argsort(keys, kind="stable")
    # The rank of a suffix is the place at which those that equal it so far begin; 0 is the empty suffix.
    rank = np.zeros(count + 1, dtype=np.int64)
    places, groups = np.arange(count), keys[order]
    del keys
    while True:
        new = np.concatenate([[True], groups[1:] != groups[:-1]])
        rank[order[places]] = 1 + places[np.maximum.accumulate(np.where(new, np.arange(len(places)), 0))]
        alone = new & np.concatenate([new[1:], [True]])
        places = places[~alone]
        if not len(places):
            return order
        open_suffixes = order[places]
        groups = rank[open_suffixes] * (count + 1) + rank[np.minimum(open_suffixes + width, count)]
        resorted = np.argsort(groups, kind="stable")
        order[places] = open_suffixes[resorted]
        groups = groups[resorted]
        width *= 2


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


def _pack(ids: Ids) -> tuple[NDArray[np.int64], int]:
    """Pack as many symbols as fit, from each position on, into one number of the same order."""
    bits = (int(ids.max()) + 1).bit_length()
    width = max(63 // bits, 1)
    padded = np.concatenate([ids.astype(np.int64) + 1, np.zeros(width, dtype=np.int64)])
    keys = np.zeros(len(ids), dtype=np.int64)
    for offset in range(width):
        keys = keys << bits | padded[offset : offset + len(ids)]
    return keys, width


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
