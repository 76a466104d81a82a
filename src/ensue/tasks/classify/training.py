"""What `ensue train classify` does, in order: read, fit the baselines, train, calibrate, score,
report."""

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
from ensue.evaluation.ranking import Role
from ensue.evaluation.scores import Score, by_group, with_intervals
from ensue.inspection import diagnostics as health
from ensue.models.baselines.majority import MajoritySettings
from ensue.models.classifiers import CLASSIFIERS, NETWORKS, build_classifier
from ensue.models.contract import Predictor
from ensue.models.tree import TreeSettings
from ensue.models.tree_leaves import leaf_fields
from ensue.settings import Settings
from ensue.tasks.cached import limit_model_size
from ensue.tasks.classify.data import keep_codecs, read_parts
from ensue.tasks.classify.diagnostics import compute_details
from ensue.tasks.classify.predicting import groups_of, predict, targets
from ensue.tasks.classify.pretrained import take_over
from ensue.tasks.classify.report import markdown, name_of
from ensue.tasks.classify.settings import ClassifySettings
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
from ensue.tasks.results import Result, conclude, count_labels, get_network_costs, recommend
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import METRICS, Run
from ensue.training.settings import TrainingSettings

MAX_LABELS = 1000
"""Labels up to which cheap models are cheap: their time and memory grow with examples and
labels."""


def train_classifier(
    run: Run, settings: ClassifySettings, data: Sequence[Path], watch: Callback
) -> LabelModel:
    """Train in a run until its budget is spent; what a killed training has done already is not
    done again."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(run, settings, watch, network=settings.model.name in NETWORKS)
    watch(Working("reading the data"))
    parts = read_parts(run, settings, data, watch)
    settings = _resolve(settings, parts, watch)
    beside = {name_of(one): one for one in _baselines(settings, parts, watch)}
    fit_one = partial(_fit_baseline, parts)
    fitted = defer_failure(
        lambda: fit_baselines(beside, fit_one, parts["train"], budget, watch), watch
    )
    training = remaining_training(settings.training, machine, budget, watch)
    learned = _fit(run, settings, training, parts, watch)
    rivals, said = fitted()
    watch(Stage("writing the report"))
    watch(Working("scoring the test part"))
    return _conclude(
        run, settings, parts, rivals, replace(learned, selected=(*said, *learned.selected))
    )


def fit_classifier(
    run: Run, settings: ClassifySettings, parts: LabelledParts, watch: Callback
) -> LabelModel:
    """Train in a new run on parts that are encoded already, with no baselines beside it, and
    nothing scored."""
    machine = prepare_hardware(run, settings, watch, network=settings.model.name in NETWORKS)
    keep_codecs(run, parts)
    training = remaining_training(settings.training, machine, Budget.of(settings.training), watch)
    learned = _fit(run, settings, training, parts, watch)
    return _calibrated(run, learned.model, parts)


def _resolve(settings: ClassifySettings, parts: LabelledParts, watch: Callback) -> ClassifySettings:
    """Fill in what depends on the data, and say it."""
    if not isinstance(settings.model, TreeSettings):
        return settings
    shape = parts.content.shape
    model = settings.model.resolved(shape)
    if model != settings.model:
        watch(Note(f"model.cell = {model.cell}, for nodes have up to {shape.children} children"))
    return settings.model_copy(update={"model": model})


def _baselines(settings: ClassifySettings, parts: LabelledParts, watch: Callback) -> list[Settings]:
    """Give the cheap models that suit the data, but for the run's own."""
    cheap: list[Any] = [kind() for name, kind in CLASSIFIERS.items() if name not in NETWORKS]
    shape, labels = leaf_fields(parts.content.shape), parts.labels
    if labels.size > MAX_LABELS:
        watch(Note(f"{labels.size:,} labels are too many for baselines other than majority"))
        cheap = [MajoritySettings()]
    return [one for one in cheap if one.suits(shape, labels.kind) and one != settings.model]


def _fit_baseline(parts: LabelledParts, settings: Settings, train: Examples) -> Fitted:
    """Fit a model that is not trained step by step."""
    began = perf_counter()
    model: Any = build_classifier(
        settings, parts.content.shape, parts.labels.kind, parts.labels.size
    )
    chosen = model.fit(train, parts["validation"])
    return Fitted(model, perf_counter() - began, chosen or ())


def _fit(
    run: Run,
    settings: ClassifySettings,
    training: TrainingSettings,
    parts: LabelledParts,
    watch: Callback,
) -> Fitted:
    """Train a network, or fit what is fitted. The run has its arrays then."""
    if settings.model.name in NETWORKS:
        return _trained(run, settings.model_copy(update={"training": training}), parts, watch)
    watch(Working(f"fitting {name_of(settings.model)}"))
    learned = _fit_baseline(parts, settings.model, parts["train"])
    run.write_arrays(learned.model.arrays())
    validation = _validation(learned.model, parts, training.batching.batch_size)
    log_closed_form(run, validation, learned.seconds, (len(parts["train"]), "examples"), watch)
    return learned


def _trained(run: Run, settings: ClassifySettings, parts: LabelledParts, watch: Callback) -> Fitted:
    with limit_model_size(run):
        network: Any = build_classifier(
            settings.model, parts.content.shape, parts.labels.kind, parts.labels.size
        )
    if settings.pretrained and run.checkpoint() is None:
        taken = take_over(network, settings.pretrained)
        run.describe({"pretrained": {"taken": taken}})
        watch(Note(taken))
    feed = ExampleFeed(parts["train"], settings.training.batching.batch_size, settings.seed)

    def validate() -> float:
        return _validation(network, parts, settings.training.batching.batch_size)

    learned = fit_network(run, network, settings.training, feed, validate, watch)
    taken = run.about.get("pretrained", {}).get("taken")
    return replace(learned, selected=(taken, *learned.selected)) if taken else learned


def _validation(model: Any, parts: LabelledParts, rows: int) -> float:
    """Give what a network is chosen by, on the validation part: nats; on a scale, how many
    places it is off in the mean."""
    if parts.labels.kind != "ordinal":
        return mean_nats(model, parts["validation"], rows)
    return float(
        losses(
            predict(model, parts["validation"], parts.labels),
            targets(parts["validation"], parts.labels),
        ).mean()
    )


def _conclude(
    run: Run,
    settings: ClassifySettings,
    parts: LabelledParts,
    rivals: Mapping[str, Fitted],
    learned: Fitted,
) -> LabelModel:
    """Calibrate, score everybody on the test part, once, and write the report and the result."""
    labels, test = parts.labels, parts["test"]
    true, groups, unit = targets(test, labels), groups_of(test), get_loss_unit(labels.kind)
    told = _calibrated(
        run, learned.model, parts
    )  # first, for it belongs to the model, whatever fails after it

    def standing(name: str, role: Role, one: Fitted) -> Score:
        fitted = _calibrate(one.model, parts)
        answers = predict(one.model, test, labels).with_temperature(fitted.temperature)
        metrics, intervals = with_intervals(
            compute_metrics(answers, true, fitted.bound), len(true), groups
        )
        cost = by_group(losses(answers, true), groups)
        return Score(
            name, role, metrics, intervals, cost, unit, one.seconds, one.model.parameter_count
        )

    rows = [standing(name, "baseline", one) for name, one in rivals.items()]
    role: Role = "network" if settings.model.name in NETWORKS else "baseline"
    rows.append(standing(name_of(settings.model), role, learned))
    raw = predict(learned.model, test, labels)
    details = compute_details(told, parts, raw)
    result = Result(
        run=run.path.name,
        task="classify",
        rows=tuple(rows),
        recommendation=recommend(
            run, rows, {name: name for name in CLASSIFIERS if name not in (*NETWORKS, "majority")}
        ),
        selected=(
            *(chosen for one in (learned, *rivals.values()) for chosen in one.selected),
            (
                f"temperature {told.calibration.temperature:.2f}, and the sets: on the "
                f"calibration part"
            ),
        ),
        details=details,
        warnings=tuple(_symptoms(run, parts, rows, details)),
    )
    conclude(run, result.to_json(), markdown)
    return told


def _symptoms(
    run: Run, parts: LabelledParts, rows: Sequence[Score], details: Mapping[str, Any]
) -> list[str]:
    """Name what seems to have gone wrong, and say what to do."""
    labels, count, size = parts.labels, len(parts["test"]), None
    counts: dict[str, dict[str, int]] = {}
    if labels.kind in ("multiclass", "ordinal"):
        # What is fitted at one go has no loss that falls; on a scale the validation is not in nats.
        size = labels.size if labels.kind == "multiclass" and rows[-1].role == "network" else None
        targets = {
            name: np.asarray(one.examples.static["target"]) for name, one in parts.parts.items()
        }
        counts = {name: count_labels(ids, labels.names) for name, ids in targets.items()}
    classes = (
        details.get("per_class", ()) if labels.kind != "ordinal" else ()
    )  # a scale has no label to leave out
    recalls = ((one["label"], one["examples"], one["recall"]) for one in classes)
    found = health.diagnose(run.rows(METRICS), [], size=size)
    found += health.diagnose_labels(get_network_costs(rows), counts, recalls, run.rows(METRICS))
    if "calibration_error" in details:
        found += health.miscalibrated(details["calibration_error"]["after"], count)
    return found + health.undercoverage(
        details["prediction_sets"]["target_coverage"], details["prediction_sets"]["coverage"], count
    )


def _calibrated(run: Run, model: Predictor, parts: LabelledParts) -> LabelModel:
    calibration = _calibrate(model, parts)
    run.write(CALIBRATION, json.dumps(calibration.to_json()).encode())
    return LabelModel(run, model, parts.content, parts.labels, calibration)


def _calibrate(model: Predictor, parts: LabelledParts) -> Calibration:
    """Fit what is fitted on the calibration part; without one, answers stay as they are, and
    sets hold every label."""
    if "calibration" not in parts.parts:
        return UNCALIBRATED
    part, labels = parts["calibration"], parts.labels
    answers, true = predict(model, part, labels), targets(part, labels)
    temperature = fit_temperature(answers, true)
    return Calibration(
        temperature,
        conformal_quantile(answers.with_temperature(temperature), true),
        TARGET_COVERAGE,
    )
