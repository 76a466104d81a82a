"""Calibration: reliability diagram, expected calibration error and temperature scaling.

Source: Guo et al. 2017, "On calibration of modern neural networks".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.predictions import Predictions

BINS = 10
HALVINGS = 60
_LOWEST, _HIGHEST = 1e-2, 1e2
PRIOR_SPREAD = 0.7
"""Standard deviation of the normal prior on log(temperature); it hardly matters from about a
hundred examples on."""


def fit_temperature(predictions: Predictions, target: NDArray[Any]) -> float:
    """Fit the temperature t that minimises sum(nats) + log(t)^2 / (2 PRIOR_SPREAD^2).

    Without the prior, t would approach zero if a few examples are all classified correctly. For
    numeric labels t multiplies the spread of a two-piece normal distribution.
    """
    low, high = np.log(1 / _HIGHEST), np.log(1 / _LOWEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = _slope(predictions, target, np.exp(middle)) + middle / PRIOR_SPREAD**2
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def _slope(predictions: Predictions, target: NDArray[Any], inverse: float) -> float:
    """Return the derivative of the total nats by the logarithm of the inverse temperature."""
    if predictions.kind == "regression":
        return float(((inverse * predictions.standardised_error(target)) ** 2 - 1).sum())
    expected = predictions.with_temperature(1 / inverse).probabilities
    if predictions.kind == "multilabel":
        return float(inverse * ((expected - target) * predictions.scores).sum())
    return float(
        inverse
        * (
            (expected * predictions.scores).sum()
            - predictions.scores[np.arange(len(target)), target].sum()
        )
    )


def nats(predictions: Predictions, target: NDArray[Any]) -> float:
    """Return the mean negative log-likelihood in nats; numeric labels use a two-piece normal."""
    return float(-log_likelihoods(predictions, target).sum(1).mean())


def log_likelihoods(predictions: Predictions, target: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log-likelihood of each target, (examples, 1), or of each of several labels."""
    if predictions.kind == "regression":
        spread = predictions.scores[:, 1:].mean(1)
        squared = predictions.standardised_error(target) ** 2
        return -(np.log(spread) + 0.5 * np.log(2 * np.pi) + 0.5 * squared)[:, None]
    if predictions.kind == "multilabel":
        return target * predictions.scores - np.logaddexp(0, predictions.scores)
    return np.take_along_axis(predictions.scores, target[:, None], 1)


def reliability(predictions: Predictions, target: NDArray[Any]) -> list[dict[str, float]]:
    """Compute a reliability diagram: mean confidence and accuracy per bin of confidence.

    With multilabel predictions, each label of each example counts as one binary prediction. Empty
    bins are left out.
    """
    if predictions.kind == "multilabel":
        sure = np.maximum(predictions.probabilities, 1 - predictions.probabilities).ravel()
        right = (predictions.best == (target > 0.5)).ravel()
    else:
        sure, right = predictions.confidence, predictions.best == target
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(sure[here].mean()),
            "accuracy": float(right[here].mean()),
            "count": int(here.sum()),
        }
        for here in (bins == place for place in range(BINS))
        if here.any()
    ]


def expected_calibration_error(curve: list[dict[str, float]]) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy.

    >>> expected_calibration_error([{"confidence": 0.75, "accuracy": 0.5, "count": 10},
    ...     {"confidence": 0.5, "accuracy": 0.5, "count": 10}])
    0.125
    """
    return sum(abs(one["confidence"] - one["accuracy"]) * one["count"] for one in curve) / sum(
        one["count"] for one in curve
    )
