"""What the training of `classify` has of its own: its baselines, calibration and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import log_likelihoods
from ensue.evaluation.classification import losses
from ensue.evaluation.label_scoring import (
    UNCALIBRATED,
    Calibration,
    calibrate,
    compute_details,
    get_groups,
    get_targets,
    measure,
    predict,
)
from ensue.evaluation.predictions import Predictions
from ensue.evaluation.scores import Measured, Score
from ensue.inspection import diagnostics
from ensue.models.contract import Predictor
from ensue.models.tree import TreeSettings
from ensue.models.tree_leaves import build_classifier, leaf_fields
from ensue.settings import Settings
from ensue.tasks.classify.data import DATA
from ensue.tasks.classify.report import LABELS
from ensue.tasks.classify.settings import MODELS
from ensue.tasks.classify.trained import LabelModel
from ensue.tasks.fitting import Fitted
from ensue.tasks.pretrained import copy_pretrained
from ensue.tasks.results import diagnose_labels
from ensue.tasks.training import HeldOut, Training
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run

MAX_LABELS = 1000
"""Labels up to which baselines are fitted: their time and memory grow with examples times labels.
"""


class ClassifyTraining(Training[LabelledParts]):
    """The training of `classify`."""

    source = DATA
    models = MODELS
    report = LABELS

    def commands(self, settings: Any, scores: Sequence[Score]) -> dict[str, list[str]]:
        """Leave out the majority label: nobody trains it to use it."""
        commands = super().commands(settings, scores)
        return {name: one for name, one in commands.items() if name != "majority"}

    def resolve(self, settings: Any, data: LabelledParts, on_event: Callback) -> Any:
        """Choose the cell of a tree network by the number of children of the nodes."""
        if not isinstance(settings.model, TreeSettings):
            return settings
        shape = data.content.shape
        model = settings.model.resolved(shape)
        if model != settings.model:
            on_event(Note(f"model.cell = {model.cell}: nodes have up to {shape.children} children"))
        return settings.model_copy(update={"model": model})

    def baselines(self, settings: Any, data: LabelledParts, on_event: Callback) -> list[Settings]:
        """Choose the baselines that suit steps and labels, other than the run's own model."""
        baselines: list[Any] = super().baselines(settings, data, on_event)
        shape, labels = leaf_fields(data.content.shape), data.labels
        if labels.size > MAX_LABELS:
            on_event(Note(f"{labels.size:,} labels are too many for baselines other than majority"))
            baselines = [one for one in baselines if one.name == "majority"]
        return [one for one in baselines if one.suits(shape, labels.kind)]

    def build(self, settings: Any, data: LabelledParts) -> Any:
        """Build a model."""
        return build_classifier(settings.model, data.content.shape, data.labels)

    def start(
        self, run: Run, settings: Any, network: Any, data: LabelledParts, on_event: Callback
    ) -> None:
        """Copy the weights of a pretrained run where they fit."""
        if settings.pretrained and run.checkpoint() is None:
            copied = copy_pretrained(network, settings.pretrained)
            run.describe({"pretrained": {"copied": copied}})
            on_event(Note(copied))

    def validate(self, run: Run, model: Predictor, settings: Any, data: LabelledParts) -> float:
        """Compute nats per example, or the mean absolute error of ordinal labels."""
        if data.labels.kind != "ordinal":
            return super().validate(run, model, settings, data)
        part = data["validation"]
        predictions = predict(model, part, data.labels)
        return float(losses(predictions, get_targets(part, data.labels)).mean())

    def held_out(self, fitted: Fitted, data: LabelledParts) -> HeldOut:
        """Score the labels of the validation part; one that is several counts each of them."""
        part, labels = data["validation"], data.labels
        predictions, true = predict(fitted.model, part, labels), get_targets(part, labels)
        logs, groups = log_likelihoods(predictions, true), get_groups(part)
        units = np.repeat(np.arange(len(logs)) if groups is None else groups, logs.shape[1])
        return HeldOut(logs.ravel(), units, losses(predictions, true))

    def calibrate(self, fitted: Fitted, data: LabelledParts) -> Calibration:
        """Fit temperature and conformal quantile on the calibration part, if there is one."""
        if "calibration" not in data.parts:
            return UNCALIBRATED
        part = data["calibration"]
        predictions = predict(fitted.model, part, data.labels)
        return calibrate(predictions, get_targets(part, data.labels))

    def predict(self, fitted: Fitted, data: LabelledParts) -> Predictions:
        """Predict the test part."""
        return predict(fitted.model, data["test"], data.labels)

    def score(
        self, fitted: Fitted, data: LabelledParts, predicted: Predictions, calibration: Calibration
    ) -> Measured:
        """Measure a model after its calibration."""
        return measure(predicted, data["test"], data.labels, calibration)

    def trained(
        self, run: Run, fitted: Fitted, data: LabelledParts, calibration: Calibration
    ) -> LabelModel:
        """Make the classifier."""
        return LabelModel(run, fitted.model, data.content, data.labels, calibration)

    def measure(
        self, trained: LabelModel, data: LabelledParts, predicted: Predictions
    ) -> dict[str, Any]:
        """Measure calibration, confusion, accuracy against the share seen, and errors."""
        return compute_details(data, predicted, trained.calibration, trained.predict_arrays)

    def diagnose(
        self, run: Run, data: LabelledParts, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training, with a remedy."""
        labels, count = data.labels, len(data["test"])
        targets, classes = {}, details.get("per_class", ())
        if labels.kind in ("multiclass", "ordinal"):
            targets = {name: one.static["target"] for name, one in data.streams.items()}
        # On an ordinal scale it is no fault if some label is never predicted.
        if labels.kind == "ordinal":
            classes = ()
        recalls = ((one["label"], one["examples"], one["recall"]) for one in classes)
        # Only the validation loss of exclusive labels is in nats of one of them.
        size = labels.size if labels.kind == "multiclass" else None
        warnings = diagnose_labels(run, scores, targets, labels.names, recalls, size)
        if "calibration_error" in details:
            warnings += diagnostics.miscalibrated(details["calibration_error"]["after"], count)
        sets = details["prediction_sets"]
        return warnings + diagnostics.undercoverage(
            sets["target_coverage"], sets["coverage"], count
        )

    def selected(self, trained: LabelModel) -> tuple[str, ...]:
        """Say what was taken from a pretrained run, and what the calibration part decided."""
        copied = trained.run.about.get("pretrained", {}).get("copied")
        temperature = f"temperature {trained.calibration.temperature:.2f}"
        calibrated = f"{temperature}, and the conformal quantile: on the calibration part"
        return (copied, calibrated) if copied else (calibrated,)


TRAINING = ClassifyTraining()
