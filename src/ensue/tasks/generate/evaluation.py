"""Evaluate text under a trained model: in total, by line, by surprisal, and as it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ensue.data.codecs.cutting import collect_records, cut_text
from ensue.data.contract import SILENT, Corpus, Finding, Ids, Listener, Reader
from ensue.data.dataset_writer import encode_corpus
from ensue.data.files import find_files
from ensue.data.settings import DataSettings
from ensue.data.text_parts import Counted, concatenate
from ensue.decoding.novelty import Novelty
from ensue.decoding.training_text import TrainingText
from ensue.errors import DataError
from ensue.evaluation.likelihood import Likelihood
from ensue.evaluation.prequential import Point, prequential
from ensue.evaluation.text_evaluation import TextEvaluation
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.sequence import SequenceModel
from ensue.settings import read
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.results import find_scored_files
from ensue.training import devices
from ensue.training.gradient import GradientLearner
from ensue.training.settings import TextTrainingSettings
from ensue.training.text_feeds import make_feed

CHUNK = 20_000
"""Characters of a chunk, which is scored and then trained on."""
CONTEXT = 1000
"""Symbols of context before a chunk of one long text."""
RATE_FACTOR = 0.1
"""Factor on the learning rate for the online updates."""


def evaluate_prequentially(model: TextModel, data: Sequence[Path]) -> Iterator[Point]:
    """Score files chunk by chunk, and train the model on each chunk after it is scored."""
    learner = _OnlineLearner(model)
    texts = (piece.text for piece in open_reader(model, data).pieces())
    cut = cut_text if model.codec.end is None else collect_records
    chunks = (encode_corpus(chunk, model.codec) for chunk in cut(texts, CHUNK))
    return prequential(chunks, learner.score, learner.learn)


class _OnlineLearner:
    """Updates a model online: counts for its n-gram, gradient steps for its network."""

    def __init__(self, model: TextModel) -> None:
        self.trained, self.model = model, model.model
        self.seen: Counted = model.seen()
        self.before: Ids = np.zeros(0, np.int64)
        network = model.model.network if isinstance(model.model, Mixture) else model.model
        self.learner: GradientLearner | None = None
        if isinstance(network, SequenceModel):
            settings = read(TextTrainingSettings, model.run.about["settings"]["training"])
            self.batching = settings.batching
            self.learner = GradientLearner(
                network, settings, devices.choose_device(settings.hardware)
            )
            network.eval()

    def score(self, chunk: Corpus) -> Likelihood:
        """Score a chunk; in one long text it follows the end of the previous chunk."""
        ids = np.concatenate([self.before, chunk.ids])
        offsets = chunk.offsets if len(chunk.offsets) > 2 else np.array([0, len(ids)])
        nats = score(self.model, ids, offsets, ScoreSettings())[len(self.before) :]
        return Likelihood.of(chunk, nats)

    def learn(self, chunk: Corpus) -> None:
        """Count the chunk, and train on it for one epoch."""
        self.seen = concatenate(self.seen, (chunk.ids, chunk.offsets))
        if self.trained.codec.end is None:
            self.before = np.concatenate([self.before, chunk.ids])[-CONTEXT:]
        if self.learner is not None:
            self.learner.network.train()
            feed = make_feed(self.batching, self.trained.codec, chunk, seed=0)
            for batch in feed.epoch(0):
                self.learner.update(batch, RATE_FACTOR)
            self.learner.network.eval()
        self.model = self._recount(self.model)

    def _recount(self, model: Autoregressive) -> Autoregressive:
        if isinstance(model, Mixture):
            return Mixture(model.network, self._ngram(model.ngram), model.weights)
        return self._ngram(model) if isinstance(model, Ngram) else model

    def _ngram(self, before: Ngram) -> Ngram:
        settings = self.trained.run.about["settings"]
        own = settings["model"] if settings["model"]["name"] == "ngram" else settings["baseline"]
        return estimate(
            *self.seen, self.trained.codec.size, before.with_choices_of(read(NgramSettings, own))
        ).packed()


def evaluate(model: TextModel, data: Sequence[Path]) -> TextEvaluation:
    """Score files under a model; without files, the test part of its run. Raises DataError."""
    findings, reader = list[Finding](), None
    if data:
        listener = Listener(findings.append)
        data = find_scored_files(model.run, data, data_settings(model), listener)
        reader = open_reader(model, data)
    corpus = read_corpus(model, data) if data else model.parts.test
    nats = score(model.model, corpus.ids, corpus.offsets, ScoreSettings())
    return TextEvaluation(model.codec, corpus, nats, reader, tuple(map(str, findings)))


def measure_novelty(model: TextModel, found: TextEvaluation) -> Novelty:
    """Measure how much of a text that was evaluated occurs in the training data."""
    if found.reader is None:
        return model.novelty(TrainingText((found.corpus,), model.codec).whole())
    between = "" if model.codec.end is None else "\n"
    return model.novelty(between.join(piece.text for piece in found.reader.pieces()))


def data_settings(model: TextModel) -> DataSettings:
    """Load the settings with which the training data was read."""
    about = model.run.about
    return read(DataSettings, about["settings"]["data"]).model_copy(
        update={"format": about["data"]["format"]}
    )


def open_reader(model: TextModel, data: Sequence[Path]) -> Reader:
    """Open files with the reader of the training data."""
    return data_settings(model).reader(find_files(data), SILENT)[1]


def read_corpus(model: TextModel, data: Sequence[Path]) -> Corpus:
    """Encode files with the codec of the model."""
    corpus = encode_corpus((piece.text for piece in open_reader(model, data).pieces()), model.codec)
    if not len(corpus):
        raise DataError("no text to score", where=str(data[0]), hint="give a file with some text")
    return corpus
