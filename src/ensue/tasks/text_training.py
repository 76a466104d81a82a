"""What `ensue train generate` does, in order: read, count, train, mix, score on the test part, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ensue.data.batching import Feed, Passage, Records, Streams, Windows
from ensue.data.contract import Codec, Corpus
from ensue.data.prepare import Prepared
from ensue.evaluation.baselines import Row, row, symbol_counts, uniform_nats, unigram_nats
from ensue.evaluation.ranking import Role
from ensue.evaluation.score import ScoreSettings, score
from ensue.inspection.health import ailments
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture, MixtureFit, fit_mixture, gather
from ensue.models.ngram import NgramSettings
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.tasks.learning import Learned, learn, left_of, take_machine, tell_fitted
from ensue.tasks.outcome import conclude, layer_name
from ensue.tasks.report import Result, markdown, recommend
from ensue.tasks.rivals import Rivals, count_rivals, last_of
from ensue.tasks.text_data import read_parts
from ensue.tasks.text_model import MIXTURE, TextModel, beside_network
from ensue.training import devices
from ensue.training.contract import Note, Stage, Watch
from ensue.training.run import METRICS, Run
from ensue.training.settings import BatchingSettings, TrainingSettings

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings

VALIDATED = 100_000
"""Symbols of the tune part that a validation during training looks at."""
VALIDATION = ScoreSettings(rows=32, warmup=32)
"""During training the tune part is scored side by side, which is quick, and nearly exact."""
LONGEST_RECORD = 512
"""Symbols; a record that is longer is trained on in several rows."""
WEIGHED_ROWS, WEIGHED_STREAM, WEIGHED_UNREAD = 32, 1000, 32
"""The mixture is fitted on so many streams of the tune part side by side, of at least so many symbols; the first few of
each are read and not looked at, for there a network has seen nothing yet."""
PROBABILITIES = 1 << 22
"""How many the network gives at once while the mixture is fitted: 16 MB."""


@dataclass(frozen=True)
class Table:
    """The rows of the result, the last of them that of the run's model, and what was chosen on which part."""

    rows: list[Row]
    chosen: tuple[str, ...]


def train_text(run: Run, settings: GenerateSettings, data: Sequence[Path], watch: Watch) -> TextModel:
    """Train in a run until its budget is spent; what a killed training has done already is not done again."""
    began = perf_counter()
    machine = take_machine(run, settings, watch, network=not isinstance(settings.model, NgramSettings))
    parts = read_parts(run, settings, data, watch)
    rivals = count_rivals(parts, settings.baseline, settings.counted)
    watch(Note("; ".join(_counted_choice(settings.baseline, rivals)) or f"the n-gram has order {rivals.best.order}"))
    for note in _shortened(parts, settings):
        watch(Note(note))
    if isinstance(settings.model, NgramSettings):
        return _finish_counted(run, settings, parts, rivals, watch)
    training = left_of(settings.training, machine, perf_counter() - began)
    learned = _train_network(run, settings, training, parts, watch)
    return _finish_network(run, settings, parts, rivals, learned, watch)


def _shortened(parts: Prepared, settings: GenerateSettings) -> tuple[str, ...]:
    """Say so where n-grams see only the end of a long training part."""
    count, most = len(parts.train), settings.counted
    sample = f"the n-gram: from the last {most:,} of the {count:,} training symbols"
    return (sample,) if count > most and not settings.baseline.memory else ()


def _train_network(
    run: Run, settings: GenerateSettings, training: TrainingSettings, parts: Prepared, watch: Watch
) -> Learned:
    assert isinstance(settings.model, SequenceSettings)
    network = settings.model.build(parts.codec.size)
    tune = last_of(parts.tune, VALIDATED)

    def validate() -> float:
        return float(score(network, *tune, VALIDATION).mean())

    def sample() -> tuple[str, float]:
        written = TextModel(run, parts.codec, network).samples(length=120)[0]
        return written.text, written.nats

    batches = feed(training.batching, parts.codec, parts.train, settings.seed)
    return learn(run, network, training, batches, validate, watch, sample)


def feed(batching: BatchingSettings, codec: Codec, corpus: Corpus, seed: int) -> Feed:
    """Make the batches: streams of one long text, or records, unless the settings say otherwise."""
    by = batching.by or ("streams" if codec.end is None else "records")
    if by == "streams":
        return Streams(corpus, codec.start, batching.rows, batching.length)
    if by == "windows":
        return Windows(corpus, codec.start, batching.rows, batching.length, batching.jump, seed, batching.learned)
    return Records(corpus, codec.start, batching.rows, LONGEST_RECORD, seed)


def _finish_counted(run: Run, settings: GenerateSettings, parts: Prepared, rivals: Rivals, watch: Watch) -> TextModel:
    """The n-gram that was asked for is the model; it stands beside the best one, if that is another."""
    assert isinstance(settings.model, NgramSettings)
    model = rivals if settings.model == settings.baseline else count_rivals(parts, settings.model, settings.counted)
    run.write_arrays(model.best.arrays())  # whatever fails from here on, the run holds what was counted
    _tell_counted(run, parts, model, watch)
    rows, chosen = _baselines(parts, rivals), _counted_choice(settings.baseline, rivals)
    if model is not rivals:
        rows.append(_ngram_row(model, parts, " as set"))
        chosen += _counted_choice(settings.model, model, " as set")
    return _conclude(run, settings, parts, model.best, Table(rows, chosen), watch)


def _tell_counted(run: Run, parts: Prepared, model: Rivals, watch: Watch) -> None:
    """Counting is one step; it is logged as the training of a network is."""
    validation = float(score(model.tuned, parts.tune.ids, parts.tune.offsets, ScoreSettings()).mean())
    tell_fitted(run, validation, model.seconds, (len(parts.train), "symbols"), watch)


def _finish_network(
    run: Run, settings: GenerateSettings, parts: Prepared, rivals: Rivals, learned: Learned, watch: Watch
) -> TextModel:
    """Mix the network with the n-gram if that gains on the tune part, and score them all on the test part."""
    network = learned.model
    rows = [
        *_baselines(parts, rivals),
        _row(layer_name(settings.model.body), "network", network, parts, learned.seconds),
    ]
    chosen = (*_counted_choice(settings.baseline, rivals), *learned.chosen)
    if settings.mixture.use == "never":
        return _conclude(run, settings, parts, network, Table(rows, chosen), watch)
    fitted = _fit_mixture(network, rivals, parts)
    chosen += _mixture_choice(fitted, settings)
    if not settings.mixture.wanted(fitted):
        return _conclude(run, settings, parts, network, Table(rows, chosen), watch)
    mixture = Mixture(network, rivals.best, fitted.weights)
    run.write_arrays(beside_network(mixture), MIXTURE)
    rows.append(_row("mixture", "mixture", mixture, parts, learned.seconds + rivals.seconds))
    return _conclude(run, settings, parts, mixture, Table(rows, chosen), watch)


def _fit_mixture(network: SequenceModel, rivals: Rivals, parts: Prepared) -> MixtureFit:
    """Weigh the network and an n-gram that, like it, has not seen the tune part."""
    ids, offsets = last_of(parts.tune, VALIDATED)
    tune, start, unread = replace(parts.tune, ids=ids, offsets=offsets), parts.codec.start, 0
    if parts.codec.end is None:
        rows = min(max(len(ids) // WEIGHED_STREAM, 1), WEIGHED_ROWS)
        unread = WEIGHED_UNREAD if rows > 1 else 0
        batches: Feed = Streams(tune, start, rows, min(_weighed_at_once(rows, network.size), len(ids) // rows))
    else:
        batches = Passage(tune, start, WEIGHED_ROWS, _weighed_at_once(WEIGHED_ROWS, network.size))
    device = next(network.parameters()).device
    there = (devices.to_device(batch, device) for batch in batches.epoch(0))
    return fit_mixture(gather(network, rivals.tuned, there, len(tune), unread))


def _weighed_at_once(rows: int, size: int) -> int:
    return min(max(PROBABILITIES // (rows * size), 1), 1024)


def _baselines(parts: Prepared, rivals: Rivals) -> list[Row]:
    """The cheap alternatives, on the test part: uniform, unigram and the best n-gram."""
    test, size = parts.test, parts.codec.size
    seen = symbol_counts(parts.train.ids, size) + symbol_counts(parts.tune.ids, size)
    rows = [
        row("uniform", "baseline", test, uniform_nats(test, size), seconds=0.0, parameters=0),
        row("unigram", "baseline", test, unigram_nats(test, seen), seconds=0.0, parameters=size),
    ]
    return [*rows, _ngram_row(rivals, parts)]


def _ngram_row(rivals: Rivals, parts: Prepared, which: str = "") -> Row:
    return _row(f"{rivals.best.order}-gram{which}", "baseline", rivals.best, parts, rivals.seconds)


def _row(name: str, role: Role, model: Autoregressive, parts: Prepared, seconds: float) -> Row:
    nats = score(model, parts.test.ids, parts.test.offsets, ScoreSettings())
    return row(name, role, parts.test, nats, seconds=seconds, parameters=model.parameter_count)


def _counted_choice(settings: NgramSettings, rivals: Rivals, which: str = "") -> tuple[str, ...]:
    """Say what of an n-gram was chosen on which part; nothing if all of it was set."""
    if not settings.open:
        return ()
    what = f"order of the n-gram{which}, {rivals.best.order}"
    if settings.order != "auto":
        what = f"discounts of the n-gram{which}"
    return (f"the {what}: on the tune part, which was then counted too",)


def _mixture_choice(fitted: MixtureFit, settings: GenerateSettings) -> tuple[str, ...]:
    used = "used" if settings.mixture.wanted(fitted) else "not used"
    better = min(fitted.network_nats, fitted.ngram_nats) - fitted.nats
    return (f"the mixture's weights: on the tune part, where it gains {better:.4f} nats per symbol; {used}",)


def _conclude(
    run: Run, settings: GenerateSettings, parts: Prepared, model: Autoregressive, table: Table, watch: Watch
) -> TextModel:
    """Write the samples with their novelty, the report and the result."""
    watch(Stage("writing the report"))
    trained = TextModel(run, parts.codec, model)
    samples = tuple(trained.samples(n=3, length=300, temperature=0.8, novelty=True, seed=settings.seed))
    chosen = table.chosen + _shortened(parts, settings)
    size, tune = parts.codec.size, parts.tune
    unigram = float(unigram_nats(tune, symbol_counts(parts.train.ids, size)).mean())
    symptoms = tuple(ailments(run.rows(METRICS), [sample.text for sample in samples], unigram, size))
    result = Result(run.path.name, tuple(table.rows), recommend(run, settings, table.rows), chosen, samples, symptoms)
    conclude(run, result.to_json(), markdown)
    return trained
