"""Predictions of labels as arrays, for every kind of label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.labels import LabelCodec, LabelKind

Numbers = NDArray[np.float64]

ROUNDED = 1e-12
"""Rounding error tolerated in sums of probabilities."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of examples, one row each.

    `scores` (examples, labels) are log-probabilities of multiclass and ordinal labels, log-odds of
    multilabel ones. For regression they are (examples, 3): centre, spread below, spread above.
    """

    kind: LabelKind
    scores: Numbers
    inner: NDArray[np.int64] | None = None
    """If steps have labels too: correct and total step labels of each example, (examples, 2)."""

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
        """The prediction of each example.

        Multiclass: index of the most probable label. Ordinal: index of the median. Multilabel: a
        row of booleans. Regression: the number itself.
        """
        if self.kind == "regression":
            return self.scores[:, 0]
        return self.scores > 0 if self.kind == "multilabel" else choose(self.kind, self.scores)

    @property
    def confidence(self) -> Numbers:
        """Confidence: probability of the prediction, or of its least certain label if multilabel.

        Regression: minus the sum of the spreads.
        """
        if self.kind == "regression":
            return -self.scores[:, 1:].sum(1)
        if self.kind == "multilabel":
            return np.maximum(self.probabilities, 1 - self.probabilities).min(1)
        return np.take_along_axis(self.probabilities, self.best[:, None], 1)[:, 0]

    def standardised_error(self, target: NDArray[Any]) -> Numbers:
        """Return (target - centre) / spread of a regression, with the spread of that side."""
        middle, below, above = self.scores.T
        return (target - middle) / np.where(target < middle, below, above)

    def with_temperature(self, temperature: float) -> Predictions:
        """Apply temperature scaling: divide scores by it, or multiply a regression's spreads."""
        if self.kind == "regression":
            return replace(self, scores=self.scores * [1.0, temperature, temperature])
        scores = self.scores / temperature
        return replace(self, scores=scores if self.kind == "multilabel" else normalise(scores))

    def in_units(self, labels: LabelCodec) -> Predictions:
        """Convert a regression to the units of the data; labels are unchanged."""
        if self.kind != "regression":
            return self
        return replace(self, scores=self.scores * labels.scale + [labels.mean, 0.0, 0.0])


def normalise(scores: Numbers) -> Numbers:
    """Convert scores to log-probabilities: log-softmax over the last axis."""
    scores = scores - scores.max(-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def choose(kind: LabelKind, scores: Numbers) -> NDArray[np.int64]:
    """Return the index of the predicted label, given scores (..., labels).

    Multiclass: the most probable label, which minimises expected errors. Ordinal: the median, which
    minimises the expected absolute error in ranks.

    >>> scores = np.log([[0.4, 0.05, 0.25, 0.3]])
    >>> choose("multiclass", scores).tolist(), choose("ordinal", scores).tolist()
    ([0], [2])
    """
    if kind != "ordinal":
        return scores.argmax(-1)
    return (np.exp(normalise(scores)).cumsum(-1) >= 0.5 - ROUNDED).argmax(-1)
