"""Sets and intervals that hold what is true as often as they promise: split conformal prediction
(Vovk et al. 2005).

The promise holds for examples that are exchangeable with those of the calibration part, whatever
the model.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.predictions import Numbers, Predictions

TARGET_COVERAGE = 0.9
"""The share of examples whose set holds what is true."""


def nonconformity(answers: Predictions, target: NDArray[Any]) -> Numbers:
    """Give how odd what is true looks to the model, (examples,).

    One label: 1 - its probability (Sadinle et al. 2019); several: that of the oddest true one; a
    number: how many spreads it is off; one on a scale: how much of the probability lies between it
    and the median.
    """
    if answers.kind == "regression":
        return np.abs(answers.standardised_error(target))
    odd = nonconformity_of_labels(answers)
    return (
        np.where(target > 0.5, odd, 0.0).max(1)
        if answers.kind == "multilabel"
        else odd[np.arange(len(target)), target]
    )


def nonconformity_of_labels(answers: Predictions) -> Numbers:
    """Give how odd each label would look, (examples, labels).

    On a scale it grows from the median to both ends, so that the labels below any bound are
    neighbours: max(F(k - 1) - 1/2, 1/2 - F(k), 0), with F(k) the probability of label k and all
    below it.
    """
    if answers.kind != "ordinal":
        return 1 - answers.probabilities
    upto = answers.probabilities.cumsum(1)
    return np.maximum(np.maximum(upto - answers.probabilities - 0.5, 0.5 - upto), 0.0)


def conformal_quantile(answers: Predictions, target: NDArray[Any]) -> float:
    """Give the oddness that sets go up to: the ceil((n + 1) PROMISED)-th smallest of n, or infinity
    if n is too small.

    >>> conformal_quantile(Predictions("regression", np.array([[0.0, 1.0, 1.0]] * 9)),
    ...     np.arange(1.0, 10.0))
    9.0
    """
    odd = np.sort(nonconformity(answers, target))
    place = ceil((len(odd) + 1) * TARGET_COVERAGE - 1e-9)
    return float(odd[place - 1]) if place <= len(odd) else inf


def prediction_sets(answers: Predictions, bound: float) -> NDArray[np.bool_]:
    """Give which labels are in each set, (examples, labels); where one is true, the answer
    always is."""
    inside = nonconformity_of_labels(answers) <= bound
    if answers.kind != "multilabel":
        inside[np.arange(len(inside)), answers.best] = True
    return inside


def prediction_intervals(answers: Predictions, bound: float) -> Numbers:
    """Give the interval of each number, (examples, 2)."""
    return answers.scores[:, :1] + answers.scores[:, 1:] * np.array([-bound, bound])


def is_covered(answers: Predictions, target: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    """Tell for each example whether what is true is in its set, or interval."""
    if answers.kind == "regression":
        return nonconformity(answers, target) <= bound
    inside = prediction_sets(answers, bound)
    if answers.kind == "multilabel":
        return np.logical_and.reduce(inside | (target < 0.5), axis=1)
    return inside[np.arange(len(target)), target]
