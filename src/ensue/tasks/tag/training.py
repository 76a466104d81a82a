"""What `ensue train tag` does, in order: read, count the baselines, train, score, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np

from ensue.data.dataset import Examples
from ensue.data.feeds import ExampleFeed
from ensue.data.tagged import TaggedParts, count_covered
from ensue.evaluation.ranking import Role
from ensue.evaluation.scores import Score, with_intervals
from ensue.inspection import diagnostics as health
from ensue.models.baselines.tag_counts import TaggedSteps
from ensue.models.taggers import TAGGERS, HMMSettings, TaggerSettings
from ensue.settings import Settings
from ensue.tasks.cached import limit_model_size
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
from ensue.tasks.tag.data import keep_codec, read_parts, vectors_of
from ensue.tasks.tag.report import markdown, name_of
from ensue.tasks.tag.settings import TagSettings
from ensue.tasks.tag.trained import TagModel, open_tokenizer, predict_tags, truth_of
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import METRICS, Run
from ensue.training.settings import TrainingSettings

MANY_TAGS = 500
"""Tags above which models of their pairs are no longer cheap: 64 rows of 1,000 tags take 256 MB
at each word."""


def train_tagger(
    run: Run, settings: TagSettings, data: Sequence[Path], watch: Callback
) -> TagModel:
    """Train in a run until its budget is spent; what a killed training has done already is not
    done again."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(
        run, settings, watch, network=isinstance(settings.model, TaggerSettings)
    )
    watch(Working("reading the data"))
    parts = read_parts(run, settings, data, watch)
    beside = {name_of(one): one for one in _baselines(settings, parts, watch)}
    fit_one = partial(_fit_baseline, parts)
    fitted = defer_failure(
        lambda: fit_baselines(beside, fit_one, parts.parts["train"], budget, watch), watch
    )
    training = remaining_training(settings.training, machine, budget, watch)
    learned = _fit(run, settings, training, parts, watch)
    rivals, said = fitted()
    watch(Stage("writing the report"))
    watch(Working("scoring the test part"))
    return _conclude(
        run, settings, parts, rivals, replace(learned, selected=(*said, *learned.selected))
    )


def _baselines(settings: TagSettings, parts: TaggedParts, watch: Callback) -> list[Settings]:
    """Give the cheap models beside that of the settings; pairs of many tags are told, for they
    cost their square."""
    cheap = [kind() for kind in TAGGERS.values() if kind is not TaggerSettings]
    if parts.known_tags > MANY_TAGS:
        watch(Note(f"hmm: not fitted, for {parts.known_tags:,} tags make too many pairs"))
        cheap = [one for one in cheap if not isinstance(one, HMMSettings)]
        if isinstance(settings.model, TaggerSettings) and settings.model.head.name == "crf":
            watch(
                Note(
                    "a CRF of so many tags is slow (tag each word by itself with --set "
                    "model.head=softmax)"
                )
            )
    return [one for one in cheap if one != settings.model]


def fit_tagger(run: Run, settings: TagSettings, parts: TaggedParts, watch: Callback) -> TagModel:
    """Train in a new run on parts that are encoded already, with no baselines beside it, and
    nothing scored."""
    machine = prepare_hardware(
        run, settings, watch, network=isinstance(settings.model, TaggerSettings)
    )
    keep_codec(run, parts)
    training = remaining_training(settings.training, machine, Budget.of(settings.training), watch)
    learned = _fit(run, settings, training, parts, watch)
    return TagModel(
        run,
        learned.model,
        parts.codec,
        parts.tags[: parts.known_tags],
        open_tokenizer(parts.to_json()),
    )


def _fit_baseline(parts: TaggedParts, settings: Settings, train: Examples) -> Fitted:
    """Count a model on the training part."""
    began = perf_counter()
    fields = (np.asarray(train.steps[name]) for name in ("surface", "suffix", "capital", "target"))
    model = cast("Any", settings).build(parts.sizes)
    model.fit(TaggedSteps(*fields, offsets=train.offsets, sizes=parts.sizes))
    return Fitted(model, perf_counter() - began)


def _fit(
    run: Run,
    settings: TagSettings,
    training: TrainingSettings,
    parts: TaggedParts,
    watch: Callback,
) -> Fitted:
    """Train a network, or count what is counted. The run has its arrays then."""
    if isinstance(settings.model, TaggerSettings):
        return _trained(run, settings.model_copy(update={"training": training}), parts, watch)
    learned = _fit_baseline(parts, settings.model, parts.parts["train"])
    run.write_arrays(learned.model.arrays())
    validation = mean_nats(learned.model, parts.parts["validation"], training.batching.batch_size)
    log_closed_form(
        run, validation, learned.seconds, (int(parts.parts["train"].offsets[-1]), "words"), watch
    )
    return learned


def _trained(run: Run, settings: TagSettings, parts: TaggedParts, watch: Callback) -> Fitted:
    vectors = vectors_of(run) if settings.vectors else None
    with limit_model_size(run):
        network = settings.model.build(parts.sizes, vectors)
    feed = ExampleFeed(parts.parts["train"], settings.training.batching.batch_size, settings.seed)

    def validate() -> float:
        return mean_nats(network, parts.parts["validation"], settings.training.batching.batch_size)

    return fit_network(run, network, settings.training, feed, validate, watch)


def _conclude(
    run: Run,
    settings: TagSettings,
    parts: TaggedParts,
    rivals: Mapping[str, Fitted],
    learned: Fitted,
) -> TagModel:
    """Score everybody on the test part, once, and write the report and the result."""
    test = parts.parts["test"]
    truth = truth_of(test, parts.tags, parts.known_tags)

    def standing(name: str, role: Role, one: Fitted) -> Score:
        said, _ = predict_tags(one.model, test)
        metrics, intervals = with_intervals(truth.compute_metrics(said), truth.sentences)
        spans = truth.get_comparison_spans(said)
        unit = "errors per word" if spans is None else "span F1"
        made = one.seconds, one.model.parameter_count
        return Score(name, role, metrics, intervals, truth.losses(said), unit, *made, spans)

    rows = [standing(name, "baseline", one) for name, one in rivals.items()]
    role: Role = "network" if isinstance(settings.model, TaggerSettings) else "baseline"
    rows.append(standing(name_of(settings.model), role, learned))
    details = truth.details(predict_tags(learned.model, test)[0])
    details["judged_by"] = "span_f1" if rows[-1].higher else "tag_accuracy"
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
    symptoms = health.diagnose(
        run.rows(METRICS), [], size=parts.known_tags if role == "network" else None
    )
    costs, of = get_network_costs(rows), rows[-1].unit if rows[-1].higher else ""
    symptoms += health.diagnose_labels(costs, counts, recalls, run.rows(METRICS), of)
    counted = {
        name_of(kind()): name for name, kind in TAGGERS.items() if kind is not TaggerSettings
    }
    advice = recommend(run, rows, counted)
    result = Result(
        run.path.name, "tag", tuple(rows), advice, learned.selected, details, tuple(symptoms)
    )
    conclude(run, result.to_json(), markdown)
    return TagModel(
        run,
        learned.model,
        parts.codec,
        parts.tags[: parts.known_tags],
        open_tokenizer(parts.to_json()),
    )
