"""What `ensue train generate` does, in order: read, count, train, mix, score on the test part,
report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ensue.data.contract import Codec, Corpus
from ensue.data.feeds import Feed, Records, ScoringFeed, Streams, Windows
from ensue.data.prepare import Prepared
from ensue.evaluation.sampling import FEWEST, ScoredText, count_affordable, estimate_time_per_symbol
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.evaluation.unigram import TextScore, symbol_counts, unigram_nats
from ensue.inspection.diagnostics import diagnose
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture, MixtureFit, fit_mixture, gather_fit_data
from ensue.models.ngram import NgramSettings
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.tasks.cached import limit_model_size
from ensue.tasks.fitting import (
    MIN_TRAINING_SHARE,
    RESERVED_SHARE,
    Budget,
    Fitted,
    defer_failure,
    fit_network,
    log_closed_form,
    prepare_hardware,
    remaining_training,
)
from ensue.tasks.generate.baselines import NgramBaseline, fit_ngram_baseline, last_of, shortened
from ensue.tasks.generate.data import read_parts
from ensue.tasks.generate.ngram_budget import Share
from ensue.tasks.generate.report import Result, markdown, recommend
from ensue.tasks.generate.scoring import Scoring, counted_choice
from ensue.tasks.generate.trained import MIXTURE, TextModel, with_mixture
from ensue.tasks.results import conclude, layer_name
from ensue.training import devices
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import METRICS, Run
from ensue.training.settings import BatchingSettings, TrainingSettings

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings

VALIDATED, FEWEST_VALIDATED, PROBABILITIES_VALIDATED = 100_000, 8_000, 300_000_000
"""Symbols of the validation part that a validation during training looks at; fewer of a large
vocabulary, for a network gives each symbol a probability at each of them: with 33,000 words,
100,000 took half a minute, and a training of two minutes had time for nothing else."""
VALIDATION = ScoreSettings(batch_size=32, warmup=32)
"""During training the validation part is scored side by side, which is quick, and nearly exact."""
LONGEST_RECORD = 512
"""Symbols; a record that is longer is trained on in several rows."""
WEIGHED_ROWS, WEIGHED_STREAM, WEIGHED_UNREAD = 32, 1000, 32
"""The mixture is fitted on so many streams of the validation part side by side, of at least so many
symbols; the first few of each are read and not looked at, for there a network has seen nothing yet.
"""
MOST_SPARED = 0.3
"""The largest share of the minutes that is kept for what comes after the training."""
SCORING = 0.6
"""Of the time that is left after the training, so much goes into scoring."""
NOVELTY_SECONDS = 1.5e-7
"""Of searching one character of the training data for copies of the samples."""
PROBABILITIES = 1 << 22
"""How many the network gives at once while the mixture is fitted: 16 MB."""


@dataclass(frozen=True)
class Table:
    """The rows of the result, the last of them that of the run's model, and what was chosen on
    which part."""

    rows: list[TextScore]
    selected: tuple[str, ...]


def train_text(
    run: Run, settings: GenerateSettings, data: Sequence[Path], watch: Callback
) -> TextModel:
    """Train in a run until its budget is spent; what a killed training has done already is not
    done again."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(
        run, settings, watch, network=not isinstance(settings.model, NgramSettings)
    )
    parts = read_parts(run, settings, data, budget, watch)
    if isinstance(settings.model, NgramSettings):
        return _train_counted(run, settings, settings.model, parts, watch)
    share = Share.beside(settings.baseline, budget.left(MIN_TRAINING_SHARE) / 60)
    counted = defer_failure(
        lambda: _count(run, parts, settings, settings.baseline, share, watch), watch
    )
    spared = (
        RESERVED_SHARE if run.checkpoint() else _spared(settings, parts, counted, budget, watch)
    )
    learned = _train_network(
        run,
        settings,
        remaining_training(settings.training, machine, budget, watch, spared),
        parts,
        watch,
    )
    rivals = counted()
    assert rivals is not None  # it is not optional: it is mixed with the network
    return _finish_network(run, settings, parts, rivals, learned, budget, watch)


def _count(
    run: Run,
    parts: Prepared,
    settings: GenerateSettings,
    ngram: NgramSettings,
    share: Share,
    watch: Callback,
    name: str = "ngram",
) -> NgramBaseline | None:
    """Count an n-gram by its share, write into the run what was planned, and say what came out."""
    rivals = fit_ngram_baseline(
        parts, ngram, share, settings.counts_validation(parts), run.about.get(name, {}), watch
    )
    if rivals is None:
        run.describe({name: {"skipped": True}})
        return None
    run.describe({name: {**asdict(rivals.plan), "validation": rivals.validation}})
    part = "model" if ngram is settings.model else "baseline"
    said = counted_choice(ngram, rivals, part=part) or (
        f"the n-gram has order {rivals.best.order}",
    )
    for note in (*said, *shortened(rivals.plan, parts.train, ngram, share)):
        watch(Note(note))
    return rivals


def _spared(
    settings: GenerateSettings,
    parts: Prepared,
    counted: Callable[[], NgramBaseline | None],
    budget: Budget,
    watch: Callback,
) -> float:
    """Give the share of the minutes that comes after the training: over many symbols more, as a
    new network shows."""
    if (
        isinf(budget.minutes)
        or settings.training.hardware.device not in ("auto", "cpu")
        or torch.cuda.is_available()
    ):
        return RESERVED_SHARE
    watch(Working("timing what comes after the training"))
    with torch.random.fork_rng(devices=[]):  # the network that is trained is made from the seed
        network = settings.model.build(parts.codec.size).eval()
    models: list[Autoregressive] = [network]
    with suppress(Exception):  # what failed of the n-gram is told after the training
        if rivals := counted():
            models += [rivals.best, Mixture(network, rivals.best)]
    each = estimate_time_per_symbol(parts.test, models)
    mixing = min(len(parts.validation), validated(parts.codec.size)) / len(models)
    seconds = each * (min(len(parts.test), FEWEST) + mixing) / SCORING
    return min(max(seconds / (60 * budget.minutes), RESERVED_SHARE), MOST_SPARED)


def validated(size: int) -> int:
    """Say how many symbols of the validation part a validation looks at, by the size of the
    vocabulary."""
    return min(VALIDATED, max(PROBABILITIES_VALIDATED // size, FEWEST_VALIDATED))


def _train_network(
    run: Run,
    settings: GenerateSettings,
    training: TrainingSettings,
    parts: Prepared,
    watch: Callback,
) -> Fitted:
    assert isinstance(settings.model, SequenceSettings)
    with limit_model_size(run):
        network = settings.model.build(parts.codec.size)
    tune = last_of(parts.validation, validated(parts.codec.size))

    def validate() -> float:
        return float(score(network, *tune, VALIDATION).mean())

    def sample() -> tuple[str, float]:
        written = TextModel(run, parts.codec, network).samples(length=120)[0]
        return written.text, written.nats

    batches = feed(training.batching, parts.codec, parts.train, settings.seed)
    return fit_network(run, network, training, batches, validate, watch, sample)


def feed(batching: BatchingSettings, codec: Codec, corpus: Corpus, seed: int) -> Feed:
    """Make the batches: streams of one long text, or records, unless the settings say otherwise."""
    by = batching.mode or ("streams" if codec.end is None else "records")
    if by == "streams":
        return Streams(corpus, codec.start, batching.batch_size, batching.sequence_length)
    if by == "windows":
        return Windows(
            corpus,
            codec.start,
            batching.batch_size,
            batching.sequence_length,
            batching.stride,
            seed,
            batching.loss_on,
        )
    return Records(corpus, codec.start, batching.batch_size, LONGEST_RECORD, seed)


def _train_counted(
    run: Run, settings: GenerateSettings, ngram: NgramSettings, parts: Prepared, watch: Callback
) -> TextModel:
    """The n-gram that was asked for is the model; the best one stands beside it, if that is
    another and cheap."""
    model = _count(run, parts, settings, ngram, Share.asked(ngram), watch)
    assert model is not None
    run.write_arrays(
        model.best.arrays()
    )  # whatever fails from here on, the run holds what was counted
    _log_counted(run, parts, model, watch)
    scoring = Scoring(parts, ScoredText.of(parts.test, len(parts.test)), watch)
    rows, chosen = scoring.cheapest(settings.counts_validation(parts)), ()
    if ngram == settings.baseline:
        own = counted_choice(ngram, model, part="model")
        return _conclude(
            run, settings, parts, model.best, Table([*rows, scoring.ngram(model)], own), watch
        )
    share = Share.beside(settings.baseline, settings.training.minutes, optional=True)
    best = _count(run, parts, settings, settings.baseline, share, watch, "ngram_beside")
    if best is None:
        chosen = (f"the best n-gram is not beside it: it would take more than {share}",)
        watch(Note(chosen[0]))
    else:
        rows.append(scoring.ngram(best))
        chosen = counted_choice(settings.baseline, best)
    rows.append(scoring.ngram(model, " as set"))
    chosen += counted_choice(ngram, model, " as set", "model")
    return _conclude(run, settings, parts, model.best, Table(rows, chosen), watch)


def _log_counted(run: Run, parts: Prepared, model: NgramBaseline, watch: Callback) -> None:
    """Counting is one step; it is logged as the training of a network is."""
    watch(Working("scoring the validation part"))
    validation = float(
        score(model.tuned, parts.validation.ids, parts.validation.offsets, ScoreSettings()).mean()
    )
    log_closed_form(run, validation, model.seconds, (model.plan.symbols, "symbols"), watch)


def _finish_network(
    run: Run,
    settings: GenerateSettings,
    parts: Prepared,
    rivals: NgramBaseline,
    learned: Fitted,
    budget: Budget,
    watch: Callback,
) -> TextModel:
    """Mix the network with the n-gram if that gains on the validation part, and score them all
    on the test part."""
    network, chosen = learned.model, (*counted_choice(settings.baseline, rivals), *learned.selected)
    models: list[Autoregressive] = [rivals.best, network]
    if settings.mixture.use != "never":
        watch(Working("fitting the mixture"))
        fitted = _fit_mixture(network, rivals, parts)
        chosen += _mixture_choice(fitted, settings)
        if settings.mixture.improves(fitted):
            mixture = Mixture(network, rivals.best, fitted.weights)
            run.write_arrays(with_mixture(mixture), MIXTURE)
            models.append(mixture)
    scoring = _scoring(run, parts, models, budget, watch)
    rows = [
        *scoring.cheapest(settings.counts_validation(parts)),
        scoring.ngram(rivals),
        scoring.row(layer_name(settings.model.body), "network", network, learned.seconds),
    ]
    if len(models) > 2:
        rows.append(scoring.row("mixture", "mixture", models[-1], learned.seconds + rivals.seconds))
    return _conclude(
        run, settings, parts, models[-1], Table(rows, (*chosen, *scoring.said)), watch, budget
    )


def _scoring(
    run: Run, parts: Prepared, models: Sequence[Autoregressive], budget: Budget, watch: Callback
) -> Scoring:
    """Score as much of the test part as the time allows, and write down how much that is."""
    symbols = run.about.get("scored", {}).get("symbols")
    if symbols is None:
        watch(Working("timing the scoring of the test part"))
        symbols = count_affordable(parts.test, models, SCORING * budget.left(RESERVED_SHARE))
        run.describe({"scored": {"symbols": symbols}})
    scoring = Scoring(parts, ScoredText.of(parts.test, symbols), watch)
    for note in scoring.said:
        watch(Note(note))
    return scoring


def _fit_mixture(network: SequenceModel, rivals: NgramBaseline, parts: Prepared) -> MixtureFit:
    """Weigh the network and an n-gram that, like it, has not seen the validation part."""
    ids, offsets = last_of(parts.validation, validated(parts.codec.size))
    tune, start, unread = replace(parts.validation, ids=ids, offsets=offsets), parts.codec.start, 0
    if parts.codec.end is None:
        rows = min(max(len(ids) // WEIGHED_STREAM, 1), WEIGHED_ROWS)
        unread = WEIGHED_UNREAD if rows > 1 else 0
        batches: Feed = Streams(
            tune, start, rows, min(_weighed_at_once(rows, network.size), len(ids) // rows)
        )
    else:
        batches = ScoringFeed(
            tune, start, WEIGHED_ROWS, _weighed_at_once(WEIGHED_ROWS, network.size)
        )
    device = next(network.parameters()).device
    there = (devices.to_device(batch, device) for batch in batches.epoch(0))
    return fit_mixture(gather_fit_data(network, rivals.tuned, there, len(tune), unread))


def _weighed_at_once(rows: int, size: int) -> int:
    return min(max(PROBABILITIES // (rows * size), 1), 1024)


def _mixture_choice(fitted: MixtureFit, settings: GenerateSettings) -> tuple[str, ...]:
    used = "used" if settings.mixture.improves(fitted) else "not used"
    better = min(fitted.network_nats, fitted.ngram_nats) - fitted.nats
    return (
        (
            f"the mixture's weights: on the validation part, where it gains {better:.4f} "
            f"nats per symbol; {used}"
        ),
    )


def _conclude(
    run: Run,
    settings: GenerateSettings,
    parts: Prepared,
    model: Autoregressive,
    table: Table,
    watch: Callback,
    budget: Budget | None = None,
) -> TextModel:
    """Write the samples with their novelty, the report and the result."""
    watch(Stage("writing the report"))
    watch(Working("writing samples, and searching the training data for copies"))
    trained = TextModel(run, parts.codec, model)
    searches = budget is None or NOVELTY_SECONDS * parts.train.characters <= budget.left(
        RESERVED_SHARE
    )
    if not searches:
        watch(
            Note(
                "no time is left to search the training data for copies: `ensue generate "
                "RUN --novelty` does"
            )
        )
    samples = tuple(
        trained.samples(n=3, length=300, temperature=0.8, novelty=searches, seed=settings.seed)
    )
    size, tune = parts.codec.size, parts.validation
    unigram = float(unigram_nats(tune, symbol_counts(parts.train.ids, size)).mean())
    # What is counted at one go has no course, and is no network.
    course = [] if isinstance(settings.model, NgramSettings) else run.rows(METRICS)
    symptoms = tuple(diagnose(course, [sample.text for sample in samples], unigram, size))
    rows, chosen = tuple(table.rows), table.selected
    result = Result(run.path.name, rows, recommend(run, settings, rows), chosen, samples, symptoms)
    conclude(run, result.to_json(), markdown)
    return trained
