"""How well words are tagged: in all, known and unknown ones, tag by tag, and by whole spans."""

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
    """What is true of the words of some sentences, one after the other."""

    true: Ids
    known: NDArray[np.bool_]
    """Whether a word, exactly so, stands in the training part."""
    offsets: NDArray[np.int64]
    """Where each sentence begins, and the end of the last."""
    tags: Sequence[str]
    """By id."""
    taught: int
    """How many of them, the first, were in training."""
    scheme: Scheme | None
    """How the tags write spans, if they do."""

    @property
    def sentences(self) -> int:
        """How many sentences there are."""
        return len(self.offsets) - 1

    def losses(self, predicted: Ids) -> NDArray[np.float64]:
        """Give 1 for each wrong tag, (words,)."""
        return (predicted != self.true).astype(np.float64)

    def figures(self, predicted: Ids) -> MetricFunction:
        """Give the metrics of tags over some sentences; those of unknown words are left out
        where there are none."""
        right = predicted == self.true
        counts = {
            "tag_accuracy": (right, np.ones_like(right)),
            "tag_accuracy_known": (right & self.known, self.known),
            "tag_accuracy_unknown": (right & ~self.known, ~self.known),
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
            return found | (spans.figures(rows) if spans else {})

        return over

    def judged(self, predicted: Ids) -> SpanCounts | None:
        """Give the spans that models are compared by; None where tags write none, or no sentence
        has any."""
        spans = self.spans(predicted)
        return spans if spans is not None and spans.actual.any() else None

    def spans(self, predicted: Ids) -> SpanCounts | None:
        """Count the spans of each sentence, if tags write spans."""
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
        """Tell more: of each tag, of the commonest confusions, of types of spans, and of tags
        never in training."""
        unseen = self.true >= self.taught
        told: dict[str, Any] = {
            "sentences": self.sentences,
            "words": len(self.true),
            "unknown_words": int((~self.known).sum()),
            "per_tag": self.per_tag(predicted),
            "confusions": self.confusions(predicted),
        }
        if unseen.any():
            names = sorted({self.tags[one] for one in self.true[unseen].tolist()})
            rest = float((predicted == self.true)[~unseen].mean()) if (~unseen).any() else 0.0
            told["unseen_tags"] = {
                "words": int(unseen.sum()),
                "tags": names,
                "tag_accuracy_of_the_others": rest,
            }
        if self.scheme is not None:
            told["spans"] = {"scheme": self.scheme, "per_type": self.per_type(predicted)}
        return told

    def per_tag(self, predicted: Ids) -> list[dict[str, Any]]:
        """Give precision, recall and F1 of each tag, the commonest first."""
        size = len(self.tags)
        ids = (self.true, predicted, self.true[predicted == self.true])
        counts = np.stack([np.bincount(own, minlength=size) for own in ids], 1)
        order = np.argsort(-counts[:, 0], kind="stable")
        return [_row(self.tags[one], *counts[one].tolist()) for one in order if counts[one].any()]

    def per_type(self, predicted: Ids) -> list[dict[str, Any]]:
        """Give precision, recall and F1 of each type of span."""
        there, found = self._true_spans, self._rules.find(predicted, self.offsets)
        spans = (there, found, correct_spans(there, found))
        counts = np.stack(
            [np.bincount(own[:, 2], minlength=len(self._rules.kinds)) for own in spans], 1
        )
        return [
            _row(kind or "span", *own)
            for kind, own in zip(self._rules.kinds, counts.tolist(), strict=True)
            if any(own)
        ]

    def confusions(self, predicted: Ids) -> list[dict[str, Any]]:
        """Give the commonest confusions."""
        wrong = predicted != self.true
        pairs = Counter(zip(self.true[wrong].tolist(), predicted[wrong].tolist(), strict=True))
        return [
            {"actual": self.tags[true], "predicted": self.tags[told], "count": count}
            for (true, told), count in pairs.most_common(CONFUSIONS)
        ]


def _row(name: str, there: int, found: int, right: int) -> dict[str, Any]:
    return {"name": name, "count": there, **rates(there, found, right)}
