"""A trained classifier with its codecs and calibration: predict, evaluate, open."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import Any

from ensue.data.codecs.labels import LabelCodec, merge_labels
from ensue.data.contract import SILENT, Listener
from ensue.data.dataset import Examples
from ensue.data.labelled import Content, ContentCodec, Example, LabelledReader
from ensue.data.labelled_parts import EncodedPart, encode, load_codecs, report_unknown_channels
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.readers.labelled_inputs import as_contents, open_input, open_stdin, reopen
from ensue.errors import DataError, in_python
from ensue.escape import csv_line
from ensue.evaluation.conformal import prediction_intervals, prediction_sets
from ensue.evaluation.label_scoring import (
    UNCALIBRATED,
    Calibration,
    get_targets,
    measure,
    measure_sets,
    predict,
)
from ensue.evaluation.predictions import Predictions
from ensue.models.contract import Predictor
from ensue.models.pool import Pool
from ensue.models.tree_leaves import build_classifier
from ensue.tasks.cached import CODEC
from ensue.tasks.classify import ClassifyRequest
from ensue.tasks.classify.data import DATA
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.contract import EvaluateMixin, Trained
from ensue.tasks.held import open_calibration, open_model
from ensue.tasks.in_memory import STDIN, as_examples, name_source
from ensue.tasks.results import Scored, find_scored_files
from ensue.training.folder.run import Run

MAX_PLACES = 5
"""Places that a finding names."""
CHUNK = 2000
"""Examples encoded at once; larger chunks are hardly faster, and delay the first prediction."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one example."""

    example: Example
    label: Any
    """multiclass: most likely label; ordinal: median label; multilabel: list of labels;
    regression: mean, or median with quantiles. None without a prediction."""
    probabilities: Mapping[str, float]
    """Probability of each label. Regression has `standard_deviation` instead; with quantiles it is
    the mean of those below and above the median."""
    set: tuple[Any, ...]
    """Prediction set at 90 % coverage; for regression the two ends of the interval."""
    note: str = ""
    """Reason why there is no prediction: then the label is None, there are no probabilities, and
    the set holds every label."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        text = {"text": self.example.content} if isinstance(self.example.content, str) else {}
        predicted = {
            "label": self.label,
            "probabilities": dict(self.probabilities),
            "prediction_set": list(self.set),
        }
        predicted |= {"note": self.note} if self.note else {}
        return {"line": self.example.line, **text, **predicted, "row": dict(self.example.row)}


@dataclass(eq=False)
class LabelModel(EvaluateMixin, Trained):
    """A classifier, as `ensue.train("classify", ...)` and `ensue.open(run)` return it."""

    request, source, named_columns = ClassifyRequest, DATA, True

    run: Run
    model: Predictor | Pool
    content: ContentCodec
    labels: LabelCodec
    calibration: Calibration

    @in_python()
    def classify(self, contents: Content | Iterable[Content]) -> list[Prediction]:
        """Predict the label of each content; a single text is taken as a list of one.

        The label is None for an empty or missing (None, NaN) text. Raises DataError for a content
        that is no example.
        """
        return list(self.answer(ClassifyRequest(), as_examples(contents, "classify")))

    def answer(
        self, request: ClassifyRequest, data: Any = None, listener: Listener = SILENT
    ) -> Iterator[Prediction]:
        """Predict each example of a file or folder (a Path), or of contents as `classify` takes.

        Raises DataError if there is no example.
        """
        if isinstance(data, Path) and data == STDIN:
            with open_stdin(self.data, request.given, listener) as (reader, own):
                yield from self.predict(reader, own, name_source(data))
        elif isinstance(data, Path):
            reader = open_input(self.data, data, request.given, listener)
            yield from self.predict(reader, listener, name_source(data))
        else:
            given = as_contents(as_examples(data, "classify"), bool(self.content.shape.measured))
            yield from self.predict(InMemoryReader(given), listener)

    def lines(self, answers: Iterable[Prediction]) -> Iterator[str]:
        """Write CSV: the columns of the first example, then those of its prediction."""
        is_number, columns = self.labels.kind == "regression", list[str]()
        names = ("standard_deviation",) if is_number else self.labels.names
        heads = names if is_number else [f"p({name})" for name in names]
        ours, form = ["predicted", *heads, "prediction_set"], ".6g" if is_number else ".4f"
        for one in answers:
            own = dict(one.example.row) or {"text": one.example.content}
            if not columns:
                columns = list(own)
                given = [f"{name} (data)" if name in ours else name for name in columns]
                yield csv_line(given + ours)
            given = [own.get(name, "") for name in columns]
            numbers = [format(one.probabilities[name], form) for name in names if not one.note]
            numbers += [""] * len(names) * bool(one.note)
            yield csv_line([*given, _cell(one.label), *numbers, _cell(list(one.set))])

    def predict(
        self, reader: LabelledReader, listener: Listener = SILENT, source: str = "the data"
    ) -> Iterator[Prediction]:
        """Predict each example of a reader, in chunks. Raises DataError.

        An empty text, and one that shares nothing with the training data, gets a prediction without
        label, and `listener` gets their lines in the `source`.
        """
        examples, unknown_channels = reader.examples(listener), Counter[str]()
        skipped: dict[str, list[str]] = {}
        while chunk := list(islice(examples, CHUNK)):
            notes = [self._reason_to_skip(one.content) for one in chunk]
            known = [one for one, note in zip(chunk, notes, strict=True) if not note]
            predictions = self._predict_known(known)
            for one, note in zip(chunk, notes, strict=True):
                unknown_channels.update(self.content.unknown_channels(one.content))
                if note:
                    skipped.setdefault(note, []).append(one.case or str(one.line))
                    yield Prediction(one, None, {}, tuple(self.labels.names), note)
                else:
                    yield next(predictions)
        report_unknown_channels(unknown_channels, source, listener)
        for note, places in skipped.items():
            named = ", ".join(places[:MAX_PLACES]) + ", ..." * (len(places) > MAX_PLACES)
            count = f"{len(places):,} example{'s' * (len(places) > 1)}"
            what = f"no prediction for {count}, since {note} (at {named})"
            listener.report(source, what)

    def _reason_to_skip(self, content: Content) -> str:
        """Give the reason why a content cannot be predicted; empty where it can."""
        if isinstance(content, str) and not content.strip():
            return "the text is empty"
        return "" if self.content.knows(content) else "nothing in it was seen in training"

    def _predict_known(self, examples: Sequence[Example]) -> Iterator[Prediction]:
        found, bound = self._predict(examples), self.calibration.bound
        if found.kind == "regression":
            ends = prediction_intervals(found, bound).tolist()
            rows = zip(examples, found.scores.tolist(), ends, strict=True)
            for example, (middle, below, above), both in rows:
                spread = {"standard_deviation": (below + above) / 2}
                yield Prediction(example, middle, spread, tuple(both))
            return
        names, sets = self.labels.names, prediction_sets(found, bound)
        rows = zip(examples, found.best, found.probabilities.tolist(), sets, strict=True)
        for example, best, row, inside in rows:
            probabilities = dict(zip(names, row, strict=True))
            label = self.labels.decode(best)
            yield Prediction(example, label, probabilities, tuple(compress(names, inside)))

    def predictions(self, contents: Sequence[Content]) -> Predictions:
        """Predict contents in order, as arrays of calibrated scores."""
        return self._predict(list(InMemoryReader(contents).examples()))

    def _predict(self, examples: Sequence[Example]) -> Predictions:
        return self.predict_arrays(self._encode(examples, None).examples)

    def predict_arrays(self, examples: Examples) -> Predictions:
        """Predict encoded examples in order, as arrays of calibrated scores."""
        raw = predict(self.model, examples, self.labels)
        return raw.with_temperature(self.calibration.temperature)

    def _encode(self, examples: Sequence[Example], labels: LabelCodec | None) -> EncodedPart:
        files = tuple(dict.fromkeys(example.file for example in examples))
        return encode(examples, self.content, labels, self.data.max_length, files)

    def read_part(self, paths: Sequence[Path], listener: Listener, **columns: Any) -> EncodedPart:
        """Read labelled files, and encode the examples with a label. Raises DataError."""
        where, files = str(paths[0]), find_scored_files(self.run, paths, self.data, listener)
        reader = reopen(self.data, files, True, columns, listener)
        several = self.labels.delimiter if self.labels.kind == "multilabel" else None
        read = merge_labels(reader.examples(listener), self.data.labels, several=several)
        examples = [one for one in read if one.label is not None]
        if len(examples) < len(read):
            what = f"{len(read) - len(examples):,} examples without a label skipped"
            listener.report(where, what)
        if not examples:
            what = "no example has a text and a label"
            raise DataError(what, where=where, hint="give another file")
        encoded = self._encode(examples, self.labels)
        if not len(encoded.examples):
            what = "training has none of its labels"
            raise DataError(what, where=where, hint="give another file")
        return encoded

    def score(self, part: EncodedPart | None = None) -> Scored:
        """Compute the metrics on a labelled part, or on the test part."""
        part = part or self.parts.parts["test"]
        raw = predict(self.model, part.examples, self.labels)
        measured = measure(raw, part.examples, self.labels, self.calibration)
        sets = measure_sets(raw, get_targets(part.examples, self.labels), self.calibration)
        details = {
            "examples": measured.count,
            "coverage": sets["coverage"],
            "unseen_labels": dict(part.unseen_labels),
            "unknown_channels": dict(part.unknown_channels),
        }
        return Scored(measured.metrics, measured.intervals, details)


def _cell(value: Any) -> str:
    """Write a label, or several as JSON, with six digits of a number."""
    if isinstance(value, list):
        rounded = [float(_cell(one)) if isinstance(one, float) else one for one in value]
        return json.dumps(rounded, ensure_ascii=False)
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def open_classifier(run: Run, settings: ClassifySettings) -> LabelModel:
    """Open the classifier of a run. Raises RunError where its files are damaged."""
    content, labels = run.parse(CODEC, load_codecs)

    def build(own: ClassifySettings, _: Any) -> Predictor:
        return build_classifier(own.model, content.shape, labels)

    model, _ = open_model(run, settings, build)
    calibration = open_calibration(run, Calibration.from_json, UNCALIBRATED)
    return LabelModel(run, model, content, labels, calibration)
