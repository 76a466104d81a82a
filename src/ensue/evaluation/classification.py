"""Metrics of labels: accuracy, F1, ROC AUC and confusion matrix; MAE and RMSE of numeric labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.labels import LabelKind
from ensue.evaluation.conformal import is_covered
from ensue.evaluation.predictions import Numbers, Predictions
from ensue.evaluation.scores import MetricFunction
from ensue.evaluation.spans import rates, share

Targets = NDArray[Any]


MEASURE: Mapping[LabelKind, tuple[str, str]] = {
    "multiclass": ("accuracy", "errors per example"),
    "multilabel": ("label_accuracy", "errors per label"),
    "ordinal": ("mae", "mean absolute error in ranks"),
    "regression": ("mae", "mean absolute error"),
}
"""Main metric of each kind of label, and the unit of the mean of `losses`; models are compared by
that mean, which is the metric or 1 - the metric."""


def losses(predictions: Predictions, target: Targets) -> Numbers:
    """Return the loss of each example: 0-1 loss, share of wrong labels, or absolute error."""
    if predictions.kind in ("regression", "ordinal"):
        return np.abs(predictions.best - target).astype(np.float64)
    wrong = predictions.best != target
    return wrong.mean(1) if predictions.kind == "multilabel" else wrong.astype(np.float64)


def compute_metrics(
    predictions: Predictions, target: Targets, bound: float | None = None
) -> MetricFunction:
    """Return a function that computes all metrics over given rows, for bootstrap intervals.

    With numeric labels and a `bound`, coverage of the intervals is included. With two labels, ROC
    AUC is included. Undefined metrics are NaN: ROC AUC with one class present, F1 without any
    predicted or actual label.
    """
    if predictions.kind == "regression":
        errors = predictions.best - target
        found = {"coverage": is_covered(predictions, target, bound)} if bound is not None else {}
        return lambda rows: (
            _regression_metrics(errors[rows])
            | {name: float(covered[rows].mean()) for name, covered in found.items()}
        )
    if predictions.kind == "multilabel":
        return lambda rows: _multilabel_metrics(predictions, target, rows)
    return lambda rows: _multiclass_metrics(predictions, target, rows)


def _regression_metrics(errors: Numbers) -> dict[str, float]:
    return {"mae": float(np.abs(errors).mean()), "rmse": float(np.sqrt((errors**2).mean()))}


def _multilabel_metrics(
    predictions: Predictions, target: Targets, rows: NDArray[np.int64]
) -> Mapping[str, float]:
    predicted, true = predictions.best[rows], target[rows] > 0.5
    both, either = (predicted & true).sum(0), predicted.sum(0) + true.sum(0)
    return {
        "label_accuracy": float((predicted == true).mean()),
        "accuracy": float((predicted == true).all(1).mean()),
        "macro_f1": _macro_f1(both, either),
        "micro_f1": share(2 * int(both.sum()), int(either.sum())),
    }


def _multiclass_metrics(
    predictions: Predictions, target: Targets, rows: NDArray[np.int64]
) -> Mapping[str, float]:
    predicted, true, size = predictions.best[rows], target[rows], predictions.scores.shape[1]
    both_counts, predicted_counts, true_counts = _count_labels(predicted, true, size)
    found = {"mae": float(np.abs(predicted - true).mean())} if predictions.kind == "ordinal" else {}
    found |= {
        "accuracy": float((predicted == true).mean()),
        "macro_f1": _macro_f1(both_counts, predicted_counts + true_counts),
    }
    if predictions.inner is not None:
        correct, total = predictions.inner[rows].sum(0)
        found["node_accuracy"] = share(float(correct), float(total))
    if size == 2:
        found["auc"] = roc_auc(predictions.scores[rows, 1] - predictions.scores[rows, 0], true == 1)
    return found


def confusion(predicted: Targets, true: Targets, size: int) -> NDArray[np.int64]:
    """Count examples by actual label (rows) and predicted label (columns).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)


def _macro_f1(both: NDArray[np.int64], either: NDArray[np.int64]) -> float:
    """Return the mean F1 of all labels that are predicted or true of any example."""
    present = either > 0
    return float((2 * both[present] / either[present]).mean()) if present.any() else nan


def _count_labels(predicted: Targets, true: Targets, size: int) -> list[NDArray[np.int64]]:
    """Return true positives, predicted and actual counts of each label.

    A confusion matrix of all pairs may be too large.
    """
    return [
        np.bincount(one, minlength=size) for one in (predicted[predicted == true], predicted, true)
    ]


def roc_auc(scores: Numbers, positive: NDArray[np.bool_]) -> float:
    """Return the ROC AUC: probability that a positive example scores above a negative one.

    Ties count half. NaN unless both classes are present. scikit-learn's takes 20 times as long on a
    few hundred examples, and a bootstrap calls it 500 times.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return nan
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def per_class(
    predictions: Predictions, target: Targets, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return actual and predicted counts, precision, recall and F1 of each label."""
    if predictions.kind == "multilabel":
        predicted, true = predictions.best, target > 0.5
        counts = [one.sum(0) for one in (predicted & true, predicted, true)]
    else:
        counts = _count_labels(predictions.best, target, len(names))
    rows = zip(names, *(one.tolist() for one in counts), strict=True)
    return [
        {"label": name, "examples": actual, "predicted": found, **rates(actual, found, correct)}
        for name, correct, found, actual in rows
    ]


def worst(predictions: Predictions, target: Targets, count: int) -> NDArray[np.int64]:
    """Return the rows of errors, most confident first.

    Numeric and ordinal labels are sorted by absolute error first.
    """
    cost = losses(predictions, target)
    if predictions.kind == "regression":
        return np.argsort(-cost, kind="stable")[:count]
    wrong = np.flatnonzero(cost > 0)
    if predictions.kind == "ordinal":
        return wrong[np.lexsort((-predictions.confidence[wrong], -cost[wrong]))][:count]
    return wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:count]
