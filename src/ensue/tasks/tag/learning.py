"""What `ensue train tag` does, in order: read, count the baselines, train, score, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np

from ensue.data.batching import Wholes
from ensue.data.examples import Examples
from ensue.data.tagged import TaggedParts, covered
from ensue.evaluation.ranking import Role
from ensue.evaluation.standing import Standing, with_intervals
from ensue.inspection import health
from ensue.models.tagging import TAGGERS, HMMSettings, TaggerSettings
from ensue.models.tagging.counts import TaggedSteps
from ensue.settings import Settings
from ensue.tasks.cached import no_larger
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
from ensue.tasks.tag.data import keep_codec, read_parts, vectors_of
from ensue.tasks.tag.model import TagModel, open_tokenizer, said_of, truth_of
from ensue.tasks.tag.report import markdown, name_of
from ensue.tasks.tag.settings import TagSettings
from ensue.training.contract import Note, Stage, Watch, Working
from ensue.training.run import METRICS, Run
from ensue.training.settings import TrainingSettings

MANY_TAGS = 500
"""Tags above which models of their pairs are no longer cheap: 64 rows of 1,000 tags take 256 MB at each word."""


def train_tagger(run: Run, settings: TagSettings, data: Sequence[Path], watch: Watch) -> TagModel:
    """Train in a run until its budget is spent; what a killed training has done already is not done again."""
    budget = Budget.of(settings.training)
    machine = take_machine(run, settings, watch, network=isinstance(settings.model, TaggerSettings))
    watch(Working("reading the data"))
    parts = read_parts(run, settings, data, watch)
    beside = {name_of(one): one for one in _baselines(settings, parts, watch)}
    fit_one = partial(_counted, parts)
    fitted = now_or_later(lambda: fit_beside(beside, fit_one, parts.parts["train"], budget, watch), watch)
    training = left_of(settings.training, machine, budget, watch)
    learned = _learned(run, settings, training, parts, watch)
    rivals, said = fitted()
    watch(Stage("writing the report"))
    watch(Working("scoring the test part"))
    return _conclude(run, settings, parts, rivals, replace(learned, chosen=(*said, *learned.chosen)))


def _baselines(settings: TagSettings, parts: TaggedParts, watch: Watch) -> list[Settings]:
    """Give the cheap models beside that of the settings; pairs of many tags are told, for they cost their square."""
    cheap = [kind() for kind in TAGGERS.values() if kind is not TaggerSettings]
    if parts.known_tags > MANY_TAGS:
        watch(Note(f"hmm: not fitted, for {parts.known_tags:,} tags make too many pairs"))
        cheap = [one for one in cheap if not isinstance(one, HMMSettings)]
        if isinstance(settings.model, TaggerSettings) and settings.model.head.name == "crf":
            watch(Note("a CRF of so many tags is slow (tag each word by itself with --set model.head=softmax)"))
    return [one for one in cheap if one != settings.model]


def learn_tags(run: Run, settings: TagSettings, parts: TaggedParts, watch: Watch) -> TagModel:
    """Train in a new run on parts that are encoded already, with no baselines beside it, and nothing scored."""
    machine = take_machine(run, settings, watch, network=isinstance(settings.model, TaggerSettings))
    keep_codec(run, parts)
    training = left_of(settings.training, machine, Budget.of(settings.training), watch)
    learned = _learned(run, settings, training, parts, watch)
    return TagModel(run, learned.model, parts.codec, parts.tags[: parts.known_tags], open_tokenizer(parts.to_json()))


def _counted(parts: TaggedParts, settings: Settings, train: Examples) -> Learned:
    """Count a model on the training part."""
    began = perf_counter()
    fields = (np.asarray(train.steps[name]) for name in ("surface", "suffix", "capital", "target"))
    model = cast("Any", settings).build(parts.sizes)
    model.fit(TaggedSteps(*fields, offsets=train.offsets, sizes=parts.sizes))
    return Learned(model, perf_counter() - began)


def _learned(
    run: Run,
    settings: TagSettings,
    training: TrainingSettings,
    parts: TaggedParts,
    watch: Watch,
) -> Learned:
    """Train a network, or count what is counted. The run has its arrays then."""
    if isinstance(settings.model, TaggerSettings):
        return _trained(run, settings.model_copy(update={"training": training}), parts, watch)
    learned = _counted(parts, settings.model, parts.parts["train"])
    run.write_arrays(learned.model.arrays())
    validation = mean_nats(learned.model, parts.parts["tune"], training.batching.rows)
    tell_fitted(run, validation, learned.seconds, (int(parts.parts["train"].offsets[-1]), "words"), watch)
    return learned


def _trained(run: Run, settings: TagSettings, parts: TaggedParts, watch: Watch) -> Learned:
    vectors = vectors_of(run) if settings.vectors else None
    with no_larger(run):
        network = settings.model.build(parts.sizes, vectors)
    feed = Wholes(parts.parts["train"], settings.training.batching.rows, settings.seed)

    def validate() -> float:
        return mean_nats(network, parts.parts["tune"], settings.training.batching.rows)

    return learn(run, network, settings.training, feed, validate, watch)


def _conclude(
    run: Run, settings: TagSettings, parts: TaggedParts, rivals: Mapping[str, Learned], learned: Learned
) -> TagModel:
    """Score everybody on the test part, once, and write the report and the result."""
    test = parts.parts["test"]
    truth = truth_of(test, parts.tags, parts.known_tags)

    def standing(name: str, role: Role, one: Learned) -> Standing:
        said, _ = said_of(one.model, test)
        metrics, intervals = with_intervals(truth.figures(said), truth.sentences)
        spans = truth.judged(said)
        unit = "errors per word" if spans is None else "span F1"
        made = one.seconds, one.model.parameter_count
        return Standing(name, role, metrics, intervals, truth.losses(said), unit, *made, spans)

    rows = [standing(name, "baseline", one) for name, one in rivals.items()]
    role: Role = "network" if isinstance(settings.model, TaggerSettings) else "baseline"
    rows.append(standing(name_of(settings.model), role, learned))
    details = truth.details(said_of(learned.model, test)[0])
    details["judged_by"] = "span_f1" if rows[-1].higher else "tag_accuracy"
    if settings.vectors:
        details["vectors"] = dict(zip(("covered", "words"), covered(parts), strict=True))
    known = parts.tags[: parts.known_tags]
    recalls = ((one["name"], one["count"], one["recall"]) for one in details["per_tag"] if one["name"] in known)
    counts = {part: tally(np.asarray(one.steps["target"]), parts.tags) for part, one in parts.parts.items()}
    symptoms = health.ailments(run.rows(METRICS), [], size=parts.known_tags if role == "network" else None)
    costs, of = costs_of_network(rows), rows[-1].unit if rows[-1].higher else ""
    symptoms += health.answers_of_labels(costs, counts, recalls, run.rows(METRICS), of)
    counted = {name_of(kind()): name for name, kind in TAGGERS.items() if kind is not TaggerSettings}
    advice = recommendation(run, rows, counted)
    result = Result(run.path.name, "tag", tuple(rows), advice, learned.chosen, details, tuple(symptoms))
    conclude(run, result.to_json(), markdown)
    return TagModel(run, learned.model, parts.codec, parts.tags[: parts.known_tags], open_tokenizer(parts.to_json()))
