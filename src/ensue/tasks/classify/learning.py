"""What `ensue train classify` does, in order: read, fit the baselines, train, calibrate, score, report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ensue.data.batching import Wholes
from ensue.data.examples import Examples
from ensue.data.partition import Parts
from ensue.evaluation.calibration import fit_temperature
from ensue.evaluation.classification import figures, losses, unit_of
from ensue.evaluation.conformal import PROMISED, fit_bound
from ensue.evaluation.ranking import Role
from ensue.evaluation.standing import Standing, by_group, with_intervals
from ensue.inspection import health
from ensue.models.classifying import CLASSIFIERS, TRAINED, build_classifier
from ensue.models.contract import Predictor
from ensue.models.over_words import of_sequence
from ensue.models.prior import PriorSettings
from ensue.models.tree import TreeSettings
from ensue.settings import Settings
from ensue.tasks.cached import no_larger
from ensue.tasks.classify.asking import ask, groups_of, targets
from ensue.tasks.classify.data import keep_codecs, read_parts
from ensue.tasks.classify.details import details_of
from ensue.tasks.classify.model import CALIBRATION, UNCALIBRATED, Calibration, LabelModel
from ensue.tasks.classify.pretrained import take_over
from ensue.tasks.classify.report import markdown, name_of
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.learning import (
    Budget,
    Learned,
    fit_beside,
    learn,
    left_of,
    mean_nats,
    now_or_later,
    take_machine,
    tell_fitted,
)
from ensue.tasks.outcome import Result, conclude, costs_of_network, recommendation, tally
from ensue.training.contract import Note, Stage, Watch, Working
from ensue.training.run import METRICS, Run
from ensue.training.settings import TrainingSettings

MOST_LABELS = 1000
"""Labels up to which cheap models are cheap: their time and memory grow with examples and labels."""


def train_classifier(run: Run, settings: ClassifySettings, data: Sequence[Path], watch: Watch) -> LabelModel:
    """Train in a run until its budget is spent; what a killed training has done already is not done again."""
    budget = Budget.of(settings.training)
    machine = take_machine(run, settings, watch, network=settings.model.name in TRAINED)
    watch(Working("reading the data"))
    parts = read_parts(run, settings, data, watch)
    settings = _settled(settings, parts, watch)
    beside = {name_of(one): one for one in _baselines(settings, parts, watch)}
    fit_one = partial(_fitted, parts)
    fitted = now_or_later(lambda: fit_beside(beside, fit_one, parts["train"], budget, watch), watch)
    training = left_of(settings.training, machine, budget, watch)
    learned = _learned(run, settings, training, parts, watch)
    rivals, said = fitted()
    watch(Stage("writing the report"))
    watch(Working("scoring the test part"))
    return _conclude(run, settings, parts, rivals, replace(learned, chosen=(*said, *learned.chosen)))


def learn_labels(run: Run, settings: ClassifySettings, parts: Parts, watch: Watch) -> LabelModel:
    """Train in a new run on parts that are encoded already, with no baselines beside it, and nothing scored."""
    machine = take_machine(run, settings, watch, network=settings.model.name in TRAINED)
    keep_codecs(run, parts)
    training = left_of(settings.training, machine, Budget.of(settings.training), watch)
    learned = _learned(run, settings, training, parts, watch)
    return _calibrated(run, learned.model, parts)


def _settled(settings: ClassifySettings, parts: Parts, watch: Watch) -> ClassifySettings:
    """Fill in what depends on the data, and say it."""
    if not isinstance(settings.model, TreeSettings):
        return settings
    shape = parts.content.shape
    model = settings.model.settled(shape)
    if model != settings.model:
        watch(Note(f"model.cell = {model.cell}, for nodes have up to {shape.children} children"))
    return settings.model_copy(update={"model": model})


def _baselines(settings: ClassifySettings, parts: Parts, watch: Watch) -> list[Settings]:
    """Give the cheap models that suit the data, but for the run's own."""
    cheap: list[Any] = [kind() for name, kind in CLASSIFIERS.items() if name not in TRAINED]
    shape, labels = of_sequence(parts.content.shape), parts.labels
    if labels.size > MOST_LABELS:
        watch(Note(f"{labels.size:,} labels are too many for baselines other than majority"))
        cheap = [PriorSettings()]
    return [one for one in cheap if one.suits(shape, labels.kind) and one != settings.model]


def _fitted(parts: Parts, settings: Settings, train: Examples) -> Learned:
    """Fit a model that is not trained step by step."""
    began = perf_counter()
    model: Any = build_classifier(settings, parts.content.shape, parts.labels.kind, parts.labels.size)
    chosen = model.fit(train, parts["tune"])
    return Learned(model, perf_counter() - began, chosen or ())


def _learned(
    run: Run,
    settings: ClassifySettings,
    training: TrainingSettings,
    parts: Parts,
    watch: Watch,
) -> Learned:
    """Train a network, or fit what is fitted. The run has its arrays then."""
    if settings.model.name in TRAINED:
        return _trained(run, settings.model_copy(update={"training": training}), parts, watch)
    watch(Working(f"fitting {name_of(settings.model)}"))
    learned = _fitted(parts, settings.model, parts["train"])
    run.write_arrays(learned.model.arrays())
    validation = _validation(learned.model, parts, training.batching.rows)
    tell_fitted(run, validation, learned.seconds, (len(parts["train"]), "examples"), watch)
    return learned


def _trained(run: Run, settings: ClassifySettings, parts: Parts, watch: Watch) -> Learned:
    with no_larger(run):
        network: Any = build_classifier(settings.model, parts.content.shape, parts.labels.kind, parts.labels.size)
    if settings.pretrained and run.checkpoint() is None:
        taken = take_over(network, settings.pretrained)
        run.describe({"pretrained": {"taken": taken}})
        watch(Note(taken))
    feed = Wholes(parts["train"], settings.training.batching.rows, settings.seed)

    def validate() -> float:
        return _validation(network, parts, settings.training.batching.rows)

    learned = learn(run, network, settings.training, feed, validate, watch)
    taken = run.about.get("pretrained", {}).get("taken")
    return replace(learned, chosen=(taken, *learned.chosen)) if taken else learned


def _validation(model: Any, parts: Parts, rows: int) -> float:
    """Give what a network is chosen by, on the tune part: nats; on a scale, how many places it is off in the mean."""
    if parts.labels.kind != "ordinal":
        return mean_nats(model, parts["tune"], rows)
    return float(losses(ask(model, parts["tune"], parts.labels), targets(parts["tune"], parts.labels)).mean())


def _conclude(
    run: Run,
    settings: ClassifySettings,
    parts: Parts,
    rivals: Mapping[str, Learned],
    learned: Learned,
) -> LabelModel:
    """Calibrate, score everybody on the test part, once, and write the report and the result."""
    labels, test = parts.labels, parts["test"]
    true, groups, unit = targets(test, labels), groups_of(test), unit_of(labels.kind)
    told = _calibrated(run, learned.model, parts)  # first, for it belongs to the model, whatever fails after it

    def standing(name: str, role: Role, one: Learned) -> Standing:
        fitted = _calibrate(one.model, parts)
        answers = ask(one.model, test, labels).at(fitted.temperature)
        metrics, intervals = with_intervals(figures(answers, true, fitted.bound), len(true), groups)
        cost = by_group(losses(answers, true), groups)
        return Standing(name, role, metrics, intervals, cost, unit, one.seconds, one.model.parameter_count)

    rows = [standing(name, "baseline", one) for name, one in rivals.items()]
    role: Role = "network" if settings.model.name in TRAINED else "baseline"
    rows.append(standing(name_of(settings.model), role, learned))
    raw = ask(learned.model, test, labels)
    details = details_of(told, parts, raw)
    result = Result(
        run=run.path.name,
        task="classify",
        rows=tuple(rows),
        verdict=recommendation(run, rows, {name: name for name in CLASSIFIERS if name not in (*TRAINED, "majority")}),
        chosen=(
            *(chosen for one in (learned, *rivals.values()) for chosen in one.chosen),
            f"temperature {told.calibration.temperature:.2f}, and the sets: on the calibrate part",
        ),
        details=details,
        symptoms=tuple(_symptoms(run, parts, rows, details)),
    )
    conclude(run, result.to_json(), markdown)
    return told


def _symptoms(run: Run, parts: Parts, rows: Sequence[Standing], details: Mapping[str, Any]) -> list[str]:
    """Name what seems to have gone wrong, and say what to do."""
    labels, count, size = parts.labels, len(parts["test"]), None
    counts: dict[str, dict[str, int]] = {}
    if labels.kind in ("single", "ordinal"):
        # What is fitted at one go has no loss that falls; on a scale the validation is not in nats.
        size = labels.size if labels.kind == "single" and rows[-1].role == "network" else None
        targets = {name: np.asarray(one.examples.whole["target"]) for name, one in parts.parts.items()}
        counts = {name: tally(ids, labels.names) for name, ids in targets.items()}
    classes = details.get("per_class", ()) if labels.kind != "ordinal" else ()  # a scale has no label to leave out
    recalls = ((one["label"], one["examples"], one["recall"]) for one in classes)
    found = health.ailments(run.rows(METRICS), [], size=size)
    found += health.answers_of_labels(costs_of_network(rows), counts, recalls, run.rows(METRICS))
    if "calibration_error" in details:
        found += health.unsure(details["calibration_error"]["after"], count)
    return found + health.uncovered(details["sets"]["promised"], details["sets"]["covered"], count)


def _calibrated(run: Run, model: Predictor, parts: Parts) -> LabelModel:
    calibration = _calibrate(model, parts)
    run.write(CALIBRATION, json.dumps(calibration.to_json()).encode())
    return LabelModel(run, model, parts.content, parts.labels, calibration)


def _calibrate(model: Predictor, parts: Parts) -> Calibration:
    """Fit what is fitted on the calibrate part; without one, answers stay as they are, and sets hold every label."""
    if "calibrate" not in parts.parts:
        return UNCALIBRATED
    part, labels = parts["calibrate"], parts.labels
    answers, true = ask(model, part, labels), targets(part, labels)
    temperature = fit_temperature(answers, true)
    return Calibration(temperature, fit_bound(answers.at(temperature), true), PROMISED)
