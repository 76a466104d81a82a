"""Prequential evaluation: each chunk is scored by a model trained on all chunks before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ensue.data.codecs.cutting import find_last_blank
from ensue.data.contract import Corpus, Ids
from ensue.data.dataset_writer import encode_corpus
from ensue.evaluation.likelihood import Likelihood
from ensue.evaluation.prequential import Point, prequential
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.sequence import SequenceModel
from ensue.settings import read
from ensue.tasks.generate.baselines import Counted, concatenate
from ensue.tasks.generate.evaluation import open_reader
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.generate.training import make_feed
from ensue.training import devices
from ensue.training.gradient import GradientLearner
from ensue.training.settings import TextTrainingSettings

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
    chunks = (
        collect_records(texts)
        if model.codec.end is not None
        else ([stretch] for stretch in cut_text(texts))
    )
    return prequential(
        (encode_corpus(chunk, model.codec) for chunk in chunks), learner.score, learner.learn
    )


def collect_records(records: Iterable[str]) -> Iterator[list[str]]:
    """Collect whole records into chunks."""
    pending: list[str] = []
    for record in records:
        pending.append(record)
        if sum(map(len, pending)) >= CHUNK:
            yield pending
            pending = []
    if pending:
        yield pending


def cut_text(texts: Iterable[str]) -> Iterator[str]:
    """Cut one long text into chunks before a blank, so that no word is split."""
    pending = ""
    for text in texts:
        pending += text
        while len(pending) > CHUNK:
            place = find_last_blank(pending[:CHUNK]) or CHUNK
            yield pending[:place]
            pending = pending[place:]
    if pending:
        yield pending


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
