"""How well labels are told: accuracy, F1, ROC AUC, and where they are confused; of numbers, how
far they are off."""

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
    "ordinal": ("mae", "places off in the mean"),
    "regression": ("mae", "off in the mean"),
}
"""The figure that each kind of label is about, and what the mean of `losses`, by which models are
compared, is counted in; both are the same but for their direction."""


def unit_of(kind: LabelKind) -> str:
    """Say what the mean of `losses` is counted in."""
    return MEASURE[kind][1]


def losses(answers: Predictions, target: Targets) -> Numbers:
    """Give what each example costs: an error, the share of labels that are wrong, or how far off
    the answer is."""
    if answers.kind in ("regression", "ordinal"):
        return np.abs(answers.best - target).astype(np.float64)
    wrong = answers.best != target
    return wrong.mean(1) if answers.kind == "multilabel" else wrong.astype(np.float64)


def compute_metrics(
    answers: Predictions, target: Targets, bound: float | None = None
) -> MetricFunction:
    """Give the figures over any rows, for intervals; of numbers, how many are in their ranges up to
    a `bound` too.

    There is a ROC AUC where there are two labels. What is not defined is NaN: ROC AUC where only
    one of them is true of examples, F1 of labels that are neither said nor true of any.
    """
    if answers.kind == "regression":
        off = answers.best - target
        found = {"coverage": is_covered(answers, target, bound)} if bound is not None else {}
        return lambda rows: (
            _of_numbers(off[rows])
            | {name: float(held[rows].mean()) for name, held in found.items()}
        )
    if answers.kind == "multilabel":
        return lambda rows: _of_several(answers, target, rows)
    return lambda rows: _of_labels(answers, target, rows)


def _of_numbers(off: Numbers) -> dict[str, float]:
    return {"mae": float(np.abs(off).mean()), "rmse": float(np.sqrt((off**2).mean()))}


def _of_several(
    answers: Predictions, target: Targets, rows: NDArray[np.int64]
) -> Mapping[str, float]:
    said, true = answers.best[rows], target[rows] > 0.5
    both, either = (said & true).sum(0), said.sum(0) + true.sum(0)
    return {
        "accuracy": float((said == true).all(1).mean()),
        "label_accuracy": float((said == true).mean()),
        "macro_f1": _macro_f1(both, either),
        "micro_f1": share(2 * int(both.sum()), int(either.sum())),
    }


def _of_labels(
    answers: Predictions, target: Targets, rows: NDArray[np.int64]
) -> Mapping[str, float]:
    said, true, size = answers.best[rows], target[rows], answers.scores.shape[1]
    both_are, said_are, true_are = _tallies(said, true, size)
    found = {"mae": float(np.abs(said - true).mean())} if answers.kind == "ordinal" else {}
    found |= {
        "accuracy": float((said == true).mean()),
        "macro_f1": _macro_f1(both_are, said_are + true_are),
    }
    if answers.inner is not None:
        right, there = answers.inner[rows].sum(0)
        found["node_accuracy"] = share(float(right), float(there))
    if size == 2:
        found["auc"] = roc_auc(answers.scores[rows, 1] - answers.scores[rows, 0], true == 1)
    return found


def confusion(said: Targets, true: Targets, size: int) -> NDArray[np.int64]:
    """Count examples by true label (rows) and what was said (columns).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(true * size + said, minlength=size * size).reshape(size, size)


def _macro_f1(both: NDArray[np.int64], either: NDArray[np.int64]) -> float:
    """Give the mean F1 of labels: without those that are neither said nor
    true of any."""
    there = either > 0
    return float((2 * both[there] / either[there]).mean()) if there.any() else nan


def _tallies(said: Targets, true: Targets, size: int) -> list[NDArray[np.int64]]:
    """Count of each label how often it is said rightly, said, and true; a table of all pairs may
    be too large."""
    return [np.bincount(one, minlength=size) for one in (said[said == true], said, true)]


def roc_auc(scores: Numbers, positive: NDArray[np.bool_]) -> float:
    """Give the chance that a positive example scores higher than a negative one, ties half; NaN
    without both kinds.

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


def per_class(answers: Predictions, target: Targets, names: Sequence[str]) -> list[dict[str, Any]]:
    """Give of each label how often it is true and said, precision, recall and F1."""
    if answers.kind == "multilabel":
        said, true = answers.best, target > 0.5
        tallies = [one.sum(0) for one in (said & true, said, true)]
    else:
        tallies = _tallies(answers.best, target, len(names))
    rows = zip(names, *(one.tolist() for one in tallies), strict=True)
    return [
        {"label": name, "examples": there, "predicted": told, **rates(there, told, hit)}
        for name, hit, told, there in rows
    ]


def worst(answers: Predictions, target: Targets, count: int) -> NDArray[np.int64]:
    """Give the rows that are wrong, those of which the model was surest first; of numbers, and on a
    scale, the farthest off."""
    cost = losses(answers, target)
    if answers.kind == "regression":
        return np.argsort(-cost, kind="stable")[:count]
    wrong = np.flatnonzero(cost > 0)
    if answers.kind == "ordinal":
        return wrong[np.lexsort((-answers.confidence[wrong], -cost[wrong]))][:count]
    return wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:count]
