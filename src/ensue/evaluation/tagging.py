"""Predict tags, and measure them: accuracy of all, known and unknown words, per tag, by spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.data.codecs.tag_schemes import OUTSIDE, Scheme, guess_scheme, may_follow, split_tag
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.data.tagged import TaggedParts, compute_sentence_offsets
from ensue.evaluation.scores import Measured, MetricFunction, with_intervals
from ensue.evaluation.spans import SpanCounts, SpanRules, correct_spans, rates, share
from ensue.heads.paths import Chain, PooledTags
from ensue.models.contract import Predictor
from ensue.models.parameters import get_device, to_device
from ensue.models.pool import Pool

Ids = NDArray[np.integer]
CONFUSIONS = 20
BATCH_SIZE = 64
"""Sentences, or pieces of long ones, that are tagged together."""
CHANGES, INVALID_CHANGE = "changes", -1e4
"""Array of a mixture: scores of two successive tags; what is no span costs more than any marginal.
"""


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

    def measure(self, predicted: Ids) -> Measured:
        """Compute the metrics of predicted tags, with intervals."""
        metrics, intervals = with_intervals(self.compute_metrics(predicted), self.sentences)
        spans, losses = self.get_comparison_spans(predicted), self.losses(predicted)
        unit = "errors per word" if spans is None else "span F1"
        return Measured(metrics, intervals, losses, unit, spans, count=len(self.true))

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


@torch.no_grad()
def predict_tags(
    model: Predictor | Pool, examples: Examples, probabilities: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """Predict the most likely tag sequences, (words,).

    `probabilities` (words,), if given, is filled with the marginal probability of each tag, which
    takes twice as long with many tags.
    """
    ids = np.zeros(examples.offsets[-1], np.int64)
    for places, distribution in distribute_tags(model, examples):
        best, real = distribution.mode, distribution.real.cpu().numpy()
        ids[places] = best.cpu().numpy()[real]
        if probabilities is not None:
            marginals = distribution.marginals.gather(2, best[..., None])[..., 0]
            probabilities[places] = marginals.cpu().numpy()[real]
    return ids


@torch.no_grad()
def distribute_tags(
    model: Predictor | Pool, examples: Examples
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Yield the distribution of the tags of each batch, with the places of its words."""
    for rows, batch in iterate_sorted(examples, BATCH_SIZE):
        places = examples.places(rows)[0]
        if not isinstance(model, Pool):
            yield places, model(to_device(batch, get_device(model)))
            continue
        members = [one(to_device(batch, get_device(one))) for one in model.members]
        parts = torch.stack([one.marginals.cpu().double() for one in members], -1)
        mixed, chain = parts @ torch.from_numpy(model.weights[:, 0]), None
        if CHANGES in model.extra:
            scores = torch.from_numpy(model.extra[CHANGES])
            chain = Chain(scores[-1, :-1], scores[:-1, :-1], scores[:-1, -1])
        yield places, PooledTags(mixed, torch.as_tensor(batch.lengths), chain)


def score_changes(data: TaggedParts) -> dict[str, NDArray[np.float64]]:
    """Score which tags may follow each other, if those of training encode spans.

    The last id is the end and the beginning of a sentence.
    """
    scheme = make_truth(data["train"], data.tags, data.known_tags).scheme
    if scheme is None:
        return {}
    tags = [*data.tags[: data.known_tags], OUTSIDE]
    allowed = [[may_follow(before, tag, scheme) for tag in tags] for before in tags]
    return {CHANGES: np.where(allowed, 0.0, INVALID_CHANGE)}


def make_truth(examples: Examples, tags: Sequence[str], known_tags: int) -> TaggedTruth:
    """Collect the true tags of examples for scoring; training has the first `known_tags` tags."""
    true = np.asarray(examples.steps["target"]).astype(np.int64)
    offsets = compute_sentence_offsets(examples)
    known = np.asarray(examples.steps["surface"]) > 0
    names = np.array(tags, dtype=object)[true].tolist()
    scheme = guess_scheme(names[begin:end] for begin, end in pairwise(offsets.tolist()))
    # Examples without any span have no scheme; then the tags of training decide.
    scheme = scheme or guess_scheme(
        [sorted(tags[:known_tags], key=lambda tag: split_tag(tag)[::-1])]
    )
    return TaggedTruth(true, known, offsets, tags, known_tags, scheme)
