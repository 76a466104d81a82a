"""Whether a model is right as often as it says: reliability, and the one number that mends it
(Guo et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.predictions import Predictions

BINS = 10
HALVINGS = 60
_HARDEST, _SOFTEST = 1e-2, 1e2
USUAL = 0.7
"""How far the logarithm of a temperature is from 0 as a rule; from about a hundred examples on
it hardly counts."""


def fit_temperature(answers: Predictions, target: NDArray[Any]) -> float:
    """Give the temperature t with the least nats in all of these examples, and log(t)^2 / (2
    USUAL^2) beside them.

    The nats alone would have it near zero wherever a few examples are all told right. Of numbers it
    multiplies their spread, and the nats are those of two halves of normal distributions.
    """
    low, high = np.log(1 / _SOFTEST), np.log(1 / _HARDEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = _slope(answers, target, np.exp(middle)) + middle / USUAL**2
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def _slope(answers: Predictions, target: NDArray[Any], inverse: float) -> float:
    """Give the derivative of the nats of all examples by the logarithm of the inverse
    temperature."""
    if answers.kind == "regression":
        return float(((inverse * answers.standardised_error(target)) ** 2 - 1).sum())
    expected = answers.with_temperature(1 / inverse).probabilities
    if answers.kind == "multilabel":
        return float(inverse * ((expected - target) * answers.scores).sum())
    return float(
        inverse
        * ((expected * answers.scores).sum() - answers.scores[np.arange(len(target)), target].sum())
    )


def nats(answers: Predictions, target: NDArray[Any]) -> float:
    """Give the mean nats of what is true; of numbers by normal distributions, each half with its
    own spread."""
    if answers.kind == "regression":
        spread = answers.scores[:, 1:].mean(1)
        return float(
            (
                np.log(spread)
                + 0.5 * np.log(2 * np.pi)
                + 0.5 * answers.standardised_error(target) ** 2
            ).mean()
        )
    if answers.kind == "multilabel":
        return float((np.logaddexp(0, answers.scores) - target * answers.scores).sum(1).mean())
    return float(-answers.scores[np.arange(len(target)), target].mean())


def reliability(answers: Predictions, target: NDArray[Any]) -> list[dict[str, float]]:
    """Give, for examples in bins of how sure the model is, how sure it is in the mean, and how
    often it is right.

    Of several labels, each is a thing of its own that is said to be there or not. Bins without any
    are left out.
    """
    if answers.kind == "multilabel":
        sure, right = (
            np.maximum(answers.probabilities, 1 - answers.probabilities).ravel(),
            (answers.best == (target > 0.5)).ravel(),
        )
    else:
        sure, right = answers.confidence, answers.best == target
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
    """Give the expected calibration error: the mean gap between sure and right.

    >>> expected_calibration_error([{"confidence": 0.75, "accuracy": 0.5, "count": 10},
    ...     {"confidence": 0.5, "accuracy": 0.5, "count": 10}])
    0.125
    """
    return sum(abs(one["confidence"] - one["accuracy"]) * one["count"] for one in curve) / sum(
        one["count"] for one in curve
    )
