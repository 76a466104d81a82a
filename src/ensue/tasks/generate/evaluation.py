"""Evaluate text under a trained model: in total, by line, by surprisal, and as it learns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.codecs.cutting import find_last_blank, recut
from ensue.data.contract import SILENT, Corpus, Finding, Ids, Listener, Reader
from ensue.data.dataset_writer import encode_corpus
from ensue.data.files import find_files
from ensue.data.readers.named_parts import get_scored_files
from ensue.data.settings import DataSettings
from ensue.data.text_parts import Counted, concatenate
from ensue.decoding.novelty import Novelty
from ensue.decoding.training_text import TrainingText
from ensue.errors import DataError
from ensue.evaluation.intervals import Chunks, Interval, intervals
from ensue.evaluation.likelihood import Likelihood, Nats, paid
from ensue.evaluation.line_scores import LineScore, by_line, line_numbers
from ensue.evaluation.prequential import Point, prequential
from ensue.evaluation.surprisal import SurprisingPlace, highest_surprisal
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.sequence import SequenceModel
from ensue.settings import read
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.generate.training import make_feed
from ensue.tasks.results import warn_if_trained_on
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


@dataclass(frozen=True)
class Evaluation:
    """The negative log-likelihood of a text by symbol, for totals, lines and places."""

    model: TextModel
    corpus: Corpus
    nats: Nats
    """Negative log-likelihood of each symbol, without the spelling of unknown ones."""
    data: Sequence[Path]
    """The files with the text; empty for the test part of the run."""
    notes: tuple[str, ...] = ()
    """Notes on how the files were read."""

    @property
    def likelihood(self) -> Likelihood:
        """Likelihood of the complete text."""
        return Likelihood.of(self.corpus, self.nats)

    @property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the metrics."""
        return intervals(Chunks.of(self.corpus, self.nats), self.likelihood)

    def lines(self) -> list[LineScore]:
        """Compute the cost of each line, including the spelling of unknown symbols."""
        return by_line(paid(self.corpus, self.nats), self._line_numbers(), self.corpus.offsets)

    def surprising(self, count: int = 10) -> list[SurprisingPlace]:
        """Find the places of highest surprisal, the highest first."""
        return highest_surprisal(self.nats, self._line_numbers(), self._text, count=count, apart=20)

    def novelty(self) -> Novelty:
        """Measure how much of the text occurs in the training data."""
        if self.data:
            pieces = open_reader(self.model, self.data).pieces()
            text = ("" if self.model.codec.end is None else "\n").join(
                piece.text for piece in pieces
            )
        else:
            text = TrainingText((self.corpus,), self.model.codec).whole()
        return self.model.novelty(text)

    def _text(self, begin: int, end: int) -> str:
        """Decode some symbols; unknown ones are spelled as in the files, if files were given."""
        codec, corpus, pieces = self.model.codec, self.corpus, []
        first, last = (
            np.searchsorted(corpus.unknown_at, (begin, end)).tolist() if self.data else (0, 0)
        )
        for at, unknown in zip(
            corpus.unknown_at[first:last].tolist(), self._unknowns[first:last], strict=True
        ):
            pieces += [codec.decode(corpus.ids[begin:at]), unknown]
            begin = at + 1
        pieces = [piece for piece in (*pieces, codec.decode(corpus.ids[begin:end])) if piece]
        return ("" if codec.keeps_blanks else " ").join(pieces)

    def _line_numbers(self) -> np.ndarray:
        codec, corpus = self.model.codec, self.corpus
        each = np.array([spelling.count(b"\n") for spelling in codec.spellings()])
        if codec.end is not None:
            each[codec.end] = 1
        breaks = each[np.asarray(corpus.ids)]
        if not self.data:
            return line_numbers(breaks, corpus.offsets)
        breaks[corpus.unknown_at] = [symbol.count("\n") for symbol in self._unknowns]
        return line_numbers(breaks, corpus.offsets, np.array(self._lines_and_unknowns[0]))

    @property
    def _unknowns(self) -> list[str]:
        return self._lines_and_unknowns[1]

    @cached_property
    def _lines_and_unknowns(self) -> tuple[Sequence[int], list[str]]:
        """Read the line of each record and the unknown symbols again, which ids do not hold."""
        codec, pieces = self.model.codec, open_reader(self.model, self.data).pieces()
        firsts: Sequence[int] = [1]
        if codec.end is None:
            texts: Iterable[str] = recut((piece.text for piece in pieces), codec.split_point)
        else:
            firsts, texts = zip(*((piece.line, piece.text) for piece in pieces), strict=True)
        return firsts, [symbol for text in texts for symbol, _ in codec.unknowns(text)]

    def to_json(self) -> dict[str, Any]:
        """Convert the metrics to plain JSON values."""
        return self.likelihood.to_json(self.intervals) | (
            {"notes": list(self.notes)} if self.notes else {}
        )


def evaluate(model: TextModel, data: Sequence[Path]) -> Evaluation:
    """Score files under a model; without files, the test part of its run. Raises DataError."""
    findings = list[Finding]()
    data = get_scored_files(data, data_settings(model), Listener(findings.append)) if data else data
    warn_if_trained_on(model.run, data, Listener(findings.append))
    corpus = read_corpus(model, data) if data else model.parts.test
    nats = score(model.model, corpus.ids, corpus.offsets, ScoreSettings())
    return Evaluation(model, corpus, nats, data, tuple(map(str, findings)))


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
