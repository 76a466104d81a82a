"""Metrics of tagging: accuracy of all, known and unknown words, per tag, and by spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tag_schemes import Scheme
from ensue.evaluation.scores import MetricFunction
from ensue.evaluation.spans import SpanCounts, SpanRules, correct_spans, rates, share

Ids = NDArray[np.integer]
CONFUSIONS = 20


@dataclass(frozen=True)
class TaggedTruth:
    """Actual tags of concatenated sentences, and the metrics of predictions against them."""

    true: Ids
    known: NDArray[np.bool_]
    """Whether a word, with its case, is in the training part."""
    offsets: NDArray[np.int64]
    """Begin of each sentence, and end of the last."""
    tags: Sequence[str]
    """By id."""
    train_tag_count: int
    """The first tags, which were in training."""
    scheme: Scheme | None
    """Tagging scheme, if the tags encode spans."""

    @property
    def sentences(self) -> int:
        """Number of sentences."""
        return len(self.offsets) - 1

    def losses(self, predicted: Ids) -> NDArray[np.float64]:
        """Return the 0-1 loss of each word, (words,)."""
        return (predicted != self.true).astype(np.float64)

    def compute_metrics(self, predicted: Ids) -> MetricFunction:
        """Return a function that computes metrics over given sentences.

        Accuracies of known or unknown words are left out if there are none.
        """
        correct = predicted == self.true
        counts = {
            "tag_accuracy": (correct, np.ones_like(correct)),
            "tag_accuracy_known": (correct & self.known, self.known),
            "tag_accuracy_unknown": (correct & ~self.known, ~self.known),
        }
        sums = {
            name: tuple(map(self._by_sentence, pair))
            for name, pair in counts.items()
            if pair[1].any()
        }
        spans = self.spans(predicted)

        def over(rows: NDArray[np.int64]) -> dict[str, float]:
            found = {
                name: share(float(hits[rows].sum()), float(all_[rows].sum()))
                for name, (hits, all_) in sums.items()
            }
            of_spans = spans.compute_metrics(rows) if spans else {}
            # The metric that models are compared by comes first.
            return of_spans | found if spans and spans.actual.any() else found | of_spans

        return over

    def get_comparison_spans(self, predicted: Ids) -> SpanCounts | None:
        """Return the span counts that models are compared by, or None if there are no spans."""
        spans = self.spans(predicted)
        return spans if spans is not None and spans.actual.any() else None

    def spans(self, predicted: Ids) -> SpanCounts | None:
        """Count the spans of each sentence; None if the tags encode no spans."""
        if self.scheme is None:
            return None
        return SpanCounts.of(
            self._true_spans, self._rules.find(predicted, self.offsets), self.offsets
        )

    @cached_property
    def _rules(self) -> SpanRules:
        return SpanRules(self.tags)

    @cached_property
    def _true_spans(self) -> Any:
        return self._rules.find(self.true, self.offsets)

    def _by_sentence(self, hits: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.diff(np.concatenate([[0], np.cumsum(hits)])[self.offsets])

    def details(self, predicted: Ids) -> dict[str, Any]:
        """Return metrics per tag and span type, most frequent confusions, and unseen tags."""
        unseen = self.true >= self.train_tag_count
        found: dict[str, Any] = {
            "sentences": self.sentences,
            "words": len(self.true),
            "unknown_words": int((~self.known).sum()),
            "per_tag": self.per_tag(predicted),
            "confusions": self.confusions(predicted),
        }
        if unseen.any():
            names = sorted({self.tags[one] for one in self.true[unseen].tolist()})
            rest = float((predicted == self.true)[~unseen].mean()) if (~unseen).any() else 0.0
            found["unseen_tags"] = {
                "words": int(unseen.sum()),
                "tags": names,
                "tag_accuracy_of_seen_tags": rest,
            }
        if self.scheme is not None:
            found["spans"] = {"scheme": self.scheme, "per_type": self.per_type(predicted)}
        return found

    def per_tag(self, predicted: Ids) -> list[dict[str, Any]]:
        """Return precision, recall and F1 of each tag, most frequent first."""
        size = len(self.tags)
        ids = (self.true, predicted, self.true[predicted == self.true])
        counts = np.stack([np.bincount(own, minlength=size) for own in ids], 1)
        order = np.argsort(-counts[:, 0], kind="stable")
        return [_row(self.tags[one], *counts[one].tolist()) for one in order if counts[one].any()]

    def per_type(self, predicted: Ids) -> list[dict[str, Any]]:
        """Return precision, recall and F1 of each type of span."""
        actual, found = self._true_spans, self._rules.find(predicted, self.offsets)
        spans = (actual, found, correct_spans(actual, found))
        counts = np.stack(
            [np.bincount(own[:, 2], minlength=len(self._rules.kinds)) for own in spans], 1
        )
        return [
            _row(kind or "span", *own)
            for kind, own in zip(self._rules.kinds, counts.tolist(), strict=True)
            if any(own)
        ]

    def confusions(self, predicted: Ids) -> list[dict[str, Any]]:
        """Return the most frequent confusions."""
        wrong = predicted != self.true
        pairs = Counter(zip(self.true[wrong].tolist(), predicted[wrong].tolist(), strict=True))
        return [
            {"actual": self.tags[actual], "predicted": self.tags[guess], "count": count}
            for (actual, guess), count in pairs.most_common(CONFUSIONS)
        ]


def _row(name: str, actual: int, predicted: int, correct: int) -> dict[str, Any]:
    return {"name": name, "count": actual, **rates(actual, predicted, correct)}
