"""Diagnostics on the test part: confusion matrix, reliability, coverage, most confident errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import expected_calibration_error, nats, reliability
from ensue.evaluation.classification import compute_metrics, confusion, per_class, worst
from ensue.evaluation.conformal import is_covered, prediction_sets
from ensue.evaluation.predictions import Predictions
from ensue.tasks.classify.predicting import get_targets
from ensue.tasks.classify.trained import LabelModel

SHARES = tuple(tenth / 10 for tenth in range(1, 11))
"""Shares of each sequence after which accuracy is measured."""

MAX_ERRORS = 20
"""Errors that a result lists."""

MAX_CONFUSION_LABELS = 1000
"""Labels up to which a result has a confusion matrix, since it grows with their square."""


def compute_details(model: LabelModel, parts: LabelledParts, raw: Predictions) -> dict[str, Any]:
    """Compute all diagnostics on the test part; `raw` are the predictions before calibration."""
    labels, encoded, calibration = parts.labels, parts.parts["test"], model.calibration
    true = get_targets(encoded.examples, labels)
    predictions = raw.with_temperature(calibration.temperature)
    details: dict[str, Any] = {
        "kind": labels.kind,
        "labels": list(labels.names),
        "skipped": parts.skipped,
        "nats": {"before": nats(raw, true), "after": nats(predictions, true)},
        "temperature": calibration.temperature,
        "prediction_sets": _measure_sets(predictions, true, model),
        "early": _measure_prefixes(model, parts, predictions, true),
        "mistakes": _list_errors(predictions, true, parts),
    }
    if labels.kind != "regression":
        details["reliability"] = {
            "before": reliability(raw, true),
            "after": reliability(predictions, true),
        }
        details["calibration_error"] = {
            when: expected_calibration_error(bins) for when, bins in details["reliability"].items()
        }
        details["per_class"] = per_class(predictions, true, labels.names)
    if labels.kind in ("multiclass", "ordinal") and labels.size <= MAX_CONFUSION_LABELS:
        details["confusion"] = confusion(predictions.best, true, labels.size).tolist()
    return details


def _measure_sets(predictions: Predictions, true: Any, model: LabelModel) -> dict[str, Any]:
    """Measure coverage, and the mean size of prediction sets or mean width of intervals."""
    bound, finite = model.calibration.bound, bool(np.isfinite(model.calibration.bound))
    measured = {
        "target_coverage": model.calibration.target_coverage,
        "coverage": float(is_covered(predictions, true, bound).mean()),
        "finite": finite,
    }
    if predictions.kind == "regression":
        width = float(bound * predictions.scores[:, 1:].sum(1).mean()) if finite else None
        return measured | {"mean_width": width}
    return measured | {"mean_size": float(prediction_sets(predictions, bound).sum(1).mean())}


def _measure_prefixes(
    model: LabelModel, parts: LabelledParts, complete: Predictions, true: Any
) -> list[dict[str, float]]:
    """Compute the metrics after each share of the steps; trees have no prefixes.

    `complete` are the predictions after all steps.
    """
    if model.content.shape.children:
        return []
    measured = []
    for share in SHARES:
        predictions = (
            model.predict_arrays(parts["test"].beginnings(share)) if share < 1 else complete
        )
        metrics = compute_metrics(predictions, true)(np.arange(len(true)))
        measured.append({"share": share, **metrics})
    return measured


def _list_errors(predictions: Predictions, true: Any, parts: LabelledParts) -> list[dict[str, Any]]:
    """List wrong predictions by file and line, the most confident ones first."""
    static, cases, errors = parts["test"].static, parts.parts["test"].cases, []
    for row in worst(predictions, true, MAX_ERRORS).tolist():
        place: dict[str, Any] = {
            "file": parts.files[int(static["file"][row])],
            "line": int(static["line"][row]),
        }
        place |= {"case": cases[row]} if cases else {}
        predicted, actual = (parts.labels.decode(one[row]) for one in (predictions.best, true))
        size = (
            {"error": predicted - actual}
            if predictions.kind == "regression"
            else {"confidence": float(predictions.confidence[row])}
        )
        errors.append({**place, "predicted": predicted, "actual": actual, **size})
    return errors
