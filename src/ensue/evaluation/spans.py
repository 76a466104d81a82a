"""Spans in tags, found and counted as conlleval does (Tjong Kim Sang & Buchholz 2000, "Introduction
to CoNLL-2000").

A span is a stretch with one type: the script reads IOB1, IOB2 and, in its later versions, BIOES
alike, by where a stretch begins and ends; tags that break the scheme still make spans. One with
both ends and the type right is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tag_schemes import OUTSIDE, halves


class SpanRules:
    """Finds the spans in ids of a list of tags: rows of the place of the first word among all
    words, one past the last, and the number of the type, (spans, 3).

    >>> rules = SpanRules(["O", "B-PER", "I-PER"])
    >>> rules.find(np.array([1, 2, 0, 2, 1]), np.array([0, 4, 5])).tolist()
    [[0, 2, 1], [3, 4, 1], [4, 5, 1]]
    """

    def __init__(self, tags: Sequence[str]) -> None:
        cut = [halves(tag) for tag in tags]
        self.kinds = sorted({kind for _, kind in cut})
        # Outside stands last: it is what stands before the first word of a sentence.
        self._letters = np.array([*(letter for letter, _ in cut), OUTSIDE])
        self._kinds = np.array([*(self.kinds.index(kind) for _, kind in cut), -1])

    def find(self, ids: NDArray[np.integer], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the spans of sentences that lie one after the other, cut at `offsets`."""
        outside = len(self._letters) - 1
        ids = np.where(self._letters[ids] == OUTSIDE, outside, ids)
        before, after = np.concatenate([[outside], ids]), np.concatenate([ids, [outside]])
        before[offsets] = after[offsets] = outside  # what stands before a sentence, and after it
        begin, end = (
            np.flatnonzero(self._begins(before[:-1], ids)),
            np.flatnonzero(self._ends(ids, after[1:])) + 1,
        )
        return np.stack([begin, end, self._kinds[ids[begin]]], 1)

    def _begins(self, before: NDArray[np.integer], now: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Say where a span begins, the script's `startOfChunk`."""
        last, this = self._letters[before], self._letters[now]
        fresh = np.isin(this, ["B", "S"]) | (
            np.isin(last, ["E", "S", OUTSIDE]) & np.isin(this, ["E", "I"])
        )
        return fresh | ((this != OUTSIDE) & (self._kinds[before] != self._kinds[now]))

    def _ends(self, now: NDArray[np.integer], after: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Say after which words a span ends, the script's `endOfChunk`."""
        this, next_ = self._letters[now], self._letters[after]
        over = np.isin(this, ["E", "S"]) | (
            np.isin(this, ["B", "I"]) & np.isin(next_, ["B", "S", OUTSIDE])
        )
        return over | ((this != OUTSIDE) & (self._kinds[now] != self._kinds[after]))


@dataclass(frozen=True)
class SpanCounts:
    """How many spans there are, were found, and were found right, of each sentence:
    (sentences,)."""

    actual: NDArray[np.int64]
    predicted: NDArray[np.int64]
    correct: NDArray[np.int64]

    @classmethod
    def of(
        cls, there: NDArray[np.int64], found: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> SpanCounts:
        """Count the spans of two taggings of the same sentences."""
        spans = (there, found, correct_spans(there, found))
        return cls(*(np.diff(np.searchsorted(own[:, 0], offsets)) for own in spans))

    def f1(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give F1 over each of several draws of sentences, (draws, sentences); 0 where nothing
        can be divided."""
        there, found, right = (
            counts[rows].sum(1) for counts in (self.actual, self.predicted, self.correct)
        )
        return 2 * right / np.maximum(there + found, 1)

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Give precision, recall and F1 (their harmonic mean) over some sentences; NaN where they
        are not defined, as recall and F1 are where there is nothing to find."""
        there, found, right = (
            int(counts[rows].sum()) for counts in (self.actual, self.predicted, self.correct)
        )
        of = rates(there, found, right) | ({} if there else {"f1": nan})
        return {f"span_{name}": value for name, value in of.items()}


def rates(there: int, found: int, right: int) -> dict[str, float]:
    """Give precision, recall and F1 of what is there, was found, and was found right; NaN where
    nothing can be divided.

    >>> rates(4, 2, 1), rates(4, 0, 0)
    ({'precision': 0.5, 'recall': 0.25, 'f1': 0.3333333333333333}, {'precision': nan, 'recall': 0.0,
    'f1': 0.0})
    """
    return {
        "precision": share(right, found),
        "recall": share(right, there),
        "f1": share(2 * right, there + found),
    }


def share(some: float, every: float) -> float:
    """Give a share, NaN of nothing."""
    return some / every if every else nan


def correct_spans(there: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give those of the spans found that are there."""
    known = set(map(tuple, there.tolist()))
    return found[np.array([tuple(span) in known for span in found.tolist()], bool)]
