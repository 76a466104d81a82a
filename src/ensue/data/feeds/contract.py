"""Contract of feeds, and how they slice batches from a corpus. Read this page before adding one."""

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
    """Batches of a corpus, epoch after epoch; randomness comes only from the seed and the epoch.

    Batches have the fields "input" and "target" (batch, time), 64-bit ids, 0 past `lengths`; every
    length is at least 1. A batch may have fewer rows, but not if a row continues the batch before.
    """

    unit = "symbols"
    """What has a target each; the speed of training is given in these."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    @abstractmethod
    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return one batch of an epoch, from 0."""

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[Arrays]]:
        """Yield the batches of one epoch from `first` on, without building those before."""
        for place in range(first, len(self)):
            yield self.batch(number, place)


def gather(
    corpus: Corpus, start: int, begins: Arrays, lengths: Arrays, first: Arrays
) -> tuple[Arrays, Arrays, Arrays]:
    """Return input, target and each target's position in the corpus, each (batch, time).

    The position is -1 past the end. Row r covers `lengths[r]` targets from `begins[r]` on. If
    `first[r]`, a record begins there, and its first input is `start`.
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


def make_generator(seed: int, epoch: int) -> np.random.Generator:
    """Return the random generator of one epoch."""
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))


def cut_pieces(offsets: Arrays, steps: int) -> tuple[Arrays, Arrays, Arrays]:
    """Cut sequences into pieces of at most `steps` steps.

    Returns the number of each piece in its sequence, and where it begins and ends.
    """
    lengths = np.diff(offsets)
    cuts = -(-lengths // steps)
    number = np.arange(cuts.sum()) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    begins = np.repeat(offsets[:-1], cuts) + number * steps
    return number, begins, np.minimum(begins + steps, np.repeat(offsets[1:], cuts))


POOL = 50
"""Batches that are sorted by length together: more would save little padding, and mix rows less."""


class LengthBuckets:
    """Batches of rows of similar length, in a random order for each epoch; one order is cached."""

    def __init__(self, lengths: Arrays, rows: int, seed: int) -> None:
        self.lengths, self.rows, self.seed = lengths, rows, seed
        self._order: tuple[int, Arrays, Arrays] | None = None

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.rows)

    def batch(self, epoch: int, place: int) -> Arrays:
        """Return the rows of one batch."""
        if self._order is None or self._order[0] != epoch:
            draws = make_generator(self.seed, epoch)
            order = draws.permutation(len(self.lengths))
            order = order[
                np.lexsort((self.lengths[order], np.arange(len(order)) // (POOL * self.rows)))
            ]
            self._order = epoch, order, draws.permutation(len(self))
        _, order, batches = self._order
        return order[batches[place] * self.rows : (batches[place] + 1) * self.rows]
