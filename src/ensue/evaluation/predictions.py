"""Predictions of labels as arrays, for every kind of label."""

from __future__ import annotations

from collections.abc import Sequence
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


TAIL, Z_95 = 0.45, 1.6448536269514722
"""A regression has the quantiles 0.5 - TAIL and 0.5 + TAIL, 5 % and 95 %. For a normal
distribution they lie Z_95 standard deviations from the mean, so either distance divided by Z_95
is a standard deviation."""
BISECTIONS, FARTHEST = 60, 6.0
"""Steps that find a quantile of a mixture, and the spreads from every centre within which it is."""


def mix_predictions(parts: Sequence[Predictions], weights: Numbers) -> Predictions:
    """Mix the predictions of several models: the weighted mean of their probabilities.

    For regression it is the median of the mixture, with the spreads that its 5 % and 95 %
    quantiles show.

    >>> both = [Predictions("multiclass", np.log([[p, 1 - p]])) for p in (0.9, 0.5)]
    >>> mix_predictions(both, np.array([0.25, 0.75])).probabilities.round(3).tolist()
    [[0.6, 0.4]]
    """
    kind, scores = parts[0].kind, np.stack([one.scores for one in parts])
    weights = weights.reshape(-1, 1, 1)
    inner = next((one.inner for one in parts if one.inner is not None), None)
    if kind == "regression":
        low, middle, high = (_mix_quantile(scores, weights, 0.5 + by) for by in (-TAIL, 0, TAIL))
        spreads = (middle - low) / Z_95, (high - middle) / Z_95
        return Predictions(kind, np.stack([middle, *spreads], 1), inner)
    with np.errstate(divide="ignore"):  # a weight of 0
        logs = np.log(weights)
    if kind != "multilabel":
        return Predictions(kind, normalise(np.logaddexp.reduce(logs + scores)), inner)
    yes, no = (np.logaddexp.reduce(logs - np.logaddexp(0, sign * scores)) for sign in (-1, 1))
    return Predictions(kind, yes - no, inner)


def _mix_quantile(scores: Numbers, weights: Numbers, level: float) -> Numbers:
    """Compute a quantile of a mixture of (models, examples, 3), (examples,), by bisection.

    The 5 %, 50 % and 95 % quantiles of each model are those that it predicts: below and above its
    centre it has half a normal distribution each.
    """
    from scipy.special import ndtr

    centre, below, above = np.moveaxis(scores, 2, 0)
    low, high = (centre - FARTHEST * below).min(0), (centre + FARTHEST * above).max(0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        apart = (middle - centre) / np.where(middle < centre, below, above)
        less = (weights[..., 0] * ndtr(apart)).sum(0) < level
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return (low + high) / 2


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
