"""Binary n-gram features: sorted keys of all n-grams, and sparse matrices (scipy.sparse)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Ids = NDArray[np.integer]
Array = NDArray[np.float64]


def unit_scale(present: Any) -> Array:
    """Return the value of each entry of a binary matrix whose rows are scaled to unit length."""
    counts = np.diff(present.indptr)
    return np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)


class Folded:
    """A binary matrix whose n-grams of one example are merged into one feature of that example.

    Most n-grams occur in one example. Under an L2 penalty their weights are proportional to their
    values, here ratios r, so one feature of value |r| has the same optimum.
    """

    def __init__(self, present: Any) -> None:
        from scipy.sparse import eye_array, hstack

        self.single = np.bincount(present.indices, minlength=present.shape[1]) == 1
        there = self.single[present.indices]
        rows = np.repeat(np.arange(present.shape[0], dtype=np.int32), np.diff(present.indptr))
        self.row, self.column = rows[there], present.indices[there]
        merged = eye_array(present.shape[0], dtype=np.int8, format="csr")
        self.matrix = hstack([present[:, ~self.single], merged], format="csr")
        scale = 1 / np.sqrt(np.maximum(np.diff(present.indptr), 1))
        self.scale = np.repeat(scale, np.diff(self.matrix.indptr))

    def fit(self, ratio: Array, solve: Callable[[Any], tuple[Array, float]]) -> tuple[Array, float]:
        """Fit weights and an intercept to n-grams with these ratios; weights include the ratio."""
        from scipy.sparse import csr_array

        length = np.sqrt(np.bincount(self.row, ratio[self.column] ** 2, self.matrix.shape[0]))
        values = np.concatenate([ratio[~self.single], length])
        places = self.matrix.indices, self.matrix.indptr
        weight, intercept = solve(
            csr_array((values[places[0]] * self.scale, *places), shape=self.matrix.shape)
        )
        shared, merged = np.split(weight, [len(weight) - len(length)])
        found = np.empty(len(ratio))
        found[~self.single] = values[: len(shared)] * shared
        # Where the length is 0, so are the ratios.
        direction = merged / np.maximum(length, np.finfo(float).tiny)
        found[self.column] = ratio[self.column] ** 2 * direction[self.row]
        return found, intercept


class Grams:
    """The n-grams of 1 to `longest` symbols, in order of length.

    The id `size` stands before and after each example. An n-gram is identified by the place of its
    first n - 1 symbols among those of their length, and its last symbol: `keys[n - 1]` holds place
    * (size + 1) + symbol, sorted.

    >>> grams = Grams.fit(np.array([0, 1, 0]), np.array([0, 2, 3]), size=2, longest=2)
    >>> ([len(keys) for keys in grams.keys], grams.count,
    ...  grams.encode(np.array([1]), np.array([0, 1])).indices.tolist())
    ([3, 4], 7, [1, 2, 5])
    """

    def __init__(self, size: int, keys: Sequence[Keys]) -> None:
        self.size, self.keys = size, list(keys)
        self.firsts = np.cumsum([0, *map(len, keys)])
        """First feature of each length, from 1, and the number of all."""

    def up_to(self, longest: int) -> NDArray[np.bool_]:
        """Mark the n-grams of at most `longest` symbols."""
        return np.arange(self.count) < self.firsts[longest]

    @property
    def count(self) -> int:
        """Number of n-grams."""
        return int(self.firsts[-1])

    @classmethod
    def fit(cls, ids: Ids, offsets: Ids, size: int, longest: int, least: int = 1) -> Grams:
        """Collect the n-grams of records that occur at least `least` times."""
        text, rows = _join_records(ids, offsets, size)
        keys: list[Keys] = []
        place = np.zeros(len(text), np.int64)
        for n in range(1, longest + 1):
            at, key = _find_keys(text, rows, place, n, size)
            found, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
            kept = counts >= least
            keys.append(found[kept])
            place = np.full(len(text), -1, np.int64)
            place[at] = np.where(kept, np.cumsum(kept) - 1, -1)[inverse]
        return cls(size, keys)

    def encode(self, ids: Ids, offsets: Ids) -> Any:
        """Return the binary, sparse matrix (records, n-grams) of the n-grams of each record."""
        from scipy.sparse import csr_array

        text, rows = _join_records(ids, offsets, self.size)
        # liblinear reads indices of 32 bits alone.
        pairs = [
            (rows[at].astype(np.int32), feature.astype(np.int32))
            for at, feature in self._found(text, rows)
        ]
        places = tuple(np.concatenate(one) for one in zip(*pairs, strict=True))
        ones = np.ones(len(places[0]), np.int8)
        found = csr_array((ones, places), shape=(len(offsets) - 1, self.count))
        found.sum_duplicates()
        found.data[:] = 1
        return found

    def _found(self, text: Ids, rows: Ids) -> Iterator[tuple[Ids, Ids]]:
        place = np.zeros(len(text), np.int64)
        for n, keys in enumerate(self.keys, 1):
            place = _look_up(keys, *_find_keys(text, rows, place, n, self.size), len(text))
            at = np.flatnonzero(place >= 0)
            yield at, place[at] + self.firsts[n - 1]


def _join_records(ids: Ids, offsets: Ids, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join all records, each between two ids `size`; also return the record of each symbol."""
    lengths = np.diff(offsets) + 2
    ends = np.cumsum(lengths)
    text = np.full(int(lengths.sum()), size, np.int64)
    real = np.ones(len(text), bool)
    real[ends - lengths] = real[ends - 1] = False
    text[real] = ids[offsets[0] : offsets[-1]]
    return text, np.repeat(np.arange(len(lengths)), lengths)


def _find_keys(text: Ids, rows: Ids, place: Ids, n: int, size: int) -> tuple[Ids, Keys]:
    """Find n symbols of one record whose first n - 1 are known; return places and keys."""
    begins = np.arange(len(text) - n + 1)
    at = begins[(rows[begins] == rows[begins + n - 1]) & (place[begins] >= 0)]
    return at, place[at] * (size + 1) + text[at + n - 1]


def _look_up(keys: Keys, at: Ids, key: Keys, length: int) -> NDArray[np.int64]:
    """Look up the place of each key, at the position where it begins; -1 elsewhere."""
    place = np.full(length, -1, np.int64)
    if len(keys) and len(key):
        # In order, the searches stay in the cache: five times as fast with millions of keys.
        order = np.argsort(key)
        at, key = at[order], key[order]
        found = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        place[at] = np.where(keys[found] == key, found, -1)
    return place
