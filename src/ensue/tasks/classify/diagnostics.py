"""What is worth knowing beside the figures: confusions, reliability, sets, early answers, the
surest mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import expected_calibration_error, nats, reliability
from ensue.evaluation.classification import compute_metrics, confusion, per_class, worst
from ensue.evaluation.conformal import is_covered, prediction_sets
from ensue.evaluation.predictions import Predictions
from ensue.tasks.classify.predicting import targets
from ensue.tasks.classify.trained import LabelModel

SHARES = tuple(tenth / 10 for tenth in range(1, 11))
"""Of each sequence, which the model is shown, to see how early it knows."""

MISTAKES, MOST_CONFUSED = 20, 1000
"""How many mistakes are named, and of how many labels there is a table of all pairs, which grows
with their square."""


def compute_details(model: LabelModel, parts: LabelledParts, raw: Predictions) -> dict[str, Any]:
    """Give the details on the test part; `raw` are its answers before calibration."""
    labels, encoded, calibration = parts.labels, parts.parts["test"], model.calibration
    true, answers = targets(encoded.examples, labels), raw.with_temperature(calibration.temperature)
    found: dict[str, Any] = {
        "kind": labels.kind,
        "labels": list(labels.names),
        "skipped": parts.to_json()["skipped"],
        "nats": {"before": nats(raw, true), "after": nats(answers, true)},
        "temperature": calibration.temperature,
        "prediction_sets": _sets(answers, true, model),
        "early": _early(model, parts, true),
        "mistakes": _mistakes(answers, true, parts),
    }
    if labels.kind != "regression":
        found["reliability"] = {
            "before": reliability(raw, true),
            "after": reliability(answers, true),
        }
        found["calibration_error"] = {
            when: expected_calibration_error(curve) for when, curve in found["reliability"].items()
        }
        found["per_class"] = per_class(answers, true, labels.names)
    if labels.kind in ("multiclass", "ordinal") and labels.size <= MOST_CONFUSED:
        found["confusion"] = confusion(answers.best, true, labels.size).tolist()
    return found


def _sets(answers: Predictions, true: Any, model: LabelModel) -> dict[str, Any]:
    bound, bounded = model.calibration.bound, bool(np.isfinite(model.calibration.bound))
    share = float(is_covered(answers, true, bound).mean())
    found = {
        "target_coverage": model.calibration.target_coverage,
        "coverage": share,
        "finite": bounded,
    }
    if answers.kind == "regression":
        return found | {
            "mean_width": float(bound * answers.scores[:, 1:].sum(1).mean()) if bounded else None
        }
    return found | {"mean_size": float(prediction_sets(answers, bound).sum(1).mean())}


def _early(model: LabelModel, parts: LabelledParts, true: Any) -> list[dict[str, float]]:
    """Give the figures after a share of the steps of each example; of a part of a tree there are
    none."""
    found = []
    if model.content.shape.children:
        return found
    for share in SHARES:
        answers = model.predict_arrays(parts["test"].beginnings(share))
        found.append({"share": share, **compute_metrics(answers, true)(np.arange(len(true)))})
    return found


def _mistakes(answers: Predictions, true: Any, parts: LabelledParts) -> list[dict[str, Any]]:
    """Name the examples by file and line, those that the model was surest of first."""
    whole, cases, found = parts["test"].static, parts.parts["test"].cases, []
    for row in worst(answers, true, MISTAKES).tolist():
        place: dict[str, Any] = {
            "file": parts.files[int(whole["file"][row])],
            "line": int(whole["line"][row]),
        }
        place |= {"case": cases[row]} if cases else {}
        said, there = (parts.labels.decode(one[row]) for one in (answers.best, true))
        of_number = answers.kind == "regression"
        how = (
            {"error": said - there} if of_number else {"confidence": float(answers.confidence[row])}
        )
        found.append({**place, "predicted": said, "actual": there, **how})
    return found
