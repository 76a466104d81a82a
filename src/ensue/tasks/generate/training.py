"""Train a model of text: read, count n-grams, train, fit the mixture, score, write the report."""

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
from ensue.evaluation.scores import Score
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.evaluation.unigram import symbol_counts, unigram_nats
from ensue.inspection.diagnostics import diagnose
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture, MixtureFit, fit_mixture, gather_fit_data
from ensue.models.names import name_model
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
from ensue.tasks.generate.baselines import (
    NgramBaseline,
    fit_ngram_baseline,
    note_cuts,
    take_last,
)
from ensue.tasks.generate.data import read_parts
from ensue.tasks.generate.ngram_budget import Share
from ensue.tasks.generate.report import TEXT, retrain_flags
from ensue.tasks.generate.scoring import Scoring, describe_choice
from ensue.tasks.generate.trained import MIXTURE, TextModel, mixture_arrays
from ensue.tasks.model_card import conclude
from ensue.training import devices
from ensue.training.contract import Callback, Note, Stage, Working
from ensue.training.folder.run import METRICS, Run
from ensue.training.settings import TextBatchingSettings, TextTrainingSettings

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings

VALIDATION_SYMBOLS = 100_000
"""Symbols of the validation part that are scored at each validation during training."""
MIN_VALIDATION_SYMBOLS, MAX_PROBABILITIES = 8_000, 300_000_000
"""With a large vocabulary fewer symbols are scored, as each takes a probability for all symbols.
With 33,000 words, 100,000 took half a minute, and a training of two minutes did nothing else."""
VALIDATION = ScoreSettings(batch_size=32, warmup=32)
"""During training the validation part is scored in parallel rows: fast, and nearly exact."""
LONGEST_RECORD = 512
"""Symbols; a longer record is split into several rows for training."""
MIXTURE_ROWS, MIN_STREAM, MIXTURE_WARMUP = 32, 1000, 32
"""Rows of the validation part on which the mixture is fitted, their least length, and the symbols
at the start of each that are ignored, for the network has no context there."""
MAX_RESERVED_SHARE = 0.3
"""Largest share of the minutes that is reserved for scoring and the report."""
SCORING_SHARE = 0.6
"""Share of the time after the training that goes into scoring."""
NOVELTY_SECONDS = 1.5e-7
"""Seconds to search one character of the training data for copies of the samples."""
PROBABILITIES = 1 << 22
"""Probabilities that the network computes at once while the mixture is fitted: 16 MB."""


@dataclass(frozen=True)
class Table:
    """The rows of the result, the last of them that of the run's model, and what was selected on
    which part."""

    rows: list[Score]
    selected: tuple[str, ...]


def train_text(
    run: Run, settings: GenerateSettings, data: Sequence[Path], on_event: Callback
) -> TextModel:
    """Train in a run until its budget is spent; a resumed run does not repeat finished steps."""
    budget = Budget.of(settings.training)
    hardware = prepare_hardware(run, settings, on_event)
    parts = read_parts(run, settings, data, budget, on_event)
    if isinstance(settings.model, NgramSettings):
        return _train_ngram(run, settings, settings.model, parts, on_event)
    share = Share.for_baseline(settings.baseline, budget.left(MIN_TRAINING_SHARE) / 60)
    counted = defer_failure(
        lambda: _count(run, parts, settings, settings.baseline, share, on_event), on_event
    )
    reserved = (
        RESERVED_SHARE
        if run.checkpoint()
        else _estimate_reserve(settings, parts, counted, budget, on_event)
    )
    trained = _train_network(
        run,
        settings,
        remaining_training(settings.training, hardware, budget, on_event, reserved),
        parts,
        on_event,
    )
    baseline = counted()
    assert baseline is not None  # the baseline is not optional
    return _finish_network(run, settings, parts, baseline, trained, budget, on_event)


def _count(
    run: Run,
    parts: Prepared,
    settings: GenerateSettings,
    ngram: NgramSettings,
    share: Share,
    on_event: Callback,
    name: str = "ngram",
) -> NgramBaseline | None:
    """Count an n-gram within its share, store the plan in the run, and add notes."""
    baseline = fit_ngram_baseline(
        parts, ngram, share, settings.counts_validation(parts), run.about.get(name, {}), on_event
    )
    if baseline is None:
        run.describe({name: {"skipped": True}})
        return None
    run.describe({name: {**asdict(baseline.plan), "validation": baseline.validation}})
    messages = describe_choice(ngram, baseline, settings.model) or (
        f"the n-gram has order {baseline.best.order}",
    )
    for note in (*messages, *note_cuts(baseline.plan, parts.train, ngram, share)):
        on_event(Note(note))
    return baseline


def _estimate_reserve(
    settings: GenerateSettings,
    parts: Prepared,
    counted: Callable[[], NgramBaseline | None],
    budget: Budget,
    on_event: Callback,
) -> float:
    """Estimate the share of the minutes for scoring and the report.

    A large vocabulary takes longer to score; an untrained network is timed. Without a time limit,
    or with a GPU, it is RESERVED_SHARE.
    """
    if (
        isinf(budget.minutes)
        or settings.training.hardware.device not in ("auto", "cpu")
        or torch.cuda.is_available()
    ):
        return RESERVED_SHARE
    on_event(Working("timing the scoring"))
    with torch.random.fork_rng(devices=[]):  # the trained network depends on the seed alone
        network = settings.model.build(parts.codec.size).eval()
    models: list[Autoregressive] = [network]
    with suppress(Exception):  # a failed n-gram is reported after the training
        if baseline := counted():
            models += [baseline.best, Mixture(network, baseline.best)]
    each = estimate_time_per_symbol(parts.test, models)
    mixing = min(len(parts.validation), validation_symbols(parts.codec.size)) / len(models)
    seconds = each * (min(len(parts.test), FEWEST) + mixing) / SCORING_SHARE
    return min(max(seconds / (60 * budget.minutes), RESERVED_SHARE), MAX_RESERVED_SHARE)


def validation_symbols(size: int) -> int:
    """Compute how many symbols each validation scores, by the size of the vocabulary."""
    return min(VALIDATION_SYMBOLS, max(MAX_PROBABILITIES // size, MIN_VALIDATION_SYMBOLS))


def _train_network(
    run: Run,
    settings: GenerateSettings,
    training: TextTrainingSettings,
    parts: Prepared,
    on_event: Callback,
) -> Fitted:
    assert isinstance(settings.model, SequenceSettings)
    with limit_model_size(run):
        network = settings.model.build(parts.codec.size)
    validation = take_last(parts.validation, validation_symbols(parts.codec.size))

    def validate() -> float:
        return float(score(network, *validation, VALIDATION).mean())

    def sample() -> tuple[str, float]:
        sample = TextModel(run, parts.codec, network).samples(length=120)[0]
        return sample.text, sample.nats

    batches = make_feed(training.batching, parts.codec, parts.train, settings.seed)
    return fit_network(run, network, training, batches, validate, on_event, sample)


def make_feed(batching: TextBatchingSettings, codec: Codec, corpus: Corpus, seed: int) -> Feed:
    """Make the training batches: streams of one long text, or records, unless set otherwise."""
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


def _train_ngram(
    run: Run, settings: GenerateSettings, ngram: NgramSettings, parts: Prepared, on_event: Callback
) -> TextModel:
    """Train the requested n-gram, and compare it with the best one if that is another and fits."""
    model = _count(run, parts, settings, ngram, Share.for_model(ngram), on_event)
    assert model is not None
    # Written first: if a later step fails, the run still has its model.
    run.write_arrays(model.best.arrays())
    _log_ngram(run, parts, model, on_event)
    scoring = Scoring(parts, ScoredText.of(parts.test, len(parts.test)), on_event)
    rows, selected = scoring.score_simple(settings.counts_validation(parts)), ()
    if ngram == settings.baseline:
        own = describe_choice(ngram, model, ngram)
        return _conclude(
            run, settings, parts, model.best, Table([*rows, scoring.ngram(model)], own), on_event
        )
    share = Share.for_baseline(settings.baseline, settings.training.minutes, optional=True)
    best = _count(run, parts, settings, settings.baseline, share, on_event, "ngram_beside")
    if best is None:
        selected = (f"the best n-gram was not compared: it would take more than {share}",)
        on_event(Note(selected[0]))
    else:
        rows.append(scoring.ngram(best))
        selected = describe_choice(settings.baseline, best, settings.model)
    rows.append(scoring.ngram(model, " as set"))
    selected += describe_choice(ngram, model, ngram, " as set")
    return _conclude(run, settings, parts, model.best, Table(rows, selected), on_event)


def _log_ngram(run: Run, parts: Prepared, model: NgramBaseline, on_event: Callback) -> None:
    """Log the counting as one training step, with the validation loss."""
    on_event(Working("scoring the validation part"))
    part = parts.validation
    validation = float(score(model.tuned, part.ids, part.offsets, ScoreSettings()).mean())
    log_closed_form(run, validation, model.seconds, (model.plan.symbols, "symbols"), on_event)


def _finish_network(
    run: Run,
    settings: GenerateSettings,
    parts: Prepared,
    baseline: NgramBaseline,
    trained: Fitted,
    budget: Budget,
    on_event: Callback,
) -> TextModel:
    """Fit the mixture of network and n-gram, and score all models on the test part.

    The run uses the mixture if it improves on both on the validation part.
    """
    network = trained.model
    selected = (*describe_choice(settings.baseline, baseline, settings.model), *trained.selected)
    models: list[Autoregressive] = [baseline.best, network]
    if settings.mixture.use != "never":
        on_event(Working("fitting the mixture"))
        fitted = _fit_mixture(network, baseline, parts)
        selected += _mixture_choice(fitted, settings)
        if settings.mixture.improves(fitted):
            mixture = Mixture(network, baseline.best, fitted.weights)
            run.write_arrays(mixture_arrays(mixture), MIXTURE)
            models.append(mixture)
    scoring = _scoring(run, parts, models, budget, on_event)
    rows = [
        *scoring.score_simple(settings.counts_validation(parts)),
        scoring.ngram(baseline),
        scoring.row(name_model(settings.model), "network", network, trained.seconds),
    ]
    if len(models) > 2:
        seconds = trained.seconds + baseline.seconds
        rows.append(scoring.row("mixture", "mixture", models[-1], seconds))
    table = Table(rows, (*selected, *scoring.notes))
    return _conclude(run, settings, parts, models[-1], table, on_event, budget)


def _scoring(
    run: Run, parts: Prepared, models: Sequence[Autoregressive], budget: Budget, on_event: Callback
) -> Scoring:
    """Score as much of the test part as the time allows, and store how much in the run."""
    symbols = run.about.get("scored", {}).get("symbols")
    if symbols is None:
        on_event(Working("timing the scoring of the test part"))
        symbols = count_affordable(parts.test, models, SCORING_SHARE * budget.left(RESERVED_SHARE))
        run.describe({"scored": {"symbols": symbols}})
    scoring = Scoring(parts, ScoredText.of(parts.test, symbols), on_event)
    for note in scoring.notes:
        on_event(Note(note))
    return scoring


def _fit_mixture(network: SequenceModel, baseline: NgramBaseline, parts: Prepared) -> MixtureFit:
    """Fit the mixture weights with an n-gram that has not counted the validation part."""
    ids, offsets = take_last(parts.validation, validation_symbols(parts.codec.size))
    part, start = replace(parts.validation, ids=ids, offsets=offsets), parts.codec.start
    warmup = 0
    if parts.codec.end is None:
        rows = min(max(len(ids) // MIN_STREAM, 1), MIXTURE_ROWS)
        warmup = MIXTURE_WARMUP if rows > 1 else 0
        window = min(_mixture_window(rows, network.size), len(ids) // rows)
        batches: Feed = Streams(part, start, rows, window)
    else:
        window = _mixture_window(MIXTURE_ROWS, network.size)
        batches = ScoringFeed(part, start, MIXTURE_ROWS, window)
    device = next(network.parameters()).device
    there = (devices.to_device(batch, device) for batch in batches.epoch(0))
    return fit_mixture(gather_fit_data(network, baseline.tuned, there, len(part), warmup))


def _mixture_window(rows: int, size: int) -> int:
    return min(max(PROBABILITIES // (rows * size), 1), 1024)


def _mixture_choice(fitted: MixtureFit, settings: GenerateSettings) -> tuple[str, ...]:
    used = "used" if settings.mixture.improves(fitted) else "not used"
    better = min(fitted.network_nats, fitted.ngram_nats) - fitted.nats
    where = "the mixture's weights: on the validation part, where it is better by"
    return (f"{where} {better:.4f} nats per symbol; {used}",)


def _conclude(
    run: Run,
    settings: GenerateSettings,
    parts: Prepared,
    model: Autoregressive,
    table: Table,
    on_event: Callback,
    budget: Budget | None = None,
) -> TextModel:
    """Write samples with their novelty, the report and the result."""
    on_event(Stage("writing the report"))
    on_event(Working("writing samples, and searching the training data for copies"))
    trained = TextModel(run, parts.codec, model)
    searches = budget is None or NOVELTY_SECONDS * parts.train.characters <= budget.left(
        RESERVED_SHARE
    )
    if not searches:
        what = "no time is left to search the training data for copies"
        on_event(Note(f"{what}; use `ensue generate RUN --novelty`"))
    samples = tuple(
        trained.samples("", 3, length=300, temperature=0.8, novelty=searches, seed=settings.seed)
    )
    size, validation = parts.codec.size, parts.validation
    unigram = float(unigram_nats(validation, symbol_counts(parts.train.ids, size)).mean())
    # An n-gram has no training curve to diagnose.
    log = [] if isinstance(settings.model, NgramSettings) else run.rows(METRICS)
    warnings = diagnose(log, [sample.text for sample in samples], unigram, size)
    details = {"samples": [sample.to_json() for sample in samples]}
    flags = retrain_flags(settings, table.rows)
    conclude(
        run, TEXT, table.rows, flags, selected=table.selected, details=details, warnings=warnings
    )
    return trained
