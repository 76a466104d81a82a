"""Predict the labels of encoded examples, calibrate the predictions, and diagnose them.

Diagnostics: confusion matrix, reliability, coverage, accuracy after a share of the steps, and the
most confident errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

import numpy as np
import torch

from ensue.data.codecs.labels import LabelCodec
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    nats,
    reliability,
)
from ensue.evaluation.classification import (
    MEASURE,
    compute_metrics,
    confusion,
    losses,
    per_class,
    worst,
)
from ensue.evaluation.conformal import (
    TARGET_COVERAGE,
    conformal_quantile,
    is_covered,
    prediction_sets,
)
from ensue.evaluation.predictions import (
    TAIL,
    Z_95,
    Predictions,
    choose,
    mix_predictions,
    normalise,
)
from ensue.evaluation.scores import Groups, Measured, by_group, with_intervals
from ensue.models.contract import Predictor
from ensue.models.parameters import get_device, to_device
from ensue.models.pool import Pool

BATCH_SIZE = 128
"""Examples that are predicted together."""
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
"""Shares of each sequence after which accuracy is measured."""

MAX_ERRORS = 20
"""Errors that a result lists."""

MAX_CONFUSION_LABELS = 1000
"""Labels up to which a result has a confusion matrix, since it grows with their square."""


@torch.no_grad()
def predict(model: Predictor | Pool, examples: Examples, labels: LabelCodec) -> Predictions:
    """Predict all examples, in their order; a model with an output per step counts by the last.

    Regression is in the units of the data. Where steps have labels of their own, the result also
    counts how many of these were right.
    """
    if isinstance(model, Pool):
        parts = [predict(one, examples, labels) for one in model.members]
        return mix_predictions(parts, model.weights)
    output = np.zeros((len(examples), 3 if labels.kind == "regression" else labels.size))
    inner, device = None, get_device(model)
    for numbers, batch in iterate_sorted(examples, BATCH_SIZE):
        scores = _get_scores(model(to_device(batch, device)), labels)
        if scores.dim() == 3:
            if "label" in batch.fields:
                inner = np.zeros((len(examples), 2), np.int64) if inner is None else inner
                right = choose(labels.kind, scores.cpu().double().numpy()) + 1 == batch["label"]
                inner[numbers] = np.stack([right.sum(1), (batch["label"] > 0).sum(1)], 1)
            ends = torch.as_tensor(batch.lengths, device=scores.device) - 1
            scores = scores[torch.arange(len(scores), device=scores.device), ends]
        output[numbers] = scores.cpu().double().numpy()
    exclusive = labels.kind in ("multiclass", "ordinal")
    scores = normalise(output) if exclusive else output
    return Predictions(labels.kind, scores, inner).in_units(labels)


def _get_scores(distribution: Any, labels: LabelCodec) -> torch.Tensor:
    if labels.kind == "regression":
        level = torch.full_like(distribution.mean, 0.5)
        low, middle, high = (distribution.icdf(level + offset) for offset in (-TAIL, 0.0, TAIL))
        return torch.stack([middle, middle - low, high - middle], -1) / level.new_tensor(
            [1.0, Z_95, Z_95]
        )
    return distribution.base_dist.logits if labels.kind == "multilabel" else distribution.logits


def get_targets(examples: Examples, labels: LabelCodec) -> np.ndarray:
    """Get the true labels as ids, numbers in the units of the data."""
    target = np.asarray(examples.static["target"])
    if labels.kind == "regression":
        return target.astype(np.float64) * labels.scale + labels.mean
    return target


def get_groups(examples: Examples) -> Groups:
    """Number the groups of examples from 0; None if every example is a group of its own."""
    names, numbers = np.unique(
        examples.static.get("group", np.arange(len(examples))), return_inverse=True
    )
    return numbers if len(names) < len(numbers) else None


@dataclass(frozen=True)
class Calibration:
    """Temperature and conformal quantile, both fitted on the calibration part."""

    temperature: float
    """Divisor of the scores; for regression the factor of the standard deviations."""
    bound: float
    """Conformal quantile: a set holds every label whose nonconformity is at most this."""
    target_coverage: float
    """Share of prediction sets that should hold the true label."""

    def to_json(self) -> dict[str, Any]:
        """Give all fields as JSON values; an infinite bound is null."""
        return asdict(self) | {"bound": self.bound if np.isfinite(self.bound) else None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what to_json gave. Raises ValueError for values out of range."""
        bound = values["bound"]
        valid = 1e-6 <= values["temperature"] <= 1e6 and 0 < values["target_coverage"] < 1
        if not valid or (bound is not None and not 0 <= bound <= 1e30):
            raise ValueError("temperature, bound or target_coverage is out of range")
        return cls(
            values["temperature"], inf if bound is None else bound, values["target_coverage"]
        )


UNCALIBRATED = Calibration(1.0, inf, TARGET_COVERAGE)
"""No calibration: predictions stay as they are, and sets hold every label."""


def calibrate(predictions: Predictions, true: Any) -> Calibration:
    """Fit the temperature, and with it the conformal quantile."""
    temperature = fit_temperature(predictions, true)
    scaled = predictions.with_temperature(temperature)
    return Calibration(temperature, conformal_quantile(scaled, true), TARGET_COVERAGE)


def measure(
    raw: Predictions, examples: Examples, labels: LabelCodec, calibration: Calibration
) -> Measured:
    """Compute the metrics of predictions, which were not calibrated before, with intervals."""
    true, groups = get_targets(examples, labels), get_groups(examples)
    predictions, totals = raw.with_temperature(calibration.temperature), {}
    compute = compute_metrics(predictions, true, calibration.bound)
    metrics, intervals = with_intervals(compute, len(true), groups)
    cost, unit = by_group(losses(predictions, true), groups), MEASURE[labels.kind][1]
    if labels.kind in ("multiclass", "multilabel"):
        # Of ranks and numbers the network's loss is another one.
        totals["nats"] = len(true) * nats(predictions, true)
    return Measured(metrics, intervals, cost, unit, count=len(true), totals=totals)


def compute_details(
    parts: LabelledParts,
    raw: Predictions,
    calibration: Calibration,
    predict_calibrated: Callable[[Examples], Predictions],
) -> dict[str, Any]:
    """Compute all diagnostics on the test part; `raw` are the predictions before calibration."""
    labels, true = parts.labels, get_targets(parts["test"], parts.labels)
    predictions = raw.with_temperature(calibration.temperature)
    details: dict[str, Any] = {
        "kind": labels.kind,
        "labels": list(labels.names),
        "skipped": parts.skipped,
        "nats": {"before": nats(raw, true), "after": nats(predictions, true)},
        "temperature": calibration.temperature,
        "prediction_sets": measure_sets(raw, true, calibration),
        "early": _measure_prefixes(predict_calibrated, parts, predictions, true),
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


def measure_sets(raw: Predictions, true: Any, calibration: Calibration) -> dict[str, Any]:
    """Measure coverage, and the mean size of prediction sets or mean width of intervals."""
    predictions = raw.with_temperature(calibration.temperature)
    bound, finite = calibration.bound, bool(np.isfinite(calibration.bound))
    measured = {
        "target_coverage": calibration.target_coverage,
        "coverage": float(is_covered(predictions, true, bound).mean()),
        "finite": finite,
    }
    if predictions.kind == "regression":
        width = float(bound * predictions.scores[:, 1:].sum(1).mean()) if finite else None
        return measured | {"mean_width": width}
    return measured | {"mean_size": float(prediction_sets(predictions, bound).sum(1).mean())}


def _measure_prefixes(
    predict_calibrated: Callable[[Examples], Predictions],
    parts: LabelledParts,
    complete: Predictions,
    true: Any,
) -> list[dict[str, float]]:
    """Compute the metrics after each share of the steps; trees have no prefixes.

    `complete` are the predictions after all steps.
    """
    if parts.content.shape.children:
        return []
    measured = []
    for share in SHARES:
        predictions = predict_calibrated(parts["test"].beginnings(share)) if share < 1 else complete
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
