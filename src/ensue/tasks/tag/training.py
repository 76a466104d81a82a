"""Training of `tag`: read data, fit baselines, train, score, write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np

from ensue.data.feeds import ExampleFeed
from ensue.data.tagged import TaggedParts, count_covered
from ensue.evaluation.scores import Role, Score, with_intervals
from ensue.models.baselines.hmm import HMMSettings
from ensue.models.baselines.tag_counts import TaggedSteps
from ensue.models.names import is_network, name_model
from ensue.models.tagger import TaggerSettings
from ensue.settings import Settings
from ensue.tasks.cached import limit_model_size
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
from ensue.tasks.tag.data import load_vectors, read_parts, save_codec
from ensue.tasks.tag.report import TAGS
from ensue.tasks.tag.settings import MODELS, TagSettings
from ensue.tasks.tag.trained import TagModel, make_truth, open_tokenizer, predict_tags
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import Run
from ensue.training.settings import TrainingSettings

MANY_TAGS = 500
"""Tags above which models of tag pairs are slow: 64 sentences of 1,000 tags take 256 MB a word."""


def train_tagger(
    run: Run, settings: TagSettings, data: Sequence[Path], on_event: Callback
) -> TagModel:
    """Train until the budget is spent; a resumed run continues from its last checkpoint."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(run, settings, on_event)
    on_event(Working("reading the data"))
    parts = read_parts(run, settings, data, on_event)
    candidates = {name_model(one): one for one in _choose_baselines(settings, parts, on_event)}
    fit_one, count = partial(_fit_baseline, parts), len(parts.parts["train"])
    # Baselines come before the network, so that it gets the time that they leave.
    get_baselines = defer_failure(
        lambda: fit_baselines(candidates, fit_one, count, budget, on_event), on_event
    )
    reserved = RESERVED_SHARE
    if is_network(settings.model):
        build, score_some = partial(_build, run, settings, parts), partial(_score_some, parts)
        reserved = estimate_reserve(run, build, score_some, machine, budget, on_event)
    training = remaining_training(settings.training, machine, budget, on_event, reserved)
    fitted = _fit(run, settings, training, parts, on_event)
    baselines, notes = get_baselines()
    on_event(Stage("writing the report"))
    on_event(Working("scoring the test part"))
    return _conclude(
        run, settings, parts, baselines, replace(fitted, selected=(*notes, *fitted.selected))
    )


def _choose_baselines(
    settings: TagSettings, parts: TaggedParts, on_event: Callback
) -> list[Settings]:
    """Choose the baselines other than the run's own model.

    Models of tag pairs cost the square of the tags: with many, the HMM is not fitted, and a CRF
    gets a note.
    """
    baselines = [one for kind in MODELS.parts.values() if not is_network(one := kind())]
    if parts.known_tags > MANY_TAGS:
        on_event(Note(f"hmm: not fitted, since {parts.known_tags:,} tags make too many pairs"))
        baselines = [one for one in baselines if not isinstance(one, HMMSettings)]
        if isinstance(settings.model, TaggerSettings) and settings.model.head.name == "crf":
            on_event(
                Note(
                    "a CRF of so many tags is slow (--set model.head=softmax tags words separately)"
                )
            )
    return [one for one in baselines if one != settings.model]


def fit_tagger(run: Run, settings: TagSettings, parts: TaggedParts, on_event: Callback) -> TagModel:
    """Train in a new run on encoded parts, without baselines or test, for scikit-learn."""
    machine = prepare_hardware(run, settings, on_event)
    save_codec(run, parts)
    training = remaining_training(
        settings.training, machine, Budget.of(settings.training), on_event
    )
    fitted = _fit(run, settings, training, parts, on_event)
    return TagModel(
        run,
        fitted.model,
        parts.codec,
        parts.tags[: parts.known_tags],
        open_tokenizer(parts.to_json()),
    )


def _fit_closed_form(parts: TaggedParts, settings: Settings) -> Fitted:
    """Fit a model of counts, which needs no gradient steps."""
    began, train = perf_counter(), parts.parts["train"]
    fields = (np.asarray(train.steps[name]) for name in ("surface", "suffix", "capital", "target"))
    model = cast("Any", settings).build(parts.sizes)
    model.fit(TaggedSteps(*fields, offsets=train.offsets, sizes=parts.sizes))
    return Fitted(model, perf_counter() - began)


def _fit_baseline(parts: TaggedParts, settings: Settings, every: int) -> Score:
    """Fit and score a baseline on one in `every` sentences."""
    parts = parts.sample(every)
    return _score(parts, name_model(settings), "baseline", _fit_closed_form(parts, settings))[0]


def _fit(
    run: Run,
    settings: TagSettings,
    training: TrainingSettings,
    parts: TaggedParts,
    on_event: Callback,
) -> Fitted:
    """Fit the run's model, by gradient or in closed form, and write its weights to the run."""
    if is_network(settings.model):
        return _train(run, settings.model_copy(update={"training": training}), parts, on_event)
    fitted = _fit_closed_form(parts, settings.model)
    run.write_arrays(fitted.model.arrays())
    validation = mean_nats(fitted.model, parts.parts["validation"], training.batching.batch_size)
    log_closed_form(
        run, validation, fitted.seconds, (int(parts.parts["train"].offsets[-1]), "words"), on_event
    )
    return fitted


def _build(run: Run, settings: TagSettings, parts: TaggedParts) -> Any:
    vectors = load_vectors(run) if settings.vectors else None
    with limit_model_size(run):
        return cast("TaggerSettings", settings.model).build(parts.sizes, vectors)


def _train(run: Run, settings: TagSettings, parts: TaggedParts, on_event: Callback) -> Fitted:
    network = _build(run, settings, parts)
    feed = ExampleFeed(parts.parts["train"], settings.training.batching.batch_size, settings.seed)

    def validate() -> float:
        return mean_nats(network, parts.parts["validation"], settings.training.batching.batch_size)

    return fit_network(run, network, settings.training, feed, validate, on_event)


def _score(
    parts: TaggedParts, name: str, role: Role, fitted: Fitted
) -> tuple[Score, dict[str, Any]]:
    """Score a model on the test part; also return the details of its errors."""
    test = parts.parts["test"]
    truth = make_truth(test, parts.tags, parts.known_tags)
    predicted = predict_tags(fitted.model, test)
    metrics, intervals = with_intervals(truth.compute_metrics(predicted), truth.sentences)
    spans = truth.get_comparison_spans(predicted)
    unit = "errors per word" if spans is None else "span F1"
    size = fitted.seconds, fitted.model.parameter_count
    losses, count = truth.losses(predicted), len(truth.true)
    row = Score(name, role, metrics, intervals, losses, unit, *size, spans, count=count)
    return row, truth.details(predicted)


def _score_some(parts: TaggedParts, network: Any, every: int) -> None:
    """Score a network on one in `every` sentences, to time it."""
    _score(parts.sample(every), "", "network", Fitted(network, 0.0))


def _conclude(
    run: Run,
    settings: TagSettings,
    parts: TaggedParts,
    baselines: Mapping[str, Score],
    fitted: Fitted,
) -> TagModel:
    """Score the model on the test part, once, and write the report and the result."""
    role: Role = "network" if is_network(settings.model) else "baseline"
    row, details = _score(parts, name_model(settings.model), role, fitted)
    rows = [*baselines.values(), row]
    details["primary_metric"] = "span_f1" if rows[-1].higher else "tag_accuracy"
    if settings.vectors:
        details["vectors"] = dict(zip(("covered", "words"), count_covered(parts), strict=True))
    known = parts.tags[: parts.known_tags]
    recalls = (
        (one["name"], one["count"], one["recall"])
        for one in details["per_tag"]
        if one["name"] in known
    )
    counts = {
        part: count_labels(np.asarray(one.steps["target"]), parts.tags)
        for part, one in parts.parts.items()
    }
    model_flags = {
        name_model(kind()): ["--model", name]
        for name, kind in MODELS.parts.items()
        if kind is not TaggerSettings
    }
    conclude(
        run,
        TAGS,
        rows,
        model_flags,
        selected=fitted.selected,
        details=details,
        warnings=diagnose_labels(run, rows, counts, recalls, parts.known_tags),
    )
    return TagModel(
        run,
        fitted.model,
        parts.codec,
        parts.tags[: parts.known_tags],
        open_tokenizer(parts.to_json()),
    )
