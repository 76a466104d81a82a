"""Training of `classify`: read data, fit baselines, train, calibrate, score, write the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ensue.data.dataset import Examples
from ensue.data.feeds import ExampleFeed
from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import fit_temperature
from ensue.evaluation.classification import compute_metrics, get_loss_unit, losses
from ensue.evaluation.conformal import TARGET_COVERAGE, conformal_quantile
from ensue.evaluation.scores import Role, Score, by_group, with_intervals
from ensue.inspection import diagnostics
from ensue.models.baselines.majority import MajoritySettings
from ensue.models.contract import Predictor
from ensue.models.names import is_network
from ensue.models.tree import TreeSettings
from ensue.models.tree_leaves import build_classifier, leaf_fields
from ensue.settings import Settings
from ensue.tasks.cached import limit_model_size
from ensue.tasks.classify.data import read_parts, save_codecs
from ensue.tasks.classify.diagnostics import compute_details
from ensue.tasks.classify.predicting import get_groups, get_targets, predict
from ensue.tasks.classify.pretrained import copy_pretrained
from ensue.tasks.classify.report import LABELS, name_model
from ensue.tasks.classify.settings import MODELS, ClassifySettings
from ensue.tasks.classify.trained import CALIBRATION, UNCALIBRATED, Calibration, LabelModel
from ensue.tasks.fitting import (
    Budget,
    Fitted,
    defer_failure,
    fit_baselines,
    fit_network,
    log_closed_form,
    mean_nats,
    prepare_hardware,
    remaining_training,
)
from ensue.tasks.model_card import conclude
from ensue.tasks.results import count_labels, diagnose_labels
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import Run
from ensue.training.settings import TrainingSettings

MAX_LABELS = 1000
"""Labels up to which baselines are fitted: their time and memory grow with examples times labels.
"""


def train_classifier(
    run: Run, settings: ClassifySettings, data: Sequence[Path], on_event: Callback
) -> LabelModel:
    """Train until the budget is spent; a resumed run continues from its last checkpoint."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(run, settings, on_event)
    on_event(Working("reading the data"))
    parts = read_parts(run, settings, data, on_event)
    settings = _resolve(settings, parts, on_event)
    candidates = {name_model(one): one for one in _choose_baselines(settings, parts, on_event)}
    fit_one = partial(_fit_closed_form, parts)
    # Baselines come before the network, so that it gets the time that they leave.
    get_baselines = defer_failure(
        lambda: fit_baselines(candidates, fit_one, parts["train"], budget, on_event), on_event
    )
    training = remaining_training(settings.training, machine, budget, on_event)
    fitted = _fit(run, settings, training, parts, on_event)
    baselines, notes = get_baselines()
    on_event(Stage("writing the report"))
    on_event(Working("scoring the test part"))
    return _conclude(
        run, settings, parts, baselines, replace(fitted, selected=(*notes, *fitted.selected))
    )


def fit_classifier(
    run: Run, settings: ClassifySettings, parts: LabelledParts, on_event: Callback
) -> LabelModel:
    """Train in a new run on encoded parts, without baselines or test, for scikit-learn."""
    machine = prepare_hardware(run, settings, on_event)
    save_codecs(run, parts)
    training = remaining_training(
        settings.training, machine, Budget.of(settings.training), on_event
    )
    fitted = _fit(run, settings, training, parts, on_event)
    return _calibrate(run, fitted.model, parts)


def _resolve(
    settings: ClassifySettings, parts: LabelledParts, on_event: Callback
) -> ClassifySettings:
    """Fill in the settings that depend on the data, and report them."""
    if not isinstance(settings.model, TreeSettings):
        return settings
    shape = parts.content.shape
    model = settings.model.resolved(shape)
    if model != settings.model:
        on_event(Note(f"model.cell = {model.cell}: nodes have up to {shape.children} children"))
    return settings.model_copy(update={"model": model})


def _choose_baselines(
    settings: ClassifySettings, parts: LabelledParts, on_event: Callback
) -> list[Settings]:
    """Choose the baselines that fit the data, other than the run's own model."""
    baselines: list[Any] = [one for kind in MODELS.parts.values() if not is_network(one := kind())]
    shape, labels = leaf_fields(parts.content.shape), parts.labels
    if labels.size > MAX_LABELS:
        on_event(Note(f"{labels.size:,} labels are too many for baselines other than majority"))
        baselines = [MajoritySettings()]
    return [one for one in baselines if one.suits(shape, labels.kind) and one != settings.model]


def _fit_closed_form(parts: LabelledParts, settings: Settings, train: Examples) -> Fitted:
    """Fit a model that needs no gradient steps."""
    began = perf_counter()
    model: Any = build_classifier(
        settings, parts.content.shape, parts.labels.kind, parts.labels.size
    )
    selected = model.fit(train, parts["validation"])
    return Fitted(model, perf_counter() - began, selected or ())


def _fit(
    run: Run,
    settings: ClassifySettings,
    training: TrainingSettings,
    parts: LabelledParts,
    on_event: Callback,
) -> Fitted:
    """Fit the run's model, by gradient or in closed form, and write its weights to the run."""
    if is_network(settings.model):
        return _train(run, settings.model_copy(update={"training": training}), parts, on_event)
    on_event(Working(f"fitting {name_model(settings.model)}"))
    fitted = _fit_closed_form(parts, settings.model, parts["train"])
    run.write_arrays(fitted.model.arrays())
    validation = _validate(fitted.model, parts, training.batching.batch_size)
    log_closed_form(run, validation, fitted.seconds, (len(parts["train"]), "examples"), on_event)
    return fitted


def _train(
    run: Run, settings: ClassifySettings, parts: LabelledParts, on_event: Callback
) -> Fitted:
    with limit_model_size(run):
        network: Any = build_classifier(
            settings.model, parts.content.shape, parts.labels.kind, parts.labels.size
        )
    if settings.pretrained and run.checkpoint() is None:
        copied = copy_pretrained(network, settings.pretrained)
        run.describe({"pretrained": {"copied": copied}})
        on_event(Note(copied))
    feed = ExampleFeed(parts["train"], settings.training.batching.batch_size, settings.seed)

    def validate() -> float:
        return _validate(network, parts, settings.training.batching.batch_size)

    fitted = fit_network(run, network, settings.training, feed, validate, on_event)
    copied = run.about.get("pretrained", {}).get("copied")
    return replace(fitted, selected=(copied, *fitted.selected)) if copied else fitted


def _validate(model: Any, parts: LabelledParts, batch_size: int) -> float:
    """Compute the validation loss: nats per example, or mean absolute error of ordinal labels."""
    if parts.labels.kind != "ordinal":
        return mean_nats(model, parts["validation"], batch_size)
    return float(
        losses(
            predict(model, parts["validation"], parts.labels),
            get_targets(parts["validation"], parts.labels),
        ).mean()
    )


def _conclude(
    run: Run,
    settings: ClassifySettings,
    parts: LabelledParts,
    baselines: Mapping[str, Fitted],
    fitted: Fitted,
) -> LabelModel:
    """Calibrate, score all models on the test part, once, and write the report and the result."""
    labels, test = parts.labels, parts["test"]
    true, groups, unit = get_targets(test, labels), get_groups(test), get_loss_unit(labels.kind)
    # Calibration comes first: it is a part of the model, which is usable if the report fails.
    model = _calibrate(run, fitted.model, parts)

    def score(name: str, role: Role, one: Fitted) -> Score:
        calibration = _fit_calibration(one.model, parts)
        predictions = predict(one.model, test, labels).with_temperature(calibration.temperature)
        metrics, intervals = with_intervals(
            compute_metrics(predictions, true, calibration.bound), len(true), groups
        )
        cost = by_group(losses(predictions, true), groups)
        size = one.seconds, one.model.parameter_count
        return Score(name, role, metrics, intervals, cost, unit, *size, count=len(true))

    rows = [score(name, "baseline", one) for name, one in baselines.items()]
    role: Role = "network" if is_network(settings.model) else "baseline"
    rows.append(score(name_model(settings.model), role, fitted))
    raw = predict(fitted.model, test, labels)
    details = compute_details(model, parts, raw)
    calibrated = f"temperature {model.calibration.temperature:.2f}, and the conformal quantile"
    conclude(
        run,
        LABELS,
        rows,
        {
            name: ["--model", name]
            for name, kind in MODELS.parts.items()
            if name != "majority" and not is_network(kind())
        },
        selected=(
            *(line for one in (fitted, *baselines.values()) for line in one.selected),
            f"{calibrated}: on the calibration part",
        ),
        details=details,
        warnings=_diagnose(run, parts, rows, details),
    )
    return model


def _diagnose(
    run: Run, parts: LabelledParts, rows: Sequence[Score], details: Mapping[str, Any]
) -> list[str]:
    """Describe each probable fault of the training, with a remedy."""
    labels, count, size = parts.labels, len(parts["test"]), None
    counts: dict[str, dict[str, int]] = {}
    if labels.kind in ("multiclass", "ordinal"):
        # The validation loss of ordinal labels is not in nats.
        size = labels.size if labels.kind == "multiclass" else None
        ids = {name: np.asarray(one.examples.static["target"]) for name, one in parts.parts.items()}
        counts = {name: count_labels(own, labels.names) for name, own in ids.items()}
    # On an ordinal scale it is no fault if some label is never predicted.
    classes = details.get("per_class", ()) if labels.kind != "ordinal" else ()
    recalls = ((one["label"], one["examples"], one["recall"]) for one in classes)
    warnings = diagnose_labels(run, rows, counts, recalls, size)
    if "calibration_error" in details:
        warnings += diagnostics.miscalibrated(details["calibration_error"]["after"], count)
    sets = details["prediction_sets"]
    return warnings + diagnostics.undercoverage(sets["target_coverage"], sets["coverage"], count)


def _calibrate(run: Run, model: Predictor, parts: LabelledParts) -> LabelModel:
    calibration = _fit_calibration(model, parts)
    run.write(CALIBRATION, json.dumps(calibration.to_json()).encode())
    return LabelModel(run, model, parts.content, parts.labels, calibration)


def _fit_calibration(model: Predictor, parts: LabelledParts) -> Calibration:
    """Fit temperature and conformal quantile on the calibration part, if there is one."""
    if "calibration" not in parts.parts:
        return UNCALIBRATED
    part, labels = parts["calibration"], parts.labels
    predictions, true = predict(model, part, labels), get_targets(part, labels)
    temperature = fit_temperature(predictions, true)
    return Calibration(
        temperature,
        conformal_quantile(predictions.with_temperature(temperature), true),
        TARGET_COVERAGE,
    )
