"""Binary n-gram features: sorted keys of all n-grams, and a sparse matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Keys = NDArray[np.int64]
Ids = NDArray[np.integer]


@dataclass(frozen=True)
class SparseBinary:
    """A sparse binary matrix (examples, features), with rows scaled to unit length.

    `rows`, in order, and `columns` are the places of the ones; every row has one. Products use
    NumPy, one column of weights at a time: torch's sparse products are up to 1.7 times faster on
    one thread, but warn that they may change.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    count: int
    """Number of features."""

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each row begins."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """The non-zero value of each row."""
        return 1 / np.sqrt(np.bincount(self.rows))

    def only(self, kept: NDArray[np.bool_]) -> SparseBinary:
        """Keep some of the features (features,)."""
        there = kept[self.columns]
        return SparseBinary(
            self.rows[there], np.cumsum(kept)[self.columns[there]] - 1, int(kept.sum())
        )

    def beside(self, other: SparseBinary) -> SparseBinary:
        """Append the features of another matrix over the same examples."""
        rows = np.concatenate([self.rows, other.rows])
        columns = np.concatenate([self.columns, other.columns + self.count])
        order = np.argsort(rows, kind="stable")
        return SparseBinary(rows[order], columns[order], self.count + other.count)

    def counts(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum weights (examples, size) over the examples with each feature, (features, size)."""
        found = np.empty((self.count, weight.shape[1]))
        for place, one in enumerate(weight.T):
            found[:, place] = np.bincount(self.columns, one[self.rows], self.count)
        return found

    def times(self, weight: Tensor) -> Tensor:
        """Multiply by weights (features, size)."""
        weights = weight.numpy().T
        sums = [np.add.reduceat(one[self.columns], self.starts) * self.scale for one in weights]
        return torch.from_numpy(np.stack(sums, 1))

    def transpose(self, slopes: Tensor) -> Tensor:
        """Multiply the transpose by (examples, size)."""
        return torch.from_numpy(self.counts(slopes.numpy() * self.scale[:, None]))


class Grams:
    """The n-grams of 1 to `longest` symbols, in order of length.

    The id `size` stands before and after each example. An n-gram is identified by the place of its
    first n - 1 symbols among those of their length, and its last symbol: `keys[n - 1]` holds place
    * (size + 1) + symbol, sorted.

    >>> grams = Grams.fit(np.array([0, 1, 0]), np.array([0, 2, 3]), size=2, longest=2)
    >>> ([len(keys) for keys in grams.keys], grams.count,
    ...  grams.encode(np.array([1]), np.array([0, 1])).columns.tolist())
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
            found, occurrences = np.unique(key, return_counts=True)
            keys.append(found[occurrences >= least])
            place = _look_up(keys[-1], at, key, len(text))
        return cls(size, keys)

    def encode(self, ids: Ids, offsets: Ids) -> SparseBinary:
        """Find the n-grams of each record."""
        text, rows = _join_records(ids, offsets, self.size)
        pairs = [rows[at] * self.count + feature for at, feature in self._found(text, rows)]
        return SparseBinary(*np.divmod(np.unique(np.concatenate(pairs)), self.count), self.count)

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
        found = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        place[at] = np.where(keys[found] == key, found, -1)
    return place
