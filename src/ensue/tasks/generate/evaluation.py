"""Evaluate text under a trained model: in total, by line, by surprisal, and as it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ensue.data.codecs.cutting import collect_records, cut_text
from ensue.data.contract import SILENT, Corpus, Finding, Ids, Listener, Reader
from ensue.data.dataset_writer import encode_corpus
from ensue.data.files import find_files
from ensue.data.text_parts import concatenate, take_last
from ensue.decoding.novelty import Novelty
from ensue.decoding.training_text import TrainingText
from ensue.errors import DataError
from ensue.evaluation.likelihood import Likelihood
from ensue.evaluation.prequential import Point, prequential
from ensue.evaluation.text_evaluation import TextEvaluation
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.ngram import NgramSettings
from ensue.tasks.generate.trained import TextModel
from ensue.tasks.results import find_scored_files
from ensue.training.online import OnlineLearner

CHUNK = 20_000
"""Characters of a chunk, which is scored and then trained on."""
CONTEXT = 1000
"""Symbols of context before a chunk of one long text."""


def evaluate_prequentially(model: TextModel, data: Sequence[Path]) -> Iterator[Point]:
    """Score files chunk by chunk, and train the model on each chunk after it is scored."""
    settings, parts, codec = model.settings, model.parts, model.codec
    counted = model.run.about.get("ngram", {})
    seen = take_last(parts.train, counted.get("symbols", len(parts.train)))
    if counted.get("validation", True):
        seen = concatenate(seen, (parts.validation.ids, parts.validation.offsets))
    own = settings.model
    ngram = own if isinstance(own, NgramSettings) else settings.baseline
    learner = OnlineLearner(model.model, codec, seen, ngram, settings.training)
    before: Ids = np.zeros(0, np.int64)

    def score_next(chunk: Corpus) -> Likelihood:
        """Score a chunk; in one long text it follows the end of the previous chunk."""
        nonlocal before
        ids = np.concatenate([before, chunk.ids])
        offsets = chunk.offsets if len(chunk.offsets) > 2 else np.array([0, len(ids)])
        nats = score(learner.model, ids, offsets, ScoreSettings())[len(before) :]
        if codec.end is None:
            before = ids[-CONTEXT:]
        return Likelihood.of(chunk, nats)

    texts = (piece.text for piece in open_reader(model, data).pieces())
    cut = cut_text if codec.end is None else collect_records
    chunks = (encode_corpus(chunk, codec) for chunk in cut(texts, CHUNK))
    return prequential(chunks, score_next, learner.learn)


def evaluate(model: TextModel, data: Sequence[Path]) -> TextEvaluation:
    """Score files under a model; without files, the test part of its run. Raises DataError."""
    findings, reader = list[Finding](), None
    if data:
        listener = Listener(findings.append)
        data = find_scored_files(model.run, data, model.settings.data, listener)
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


def open_reader(model: TextModel, data: Sequence[Path]) -> Reader:
    """Open files with the reader of the training data."""
    return model.settings.data.reader(find_files(data), SILENT)[1]


def read_corpus(model: TextModel, data: Sequence[Path]) -> Corpus:
    """Encode files with the codec of the model."""
    corpus = encode_corpus((piece.text for piece in open_reader(model, data).pieces()), model.codec)
    if not len(corpus):
        raise DataError("no text to score", where=str(data[0]), hint="give a file with some text")
    return corpus
