"""A text that goes on: each chunk is scored by a model that has learned from all chunks before
it and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ensue.data.codecs.cutting import before_last_blank
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
from ensue.tasks.generate.baselines import Counted, joined
from ensue.tasks.generate.evaluation import open_reader
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.generate.training import feed
from ensue.training import devices
from ensue.training.gradient import GradientLearner
from ensue.training.settings import TrainingSettings

CHUNK = 20_000
"""Characters that are scored before they are learned."""
CONTEXT = 1000
"""Symbols of what came before that a chunk of one long text is read with."""
RATE = 0.1
"""The share of the training's rate at which a network goes on learning."""


def evaluate_prequentially(model: TextModel, data: Sequence[Path]) -> Iterator[Point]:
    """Score files chunk by chunk; the model learns each after it was scored, and is changed by
    that."""
    pupil = _Pupil(model)
    texts = (piece.text for piece in open_reader(model, data).pieces())
    chunks = (
        gathered(texts)
        if model.codec.end is not None
        else ([stretch] for stretch in stretches(texts))
    )
    return prequential(
        (encode_corpus(chunk, model.codec) for chunk in chunks), pupil.score, pupil.learn
    )


def gathered(records: Iterable[str]) -> Iterator[list[str]]:
    """Gather whole records into chunks."""
    held: list[str] = []
    for record in records:
        held.append(record)
        if sum(map(len, held)) >= CHUNK:
            yield held
            held = []
    if held:
        yield held


def stretches(texts: Iterable[str]) -> Iterator[str]:
    """Cut one long text into chunks before a blank, so that no word is torn."""
    held = ""
    for text in texts:
        held += text
        while len(held) > CHUNK:
            place = before_last_blank(held[:CHUNK]) or CHUNK
            yield held[:place]
            held = held[place:]
    if held:
        yield held


class _Pupil:
    """A model that goes on learning: its n-gram counts, its network takes steps."""

    def __init__(self, model: TextModel) -> None:
        self.trained, self.model = model, model.model
        self.seen: Counted = model.seen()
        self.before: Ids = np.zeros(0, np.int64)
        network = model.model.network if isinstance(model.model, Mixture) else model.model
        self.learner: GradientLearner | None = None
        if isinstance(network, SequenceModel):
            settings = read(TrainingSettings, model.run.about["settings"]["training"])
            self.learner = GradientLearner(
                network, settings, devices.choose_device(settings.hardware)
            )
            network.eval()

    def score(self, chunk: Corpus) -> Likelihood:
        """Score a chunk, in one long text after the end of the chunk before."""
        ids = np.concatenate([self.before, chunk.ids])
        offsets = chunk.offsets if len(chunk.offsets) > 2 else np.array([0, len(ids)])
        nats = score(self.model, ids, offsets, ScoreSettings())[len(self.before) :]
        return Likelihood.of(chunk, nats)

    def learn(self, chunk: Corpus) -> None:
        """Count the chunk, and go over it once by gradient."""
        self.seen = joined(self.seen, (chunk.ids, chunk.offsets))
        if self.trained.codec.end is None:
            self.before = np.concatenate([self.before, chunk.ids])[-CONTEXT:]
        if self.learner is not None:
            self.learner.network.train()
            for batch in feed(
                self.learner.settings.batching, self.trained.codec, chunk, seed=0
            ).epoch(0):
                self.learner.update(batch, RATE)
            self.learner.network.eval()
        self.model = self._recounted(self.model)

    def _recounted(self, model: Autoregressive) -> Autoregressive:
        if isinstance(model, Mixture):
            return Mixture(model.network, self._ngram(model.ngram), model.weights)
        return self._ngram(model) if isinstance(model, Ngram) else model

    def _ngram(self, before: Ngram) -> Ngram:
        settings = self.trained.run.about["settings"]
        own = settings["model"] if settings["model"]["name"] == "ngram" else settings["baseline"]
        return estimate(
            *self.seen, self.trained.codec.size, before.with_choices_of(read(NgramSettings, own))
        ).packed()
