"""Feed of one long text as overlapping windows in random order.

The classical exercise has windows of length 40 and a stride of 3.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ensue.batch import Batch
from ensue.data.contract import Corpus
from ensue.data.feeds.contract import Arrays, Feed, gather, make_generator

ROUNDS = 6


class Windows(Feed):
    """A window begins at every `stride`-th symbol, and a last one ends with the text.

    So no target is left out if `stride` <= `length`. Windows are independent: every row is fresh.
    The loss is on all steps, or on the last one alone (field "counted").
    """

    def __init__(
        self,
        corpus: Corpus,
        start: int,
        rows: int,
        length: int,
        stride: int,
        seed: int,
        loss_on: Literal["all", "last"],
    ) -> None:
        self.corpus, self.start, self.seed = corpus, start, seed
        self.rows, self.stride = rows, stride
        self.only_last = loss_on == "last"
        self.length = min(length, len(corpus))
        self.last = len(corpus) - self.length
        self.count = -(-self.last // stride) + 1

    def __len__(self) -> int:
        return -(-self.count // self.rows)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return one batch of windows in the order of this epoch."""
        places = np.arange(place * self.rows, min((place + 1) * self.rows, self.count))
        begins = np.minimum(
            permute(places, self.count, make_generator(self.seed, epoch)) * self.stride, self.last
        )
        lengths = np.full(len(begins), self.length)
        input, target, _ = gather(self.corpus, self.start, begins, lengths, begins == 0)
        fields = {"input": input, "target": target}
        if self.only_last:
            fields["counted"] = np.broadcast_to(
                np.arange(self.length) == self.length - 1, input.shape
            )
        return Batch(fields, lengths, np.ones(len(begins), bool))


def permute(places: Arrays, count: int, draws: np.random.Generator) -> Arrays:
    """Return the images of these places under a random permutation of `count`, in constant memory.

    A Feistel network permutes the next power of four; results outside are permuted again until they
    fall inside (Black & Rogaway 2002, "Ciphers with arbitrary finite domains"). A gigabyte of text
    has 300 million windows.
    """
    half = np.uint64(max(1, -(-(count - 1).bit_length() // 2)))
    keys = draws.integers(0, 2**64, ROUNDS, np.uint64)
    found = _apply_feistel(places.astype(np.uint64), half, keys)
    while (outside := found >= count).any():
        found[outside] = _apply_feistel(found[outside], half, keys)
    return found.astype(np.int64)


def _apply_feistel(places: Arrays, half: np.uint64, keys: Arrays) -> Arrays:
    low = (np.uint64(1) << half) - np.uint64(1)
    left, right = places >> half, places & low
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & low)
    return left << half | right


def _mix(values: Arrays) -> Arrays:
    """Mix bits as the finaliser of SplitMix64 does (Steele, Lea & Flood 2014)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
