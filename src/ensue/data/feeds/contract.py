"""What a feed is, and how its rows are gathered. Read this page before adding one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ensue.batch import Batch
from ensue.data.contract import Corpus

Arrays: TypeAlias = "NDArray[Any]"


class Feed(ABC):
    """A corpus as batches, epoch after epoch. Nothing is drawn but from the seed and the number of
    the epoch.

    Batches have the fields "input" and "target" (batch, time), 64-bit ids, 0 past `lengths`; every
    length is at least 1. Rows may be fewer in some batches: never in one with a row that is not
    fresh.
    """

    unit = "symbols"

    @abstractmethod
    def __len__(self) -> int:
        """Count the batches of an epoch."""

    @abstractmethod
    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Give one batch of an epoch, from 0."""

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[Arrays]]:
        """Give the batches of one epoch from the given one on, without making those before it."""
        for place in range(first, len(self)):
            yield self.batch(number, place)


def gather(
    corpus: Corpus, start: int, begins: Arrays, lengths: Arrays, first: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Give input, target and the place of each target in the corpus (-1 past the end), each (batch,
    time).

    Row r covers the targets from `begins[r]` on, `lengths[r]` of them; where `first[r]`, a record
    begins there, and `start` stands before it.
    """
    ids = np.asarray(corpus.ids)
    steps = np.arange(lengths.max())
    real = steps < lengths[:, None]
    at = np.where(real, begins[:, None] + steps, 0)
    target = np.where(real, ids[at], 0).astype(np.int64)
    before = ids[np.maximum(begins - 1, 0)].astype(np.int64)
    before = np.where(first, start, before)[:, None]
    input = np.where(real, np.concatenate([before, target[:, :-1]], axis=1), 0)
    return input, target, np.where(real, at, -1)


def whole_weight(rows: int) -> Arrays:
    """Weigh every row alike."""
    return np.ones(rows, np.float32)


def generator(seed: int, epoch: int) -> np.random.Generator:
    """Give the private generator of one epoch."""
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))


POOL = 50
"""Batches that are sorted by length together: more would save a little padding, and mix the rows
less."""


class Pooled:
    """An order of rows for each epoch, in which those of a batch are of like length; one epoch's
    is kept."""

    def __init__(self, lengths: Arrays, rows: int, seed: int) -> None:
        self.lengths, self.rows, self.seed = lengths, rows, seed
        self._order: tuple[int, Arrays, Arrays] | None = None

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.rows)

    def batch(self, epoch: int, place: int) -> Arrays:
        """Give the rows of the batch at this place."""
        if self._order is None or self._order[0] != epoch:
            draws = generator(self.seed, epoch)
            order = draws.permutation(len(self.lengths))
            order = order[
                np.lexsort((self.lengths[order], np.arange(len(order)) // (POOL * self.rows)))
            ]
            self._order = epoch, order, draws.permutation(len(self))
        _, order, batches = self._order
        return order[batches[place] * self.rows : (batches[place] + 1) * self.rows]
