"""Suffix array of a sequence, for n-gram counting (Manber & Myers 1993)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram.levels import Ids


def sort_suffixes(ids: Ids, depth: int) -> NDArray[np.int64]:
    """Return the positions of all suffixes in ascending order.

    Their first `depth` symbols are compared; a prefix comes before its extensions, and equal
    suffixes may have any order.

    Prefix doubling (Larsson & Sadakane 2007): suffixes are sorted by as many symbols as fit into a
    number with their position. Then those that are still equal to others are sorted by twice as
    many symbols, and so on.

    >>> sort_suffixes(np.array([1, 0, 1, 0]), depth=4).tolist()
    [3, 1, 2, 0]
    """
    count = len(ids)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    groups, order, width = _first_sort(ids, depth)
    # The rank of a suffix is the place at which those that equal it so far begin; 0 is the empty
    # suffix.
    rank, places = np.zeros(count + 1, dtype=np.int64), np.arange(count)
    while width < depth:
        new = np.concatenate([[True], groups[1:] != groups[:-1]])
        rank[order[places]] = (
            1 + places[np.maximum.accumulate(np.where(new, np.arange(len(places)), 0))]
        )
        alone = new & np.concatenate([new[1:], [True]])
        places = places[~alone]
        if not len(places):
            break
        open_suffixes = order[places]
        groups = rank[open_suffixes] * (count + 1) + rank[np.minimum(open_suffixes + width, count)]
        resorted = np.argsort(groups, kind="stable")
        order[places] = open_suffixes[resorted]
        groups = groups[resorted]
        width *= 2
    return order


def _first_sort(ids: Ids, depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Sort by the first few symbols; return sorted keys, positions, and symbols per key."""
    bits, place_bits = (int(ids.max()) + 1).bit_length(), len(ids).bit_length()
    width = min(max((63 - place_bits) // bits, 1), depth)
    padded = np.concatenate([ids.astype(np.int64) + 1, np.zeros(width, dtype=np.int64)])
    keys = np.zeros(len(ids), dtype=np.int64)
    for offset in range(width):
        keys = keys << bits | padded[offset : offset + len(ids)]
    # NumPy sorts plain numbers many times faster than it finds the order of numbers: so the
    # position is packed in.
    packed = np.sort(keys << place_bits | np.arange(len(ids)))
    return packed >> place_bits, packed & ((1 << place_bits) - 1), width
