"""What `ensue train tag` does, in order: read, count the baselines, train, score, report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np

from ensue.data.batching import Wholes
from ensue.data.demos import demo_meant, write_demo
from ensue.data.examples import keep_examples, kept_examples
from ensue.data.files import find_files
from ensue.data.readers.tagged import TaggedReader
from ensue.data.tagged import TaggedParts, covered, prepare_tagged
from ensue.data.vectors import Vectors, read_vectors
from ensue.evaluation.ranking import Role
from ensue.evaluation.standing import Standing, with_intervals
from ensue.inspection import health
from ensue.models.tagging import TAGGERS, TaggerSettings
from ensue.models.tagging.counts import TaggedSteps
from ensue.settings import Settings
from ensue.tasks.learning import Learned, learn, left_of, mean_nats, take_machine, tell_fitted
from ensue.tasks.outcome import Result, conclude, costs_of_network, recommendation, tally
from ensue.tasks.tag.model import CODEC, TagModel, said_of, truth_of
from ensue.tasks.tag.report import markdown, name_of
from ensue.tasks.tag.settings import TagSettings
from ensue.training.contract import Note, Stage, Watch
from ensue.training.run import METRICS, Run
from ensue.training.settings import MachineSettings

DEMO = "tokens"
VECTORS = "vectors.npy"


def train_tagger(run: Run, settings: TagSettings, data: Sequence[Path], watch: Watch) -> TagModel:
    """Train in a run until its budget is spent; what a killed training has done already is not done again."""
    began = perf_counter()
    machine = take_machine(run, settings, watch, network=isinstance(settings.model, TaggerSettings))
    parts = _parts(run, settings, data, watch)
    cheap = [kind() for kind in TAGGERS.values() if kind is not TaggerSettings]
    rivals = {name_of(one): _counted(one, parts) for one in cheap if one != settings.model}
    learned = _learned(run, settings, parts, machine, perf_counter() - began, watch)
    watch(Stage("writing the report"))
    return _conclude(run, settings, parts, rivals, learned)


def learn_tags(run: Run, settings: TagSettings, parts: TaggedParts, watch: Watch) -> TagModel:
    """Train in a new run on parts that are encoded already, with no baselines beside it, and nothing scored."""
    machine = take_machine(run, settings, watch, network=isinstance(settings.model, TaggerSettings))
    _keep_codec(run, parts)
    learned = _learned(run, settings, parts, machine, 0.0, watch)
    return TagModel(run, learned.model, parts.codec, parts.tags[: parts.known_tags], parts.tokenizer)


def _keep_codec(run: Run, parts: TaggedParts) -> None:
    taught = {"words": parts.codec.to_json(), "tags": parts.tags[: parts.known_tags], "tokenizer": parts.tokenizer}
    run.write(CODEC, json.dumps(taught).encode())


def _parts(run: Run, settings: TagSettings, data: Sequence[Path], watch: Watch) -> TaggedParts:
    """Read the data into the run; from then on its sources are not needed."""
    cache = run.path / "cache"
    kept = kept_examples(cache)
    if kept is None:
        cache.mkdir(exist_ok=True)
        _read(settings, data, cache)
        kept = kept_examples(cache)
        assert kept is not None
    parts, contents = TaggedParts.from_json(*kept), kept[1]
    _keep_codec(run, parts)
    counted = {
        part: {"sentences": len(np.unique(one.whole["sentence"])), "words": int(one.offsets[-1])}
        for part, one in parts.parts.items()
    }
    read = {name: contents[name] for name in ("kind", "columns")}
    run.describe({"data": {**read, "files": parts.files, "examples": counted}})
    for finding in parts.findings:
        watch(Note(finding))
    if settings.vectors:
        there, words = covered(parts)
        watch(Note(f"{settings.vectors}: {there:,} of the {words:,} words of the training part have a vector"))
    return parts


def _read(settings: TagSettings, data: Sequence[Path], cache: Path) -> None:
    demo = demo_meant(data, "tag", DEMO)
    paths = [write_demo(demo, cache)] if demo else data
    vectors: Vectors | None = read_vectors(Path(settings.vectors)) if settings.vectors else None
    if vectors is not None:
        np.save(cache / VECTORS, vectors.table)
    parts = prepare_tagged(paths, settings.data, settings.codec, settings.seed, vectors)
    reader = TaggedReader(find_files(paths), settings.data, True)
    columns = reader.layout.to_json() if reader.layout else {}
    keep_examples(parts.parts, {**parts.to_json(), "kind": reader.kind, "columns": columns}, cache)


def _counted(settings: Settings, parts: TaggedParts) -> Learned:
    """Count a model on the training part."""
    began = perf_counter()
    train = parts.parts["train"]
    fields = (np.asarray(train.steps[name]) for name in ("surface", "suffix", "capital", "target"))
    model = cast("Any", settings).build(parts.sizes)
    model.fit(TaggedSteps(*fields, offsets=train.offsets, sizes=parts.sizes))
    return Learned(model, perf_counter() - began)


def _learned(
    run: Run,
    settings: TagSettings,
    parts: TaggedParts,
    machine: MachineSettings,
    spent: float,
    watch: Watch,
) -> Learned:
    """Train a network, or count what is counted; `spent` seconds of its time are gone. The run has its arrays then."""
    training = left_of(settings.training, machine, spent)
    if isinstance(settings.model, TaggerSettings):
        return _trained(run, settings.model_copy(update={"training": training}), parts, watch)
    learned = _counted(settings.model, parts)
    run.write_arrays(learned.model.arrays())
    validation = mean_nats(learned.model, parts.parts["tune"], training.batching.rows)
    tell_fitted(run, validation, learned.seconds, (int(parts.parts["train"].offsets[-1]), "words"), watch)
    return learned


def _trained(run: Run, settings: TagSettings, parts: TaggedParts, watch: Watch) -> Learned:
    vectors = np.load(run.path / "cache" / VECTORS, allow_pickle=False) if settings.vectors else None
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
        costs = truth.losses(said)
        return Standing(
            name, role, metrics, intervals, costs, "errors per word", one.seconds, one.model.parameter_count
        )

    rows = [standing(name, "baseline", one) for name, one in rivals.items()]
    role: Role = "network" if isinstance(settings.model, TaggerSettings) else "baseline"
    rows.append(standing(name_of(settings.model), role, learned))
    details = truth.details(said_of(learned.model, test)[0])
    if settings.vectors:
        details["vectors"] = dict(zip(("covered", "words"), covered(parts), strict=True))
    known = parts.tags[: parts.known_tags]
    recalls = ((one["name"], one["count"], one["recall"]) for one in details["per_tag"] if one["name"] in known)
    counts = {part: tally(np.asarray(one.steps["target"]), parts.tags) for part, one in parts.parts.items()}
    symptoms = health.ailments(run.rows(METRICS), [], size=parts.known_tags)
    symptoms += health.answers_of_labels(costs_of_network(rows), counts, recalls, run.rows(METRICS))
    counted = {name_of(kind()): name for name, kind in TAGGERS.items() if kind is not TaggerSettings}
    advice = recommendation(run, rows, counted)
    result = Result(run.path.name, "tag", tuple(rows), advice, learned.chosen, details, tuple(symptoms))
    conclude(run, result.to_json(), markdown)
    return TagModel(run, learned.model, parts.codec, parts.tags[: parts.known_tags], parts.tokenizer)
