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

from ensue.data.feeds import ExampleFeed
from ensue.data.labelled_parts import LabelledParts
from ensue.evaluation.calibration import fit_temperature
from ensue.evaluation.classification import compute_metrics, get_loss_unit, losses
from ensue.evaluation.conformal import TARGET_COVERAGE, conformal_quantile
from ensue.evaluation.predictions import Predictions
from ensue.evaluation.scores import Role, Score, by_group, with_intervals
from ensue.inspection import diagnostics
from ensue.models.baselines.majority import MajoritySettings
from ensue.models.contract import Predictor
from ensue.models.names import is_network, name_model
from ensue.models.tree import TreeSettings
from ensue.models.tree_leaves import build_classifier, leaf_fields
from ensue.settings import Settings
from ensue.tasks.cached import limit_model_size
from ensue.tasks.classify.data import read_parts, save_codecs
from ensue.tasks.classify.diagnostics import compute_details
from ensue.tasks.classify.predicting import get_groups, get_targets, predict
from ensue.tasks.classify.pretrained import copy_pretrained
from ensue.tasks.classify.report import LABELS
from ensue.tasks.classify.settings import MODELS, ClassifySettings
from ensue.tasks.classify.trained import CALIBRATION, UNCALIBRATED, Calibration, LabelModel
from ensue.tasks.fitting import (
    RESERVED_SHARE,
    Budget,
    Fitted,
    defer_failure,
    estimate_reserve,
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
    fit_one, count = partial(_fit_baseline, parts), len(parts["train"])
    # Baselines come before the network, so that it gets the time that they leave.
    get_baselines = defer_failure(
        lambda: fit_baselines(candidates, fit_one, count, budget, on_event), on_event
    )
    reserved = RESERVED_SHARE
    if is_network(settings.model):
        build, score_some = partial(_build, settings, parts), partial(_score_some, run, parts)
        reserved = estimate_reserve(run, build, score_some, machine, budget, on_event)
    training = remaining_training(settings.training, machine, budget, on_event, reserved)
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


def _build(settings: ClassifySettings, parts: LabelledParts) -> Any:
    return build_classifier(
        settings.model, parts.content.shape, parts.labels.kind, parts.labels.size
    )


def _fit_closed_form(parts: LabelledParts, settings: Settings) -> Fitted:
    """Fit a model that needs no gradient steps."""
    began = perf_counter()
    model: Any = build_classifier(
        settings, parts.content.shape, parts.labels.kind, parts.labels.size
    )
    selected = model.fit(parts["train"], parts["validation"])
    return Fitted(model, perf_counter() - began, selected or ())


def _fit_baseline(
    parts: LabelledParts, settings: Settings, every: int
) -> tuple[Score, tuple[str, ...]]:
    """Fit and score a baseline; return its score, and what was selected on which part."""
    parts = parts.sample(every)
    fitted = _fit_closed_form(parts, settings)
    calibration, raw = _fit_calibration(fitted.model, parts), _predict_test(fitted.model, parts)
    return _score(
        parts, name_model(settings), "baseline", fitted, raw, calibration
    ), fitted.selected


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
    fitted = _fit_closed_form(parts, settings.model)
    run.write_arrays(fitted.model.arrays())
    validation = _validate(fitted.model, parts, training.batching.batch_size)
    log_closed_form(run, validation, fitted.seconds, (len(parts["train"]), "examples"), on_event)
    return fitted


def _train(
    run: Run, settings: ClassifySettings, parts: LabelledParts, on_event: Callback
) -> Fitted:
    with limit_model_size(run):
        network = _build(settings, parts)
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


def _predict_test(model: Predictor, parts: LabelledParts) -> Predictions:
    return predict(model, parts["test"], parts.labels)


def _score(
    parts: LabelledParts,
    name: str,
    role: Role,
    fitted: Fitted,
    raw: Predictions,
    calibration: Calibration,
) -> Score:
    """Compute the score of a model; `raw` are its predictions of the test before calibration."""
    true, groups = get_targets(parts["test"], parts.labels), get_groups(parts["test"])
    predictions = raw.with_temperature(calibration.temperature)
    metrics, intervals = with_intervals(
        compute_metrics(predictions, true, calibration.bound), len(true), groups
    )
    cost, unit = by_group(losses(predictions, true), groups), get_loss_unit(parts.labels.kind)
    size = fitted.model.parameter_count
    seconds, count = fitted.seconds, len(true)
    return Score(name, role, metrics, intervals, cost, unit, seconds, size, count=count)


def _score_some(run: Run, parts: LabelledParts, network: Predictor, every: int) -> None:
    """Calibrate and score a network on one in `every` examples, to time it."""
    parts = parts.sample(every)
    calibration, raw = _fit_calibration(network, parts), _predict_test(network, parts)
    _score(parts, "", "network", Fitted(network, 0.0), raw, calibration)
    model = LabelModel(run, network, parts.content, parts.labels, calibration)
    compute_details(model, parts, raw)


def _conclude(
    run: Run,
    settings: ClassifySettings,
    parts: LabelledParts,
    baselines: Mapping[str, tuple[Score, tuple[str, ...]]],
    fitted: Fitted,
) -> LabelModel:
    """Calibrate and score the model on the test part, once, and write the report and result."""
    # Calibration comes first: it is a part of the model, which is usable if the report fails.
    model = _calibrate(run, fitted.model, parts)
    raw, rows = _predict_test(fitted.model, parts), [row for row, _ in baselines.values()]
    role: Role = "network" if is_network(settings.model) else "baseline"
    name = name_model(settings.model)
    rows.append(_score(parts, name, role, fitted, raw, model.calibration))
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
            *fitted.selected,
            *(line for _, selected in baselines.values() for line in selected),
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
