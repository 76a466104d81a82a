"""What a model says of examples, as arrays, whatever kind of label it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.labels import LabelCodec, LabelKind

Numbers = NDArray[np.float64]

ROUNDED = 1e-12
"""What sums of probabilities may be off."""


@dataclass(frozen=True)
class Predictions:
    """One row an example, (examples, labels): log-probabilities of labels that exclude each other,
    log-odds of several that do not; of a number what is likeliest, and its spread below and above
    that."""

    kind: LabelKind
    scores: Numbers
    inner: NDArray[np.int64] | None = None
    """Where steps have labels of their own: of how many each example is right, and how many it
    has, (examples, 2)."""

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def probabilities(self) -> Numbers:
        """The probability of each label."""
        if self.kind == "multilabel":
            return 1 / (1 + np.exp(-np.clip(self.scores, -500, 500)))
        return np.exp(self.scores)

    @cached_property
    def best(self) -> NDArray[Any]:
        """What is answered: the place of the likeliest label, on a scale that of the median, of
        several a row of booleans, of a number its mean, or median."""
        if self.kind == "regression":
            return self.scores[:, 0]
        return self.scores > 0 if self.kind == "multilabel" else answered(self.kind, self.scores)

    @property
    def confidence(self) -> Numbers:
        """How sure the answer is: its probability, of several that of the least sure label;
        minus the spreads."""
        if self.kind == "regression":
            return -self.scores[:, 1:].sum(1)
        if self.kind == "multilabel":
            return np.maximum(self.probabilities, 1 - self.probabilities).min(1)
        return np.take_along_axis(self.probabilities, self.best[:, None], 1)[:, 0]

    def standardised_error(self, target: NDArray[Any]) -> Numbers:
        """Of numbers, how many spreads the true ones are above what is likeliest: of those above
        it, or below."""
        middle, below, above = self.scores.T
        return (target - middle) / np.where(target < middle, below, above)

    def with_temperature(self, temperature: float) -> Predictions:
        """Give softer answers, or harder ones below 1: scores divided by it, or spreads
        multiplied."""
        if self.kind == "regression":
            return replace(self, scores=self.scores * [1.0, temperature, temperature])
        scores = self.scores / temperature
        return replace(self, scores=scores if self.kind == "multilabel" else normalised(scores))

    def in_units(self, labels: LabelCodec) -> Predictions:
        """Give numbers as they stood in the data; labels are as they are."""
        if self.kind != "regression":
            return self
        return replace(self, scores=self.scores * labels.scale + [labels.mean, 0.0, 0.0])


def normalised(scores: Numbers) -> Numbers:
    """Make log-probabilities of scores: rows whose exponentials add up to one."""
    scores = scores - scores.max(-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def answered(kind: LabelKind, scores: Numbers) -> NDArray[np.int64]:
    """Give the place of the label that is answered, by the scores of all, (..., labels): the
    likeliest, which is right most often; on a scale the median, which is fewest places off in the
    mean.

    >>> scores = np.log([[0.4, 0.05, 0.25, 0.3]])
    >>> answered("multiclass", scores).tolist(), answered("ordinal", scores).tolist()
    ([0], [2])
    """
    if kind != "ordinal":
        return scores.argmax(-1)
    return (np.exp(normalised(scores)).cumsum(-1) >= 0.5 - ROUNDED).argmax(-1)
