"""Prediction sets and intervals with guaranteed coverage: split conformal prediction.

The guarantee holds for examples that are exchangeable with the calibration part, whatever the
model. Source: Vovk et al. 2005, "Algorithmic learning in a random world".
"""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.predictions import Numbers, Predictions

TARGET_COVERAGE = 0.9
"""Share of examples whose prediction set shall contain the actual label."""


def nonconformity(predictions: Predictions, target: NDArray[Any]) -> Numbers:
    """Return the nonconformity score of the actual label of each example, (examples,).

    Multiclass: 1 - probability (Sadinle et al. 2019). Multilabel: the largest 1 - probability of
    all actual labels. Regression: standardised absolute error. Ordinal: the probability between
    the label and the median.
    """
    if predictions.kind == "regression":
        return np.abs(predictions.standardised_error(target))
    scores = label_nonconformity(predictions)
    if predictions.kind == "multilabel":
        return np.where(target > 0.5, scores, 0.0).max(1)
    return scores[np.arange(len(target)), target]


def label_nonconformity(predictions: Predictions) -> Numbers:
    """Return the nonconformity score of every label, (examples, labels).

    Ordinal: max(F(k - 1) - 1/2, 1/2 - F(k), 0), with F the cumulative distribution. It grows from
    the median to both ends, so prediction sets are contiguous.
    """
    if predictions.kind != "ordinal":
        return 1 - predictions.probabilities
    cumulative = predictions.probabilities.cumsum(1)
    above = cumulative - predictions.probabilities - 0.5
    return np.maximum(np.maximum(above, 0.5 - cumulative), 0.0)


def conformal_quantile(predictions: Predictions, target: NDArray[Any]) -> float:
    """Return the conformal quantile: the ceil((n + 1) TARGET_COVERAGE)-th smallest of n scores.

    It is infinite if n is too small.

    >>> conformal_quantile(Predictions("regression", np.array([[0.0, 1.0, 1.0]] * 9)),
    ...     np.arange(1.0, 10.0))
    9.0
    """
    scores = np.sort(nonconformity(predictions, target))
    rank = ceil((len(scores) + 1) * TARGET_COVERAGE - 1e-9)
    return float(scores[rank - 1]) if rank <= len(scores) else inf


def prediction_sets(predictions: Predictions, bound: float) -> NDArray[np.bool_]:
    """Return which labels are in each prediction set, (examples, labels).

    Unless multilabel, a set always contains the predicted label.
    """
    inside = label_nonconformity(predictions) <= bound
    if predictions.kind != "multilabel":
        inside[np.arange(len(inside)), predictions.best] = True
    return inside


def prediction_intervals(predictions: Predictions, bound: float) -> Numbers:
    """Return the prediction interval of each example, (examples, 2)."""
    return predictions.scores[:, :1] + predictions.scores[:, 1:] * np.array([-bound, bound])


def is_covered(predictions: Predictions, target: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    """Return for each example whether its set or interval contains the actual label."""
    if predictions.kind == "regression":
        return nonconformity(predictions, target) <= bound
    inside = prediction_sets(predictions, bound)
    if predictions.kind == "multilabel":
        return np.logical_and.reduce(inside | (target < 0.5), axis=1)
    return inside[np.arange(len(target)), target]
