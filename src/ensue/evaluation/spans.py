"""Spans in tag sequences, and their precision, recall and F1, as in conlleval.

A span is a run of words with one type. The script reads IOB1, IOB2 and, in its later versions,
BIOES with the same rules; tags that break the scheme still make spans. A predicted span is correct
if both ends and the type are. Source: Tjong Kim Sang & Buchholz 2000, "Introduction to CoNLL-2000".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tag_schemes import OUTSIDE, split_tag


class SpanRules:
    """Finder of spans in tag ids, as rows of first word, one past the last, and type, (spans, 3).

    >>> rules = SpanRules(["O", "B-PER", "I-PER"])
    >>> rules.find(np.array([1, 2, 0, 2, 1]), np.array([0, 4, 5])).tolist()
    [[0, 2, 1], [3, 4, 1], [4, 5, 1]]
    """

    def __init__(self, tags: Sequence[str]) -> None:
        cut = [split_tag(tag) for tag in tags]
        self.kinds = sorted({kind for _, kind in cut})
        # One more id, last: outside, for what is before the first and after the last word.
        self._letters = np.array([*(letter for letter, _ in cut), OUTSIDE])
        self._kinds = np.array([*(self.kinds.index(kind) for _, kind in cut), -1])

    def find(self, ids: NDArray[np.integer], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the spans of concatenated sentences, which begin at `offsets`."""
        outside = len(self._letters) - 1
        ids = np.where(self._letters[ids] == OUTSIDE, outside, ids)
        before, after = np.concatenate([[outside], ids]), np.concatenate([ids, [outside]])
        before[offsets] = after[offsets] = outside  # no span crosses a sentence boundary
        begin = np.flatnonzero(self._begins(before[:-1], ids))
        end = np.flatnonzero(self._ends(ids, after[1:])) + 1
        return np.stack([begin, end, self._kinds[ids[begin]]], 1)

    def _begins(self, before: NDArray[np.integer], now: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return where a span begins, the script's `startOfChunk`."""
        last, this = self._letters[before], self._letters[now]
        fresh = np.isin(this, ["B", "S"]) | (
            np.isin(last, ["E", "S", OUTSIDE]) & np.isin(this, ["E", "I"])
        )
        return fresh | ((this != OUTSIDE) & (self._kinds[before] != self._kinds[now]))

    def _ends(self, now: NDArray[np.integer], after: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return after which words a span ends, the script's `endOfChunk`."""
        this, next_ = self._letters[now], self._letters[after]
        over = np.isin(this, ["E", "S"]) | (
            np.isin(this, ["B", "I"]) & np.isin(next_, ["B", "S", OUTSIDE])
        )
        return over | ((this != OUTSIDE) & (self._kinds[now] != self._kinds[after]))


@dataclass(frozen=True)
class SpanCounts:
    """Actual, predicted and correct spans of each sentence, (sentences,)."""

    actual: NDArray[np.int64]
    predicted: NDArray[np.int64]
    correct: NDArray[np.int64]

    @classmethod
    def of(
        cls, actual: NDArray[np.int64], predicted: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> SpanCounts:
        """Count actual, predicted and correct spans of sentences that begin at `offsets`."""
        spans = (actual, predicted, correct_spans(actual, predicted))
        return cls(*(np.diff(np.searchsorted(own[:, 0], offsets)) for own in spans))

    def f1(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return F1 of each sample of sentences, (samples, sentences); 0 if there are no spans."""
        actual, predicted, correct = (
            counts[rows].sum(1) for counts in (self.actual, self.predicted, self.correct)
        )
        return 2 * correct / np.maximum(actual + predicted, 1)

    def compute_metrics(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return precision, recall and F1 over some sentences.

        Undefined metrics are NaN; recall and F1 are undefined without actual spans.
        """
        actual, predicted, correct = (
            int(counts[rows].sum()) for counts in (self.actual, self.predicted, self.correct)
        )
        metrics = rates(actual, predicted, correct) | ({} if actual else {"f1": nan})
        return {f"span_{name}": value for name, value in metrics.items()}


def rates(actual: int, predicted: int, correct: int) -> dict[str, float]:
    """Return precision, recall and F1 from counts; NaN if the denominator is 0.

    >>> rates(4, 2, 1), rates(4, 0, 0)
    ({'precision': 0.5, 'recall': 0.25, 'f1': 0.3333333333333333}, {'precision': nan, 'recall': 0.0,
    'f1': 0.0})
    """
    return {
        "precision": share(correct, predicted),
        "recall": share(correct, actual),
        "f1": share(2 * correct, actual + predicted),
    }


def share(part: float, total: float) -> float:
    """Return part / total, or NaN if the total is 0."""
    return part / total if total else nan


def correct_spans(actual: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the predicted spans that are among the actual ones."""
    known = set(map(tuple, actual.tolist()))
    return predicted[np.array([tuple(span) in known for span in predicted.tolist()], bool)]
