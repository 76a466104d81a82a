"""What the training of `generate` has of its own: its n-grams, its mixture and its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ensue.data.contract import Corpus
from ensue.data.feeds import Feed
from ensue.data.text_parts import TextParts, take_last
from ensue.evaluation.likelihood import Nats
from ensue.evaluation.sampling import FEWEST, ScoredText, count_affordable, count_in_time
from ensue.evaluation.scores import Measured, Score
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.evaluation.unigram import Frequencies, measure_text, symbol_counts
from ensue.inspection.diagnostics import diagnose
from ensue.models.mixture import Mixture, fit_mixture_to_text, improves
from ensue.models.names import is_network
from ensue.models.sequence import SequenceModel
from ensue.tasks.fitting import MIN_TRAINING_SHARE, RESERVED_SHARE, Budget, Fitted
from ensue.tasks.generate.baselines import (
    NgramFit,
    fit_ngram,
    share_for_baseline,
    share_for_model,
)
from ensue.tasks.generate.data import DATA
from ensue.tasks.generate.report import TEXT, retrain_flags
from ensue.tasks.generate.settings import MODELS
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.pretrained import load_pretrained
from ensue.tasks.training import Baseline, Training
from ensue.training.contract import Callback, Note, Working
from ensue.training.devices import choose_device
from ensue.training.folder.run import METRICS, Run
from ensue.training.text_feeds import make_feed

VALIDATION_SYMBOLS = 100_000
"""Symbols of the validation part that are scored at each validation during training."""
MIN_VALIDATION_SYMBOLS, MAX_PROBABILITIES = 8_000, 300_000_000
"""With a large vocabulary fewer symbols are scored, as each takes a probability for all symbols.
With 33,000 words, 100,000 took half a minute, and a training of two minutes did nothing else."""
VALIDATION_SHARE = 0.02
"""Share of the time of a training that one validation may take."""
VALIDATION = ScoreSettings(batch_size=32, warmup=32)
"""During training the validation part is scored in parallel rows: fast, and nearly exact."""
SCORING_SHARE, PLANNED = 0.6, 20_000
"""Share of the time after the training that goes into scoring, and symbols that it is planned for;
fewer are scored if these take longer."""
NOVELTY_SECONDS = 1.5e-7
"""Seconds to search one character of the training data for copies of the samples."""


@dataclass(frozen=True)
class Predicted:
    """Nats of the symbols that are scored, all of the test part or stretches of it."""

    text: Corpus
    nats: Nats
    searches: bool
    """Whether there is time to search the training data for copies."""


class GenerateTraining(Training[Any]):
    """The training of `generate`."""

    source = DATA
    models = MODELS
    report = TEXT
    largest_reserve = 0.3

    def commands(self, settings: Any, scores: Sequence[Score]) -> dict[str, list[str]]:
        """Write the flags that train each model of the table with the other settings."""
        return retrain_flags(settings, scores)

    def fit_baselines(
        self, run: Run, settings: Any, data: TextParts, budget: Budget, on_event: Callback
    ) -> tuple[list[Baseline], tuple[str, ...]]:
        """Fit the simple models, and count the n-gram baseline.

        Beside an n-gram only one whose settings were chosen is counted, for it may cost more.
        """
        seen, notes = symbol_counts(data.train.ids, data.codec.size), tuple[str, ...]()
        if settings.counts_validation(data):
            seen += symbol_counts(data.validation.ids, data.codec.size)
        uniform, unigram = Frequencies.uniform(len(seen)), Frequencies.unigram(seen)
        fitted = [Fitted(uniform, 0.0, title="uniform"), Fitted(unigram, 0.0, title="unigram")]
        ngram, beside = settings.baseline, not is_network(settings.model)
        if not beside or settings.compares_ngrams:
            minutes = settings.training.minutes if beside else budget.left(MIN_TRAINING_SHARE) / 60
            share, name = share_for_baseline(ngram, minutes, beside), "ngram" + "_beside" * beside
            found = fit_ngram(settings, ngram, data, share, run.about.get(name, {}), on_event)
            run.describe({name: {"skipped": True} if found is None else found.counted})
            if found is None:
                what = "the n-gram of `baseline` was not counted"
                notes = (f"{what}: it would take more than {share}",)
                on_event(Note(notes[0]))
            else:
                fitted.append(found)
        return [(one, None) for one in fitted], notes

    def fit(self, settings: Any, data: TextParts, on_event: Callback) -> Fitted:
        """Count the n-gram of the settings, on disk if there is too little memory."""
        share = share_for_model(settings.model)
        found = fit_ngram(settings, settings.model, data, share, {}, on_event)
        assert found is not None  # it is not optional
        return found

    def build(self, settings: Any, data: TextParts) -> SequenceModel:
        """Build the network."""
        return settings.model.build(data.codec.size)

    def start(
        self, run: Run, settings: Any, network: Any, data: TextParts, on_event: Callback
    ) -> None:
        """Load the weights of a pretrained run, and score them before they are trained further.

        Where the budget is a time, decide how many symbols each validation scores.
        """
        if run.checkpoint() is not None:
            return
        symbols, training = validation_symbols(run, data), settings.training
        if training.steps is None and training.epochs is None:
            on_event(Working("timing the validation"))
            network.to(choose_device(training.hardware)).eval()
            seconds = VALIDATION_SHARE * 60 * training.minutes
            affordable = count_in_time(partial(_validate, network, data), seconds, symbols)
            symbols = max(affordable, min(FEWEST, symbols))
            network.train()
            run.describe({"validated": {"symbols": symbols}})
        if not settings.pretrained:
            return
        known = load_pretrained(settings.pretrained, network, data, symbols, on_event)
        run.describe({"pretrained": known})

    def feed(self, settings: Any, data: TextParts) -> Feed:
        """Make the training batches."""
        return make_feed(settings.training.batching, data.codec, data.train, settings.seed)

    def sample(self, run: Run, network: Any, data: TextParts) -> tuple[str, float]:
        """Generate a short text."""
        sample = TextModel(run, data.codec, network).samples(length=120)[0]
        return sample.text, sample.nats

    def validate(self, run: Run, model: Any, settings: Any, data: TextParts) -> float:
        """Compute nats per symbol; a network is validated often, and only on the end."""
        part = data.validation
        if not is_network(settings.model):
            return float(score(model, part.ids, part.offsets, ScoreSettings()).mean())
        return _validate(model, data, validation_symbols(run, data))

    def size(self, data: TextParts) -> tuple[int, str]:
        """Count the symbols."""
        return len(data.train), "symbols"

    def rehearse(
        self,
        run: Run,
        settings: Any,
        data: TextParts,
        baselines: Sequence[Fitted],
        network: Any,
        every: int,
    ) -> None:
        """Score as many symbols as are planned for; the mixture costs as much as its members."""
        ngrams = [one.model for one in baselines if isinstance(one, NgramFit)]
        symbols = min(len(data.test), PLANNED) / SCORING_SHARE
        model = Mixture(network, ngrams[0], each=True) if ngrams else network
        ScoredText.of(data.test, max(int(symbols / every), 1)).nats(model)

    def combine(
        self,
        run: Run,
        settings: Any,
        fitted: Fitted,
        baselines: Sequence[Fitted],
        data: TextParts,
        on_event: Callback,
    ) -> Fitted:
        """Mix network and n-gram if that improves on both on the validation part, else take the
        better one."""
        if known := run.about.get("pretrained"):
            some = ScoredText.of(data.validation, validation_symbols(run, data))
            after = some.nats_per_character(fitted.model)
            run.describe({"pretrained": {**known, "after": after}})
        if fitted.role != "network" or settings.mixture.use == "never":
            return fitted
        ngram = next(one for one in baselines if isinstance(one, NgramFit))
        on_event(Working("fitting the mixture"))
        # The n-gram must not have counted what the weights are fitted to.
        ids, offsets = take_last(data.validation, validation_symbols(run, data))
        part = replace(data.validation, ids=ids, offsets=offsets)
        found = fit_mixture_to_text(fitted.model, ngram.tuned, part, data.codec)
        use = improves(found, settings.mixture)
        better = min(found.network_nats, found.ngram_nats) - found.nats
        where = "the mixture's weights: on the validation part, where it is better by"
        best = fitted if found.network_nats <= found.ngram_nats else ngram
        held = "the mixture" if use else best.name
        selected = (f"{where} {better:.4f} nats per symbol; the run holds {held}",)
        if not use:
            return replace(best, selected=selected)
        mixture = Mixture(fitted.model, ngram.model, found.weights)
        both = {"settings": settings, "title": "mixture", "members": (fitted, ngram)}
        return Fitted(mixture, fitted.seconds + ngram.seconds, selected, **both)

    def predict_each(
        self,
        run: Run,
        models: Sequence[Fitted],
        data: TextParts,
        budget: Budget,
        on_event: Callback,
    ) -> list[Predicted]:
        """Compute the nats of as much of the test part as there is time for, the same for all."""
        symbols = len(data.test)
        timed = any(one.role == "network" for one in models)
        if timed and (symbols := run.about.get("scored", {}).get("symbols")) is None:
            on_event(Working("timing the scoring of the test part"))
            seconds = SCORING_SHARE * budget.left(RESERVED_SHARE)
            symbols = count_affordable(data.test, [*_slow(models)], seconds)
            run.describe({"scored": {"symbols": symbols}})
        test = ScoredText.of(data.test, symbols)
        if note := test.describe():
            on_event(Note(note))
        found = dict[int, Nats]()
        for model, scored in _slow(models).items():
            nats = _score_model(model, f"scoring the test part: {scored[-1].name}", test, on_event)
            columns = nats.reshape(len(nats), -1).T
            found |= {id(one.model): each for one, each in zip(scored, columns, strict=True)}
        nats = [
            one.model.nats(test.text)
            if isinstance(one.model, Frequencies)
            else found[id(one.model)]
            for one in models
        ]
        searching = NOVELTY_SECONDS * data.train.characters
        searches = not timed or searching <= budget.left(RESERVED_SHARE)
        if not searches:
            what = "no time is left to search the training data for copies"
            on_event(Note(f"{what}; use `ensue generate RUN --novelty`"))
        on_event(Working("writing samples, and searching the training data for copies"))
        return [Predicted(test.text, one, searches) for one in nats]

    def score(
        self, fitted: Fitted, data: TextParts, predicted: Predicted, calibration: None
    ) -> Measured:
        """Measure nats per character."""
        return measure_text(predicted.text, predicted.nats)

    def trained(self, run: Run, fitted: Fitted, data: TextParts, calibration: None) -> TextModel:
        """Make the model that generates; the run states what its n-gram has counted."""
        if isinstance(fitted, NgramFit):
            run.describe({"ngram": fitted.counted})
        return TextModel(run, data.codec, fitted.model)

    def measure(self, trained: TextModel, data: TextParts, predicted: Predicted) -> dict[str, Any]:
        """Generate samples, and measure their novelty."""
        seed = trained.run.about["settings"]["seed"]
        found = trained.samples(
            "", 3, length=300, temperature=0.8, novelty=predicted.searches, seed=seed
        )
        details: dict[str, Any] = {"samples": [one.to_json() for one in found]}
        known = trained.run.about.get("pretrained", {})
        return details | ({"pretrained": known} if "after" in known else {})

    def diagnose(
        self, run: Run, data: TextParts, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training, with its fix."""
        seen = symbol_counts(data.train.ids, data.codec.size)
        unigram = float(Frequencies.unigram(seen).nats(data.validation).mean())
        # An n-gram has no training curve to diagnose.
        log = [] if scores[-1].role == "baseline" else run.rows(METRICS)
        texts = [one["text"] for one in details["samples"]]
        found, tuned = diagnose(log, texts, unigram, data.codec.size), details.get("pretrained")
        if tuned and tuned["after"] >= tuned["before"]:
            found.append(f"fine-tuning made the network no better than {tuned['run']} was")
        return found

    def selected(self, trained: TextModel) -> tuple[str, ...]:
        """Say how much of the test part was scored."""
        test = trained.parts.test
        symbols = trained.run.about.get("scored", {}).get("symbols", len(test))
        note = ScoredText.of(test, symbols).describe()
        return (note,) if note else ()


def _slow(models: Sequence[Fitted]) -> dict[Any, list[Fitted]]:
    """Map each model that takes time to what it scores: a mixture scores its members too."""
    slow = [one for one in models if not isinstance(one.model, Frequencies)]
    own = slow[-1]
    if not isinstance(own.model, Mixture):
        return {one.model: [one] for one in slow}
    mixture = own.model
    order = [mixture.network, mixture.ngram, mixture]
    scored = [next(one for one in slow if one.model is model) for model in order]
    return {Mixture(mixture.network, mixture.ngram, mixture.weights, each=True): scored}


def _score_model(model: Any, what: str, test: ScoredText, on_event: Callback) -> Nats:
    """Compute the nats of each symbol, and report the progress."""
    on_event(Working(what, 0.0))
    return test.nats(model, lambda share: on_event(Working(what, share)))


TRAINING = GenerateTraining()


def validation_symbols(run: Run, data: TextParts) -> int:
    """Return how many symbols each validation scores: what was timed, or by the vocabulary."""
    most = max(MAX_PROBABILITIES // data.codec.size, MIN_VALIDATION_SYMBOLS)
    return run.about.get("validated", {}).get("symbols", min(VALIDATION_SYMBOLS, most))


def _validate(model: Any, data: TextParts, symbols: int) -> float:
    return float(score(model, *take_last(data.validation, symbols), VALIDATION).mean())
