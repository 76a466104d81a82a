"""A trained classifier with its codecs and calibration: predict, evaluate, open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import compress, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ensue.data.codecs import load_content
from ensue.data.codecs.labels import LabelCodec, merge_labels
from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.dataset import Examples
from ensue.data.labelled import Content, ContentCodec, Example, LabelledReader
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.labelled_parts import EncodedPart, encode, report_unknown_channels
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.readers.labelled_inputs import as_contents, open_input, open_stdin, reopen
from ensue.errors import DataError
from ensue.evaluation.classification import compute_metrics
from ensue.evaluation.conformal import (
    is_covered,
    prediction_intervals,
    prediction_sets,
)
from ensue.evaluation.label_scoring import (
    UNCALIBRATED,
    Calibration,
    get_groups,
    get_targets,
    predict,
)
from ensue.evaluation.predictions import Predictions
from ensue.evaluation.scores import with_intervals
from ensue.models.contract import Predictor
from ensue.models.pool import Pool
from ensue.models.tree_leaves import build_classifier
from ensue.settings import read
from ensue.tasks.cached import CODEC
from ensue.tasks.classify import ClassifyRequest
from ensue.tasks.classify.data import DATA
from ensue.tasks.classify.rows import format_rows
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.contract import Trained
from ensue.tasks.held import open_model
from ensue.tasks.in_memory import STDIN, as_columns, as_examples, as_paths, name_source
from ensue.tasks.results import CALIBRATION, Scored, find_scored_files
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


class LabelModel(Trained):
    """A classifier, as `ensue.train("classify", ...)` and `ensue.open(run)` return it."""

    request = ClassifyRequest

    def __init__(
        self,
        run: Run,
        model: Predictor | Pool,
        content: ContentCodec,
        labels: LabelCodec,
        calibration: Calibration,
    ) -> None:
        self.run, self.model, self.content, self.labels = run, model, content, labels
        self.calibration = calibration

    @cached_property
    def data(self) -> LabelledSettings:
        """Settings of the data, with everything that was guessed filled in."""
        return read(LabelledSettings, self.run.about["data"]["settings"])

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
        """Write predictions as CSV."""
        return format_rows(answers, self.labels)

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
            encoded = self._encode(known, labelled=False) if known else None
            for one, note in zip(chunk, notes, strict=True):
                unknown_channels.update(self.content.unknown_channels(one.content) if note else ())
            unknown_channels.update(encoded.unknown_channels if encoded else {})
            predictions = (
                self._as_predictions(known, self.predict_arrays(encoded.examples))
                if encoded
                else iter(())
            )
            for one, note in zip(chunk, notes, strict=True):
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
            listener.on_finding(Finding(source, what))

    def _reason_to_skip(self, content: Content) -> str:
        """Give the reason why a content cannot be predicted; empty where it can."""
        if isinstance(content, str) and not content.strip():
            return "the text is empty"
        return "" if self.content.knows(content) else "nothing in it was seen in training"

    def predictions(self, contents: Sequence[Content]) -> Predictions:
        """Predict contents in order, as arrays of calibrated scores."""
        return self.predict_arrays(
            self._encode(list(InMemoryReader(contents).examples()), labelled=False).examples
        )

    def predict_arrays(self, examples: Examples) -> Predictions:
        """Predict encoded examples in order, as arrays of calibrated scores."""
        return predict(self.model, examples, self.labels).with_temperature(
            self.calibration.temperature
        )

    def evaluate(
        self,
        paths: str | Path | Sequence[str | Path] = (),
        columns: Mapping[str, Any] = MappingProxyType({}),
    ) -> Scored:
        """Compute the metrics on labelled files; without any, on the test part of the run.

        `columns` maps roles to column names that differ from the training data, such as
        {"label": "mood"}. Rows without text or label are skipped, as `notes` of the details say.
        Raises DataError, SettingError.
        """
        paths, columns = as_paths(paths), as_columns(columns, "evaluate")
        findings = list[Finding]()
        if not paths:
            encoded = DATA.load(self.run).parts["test"]
        else:
            paths = find_scored_files(self.run, paths, self.data, Listener(findings.append))
            reader = reopen(self.data, paths, True, columns, Listener(findings.append))
            delimiter = self.labels.delimiter if self.labels.kind == "multilabel" else None
            read = merge_labels(
                reader.examples(Listener(findings.append)), self.data.labels, several=delimiter
            )
            if len(examples := [one for one in read if one.label is not None]) < len(read):
                what = f"{len(read) - len(examples):,} examples without a label skipped"
                findings.append(Finding(str(paths[0]), what))
            if not examples:
                what = "no example has a text and a label"
                raise DataError(what, where=str(paths[0]), hint="give another file")
            encoded = self._encode(examples, labelled=True)
        if not len(encoded.examples):
            what = "training has none of its labels"
            raise DataError(what, where=str(paths[0]), hint="give another file")
        scored = score(
            self.predict_arrays(encoded.examples), encoded, self.labels, self.calibration
        )
        return scored.with_notes(findings)

    def _encode(self, examples: Sequence[Example], labelled: bool) -> EncodedPart:
        files = tuple(dict.fromkeys(example.file for example in examples))
        return encode(
            examples, self.content, self.labels if labelled else None, self.data.max_length, files
        )

    def _as_predictions(
        self, examples: Sequence[Example], predictions: Predictions
    ) -> Iterator[Prediction]:
        if predictions.kind == "regression":
            ends = prediction_intervals(predictions, self.calibration.bound)
            for example, (middle, *spreads), both in zip(
                examples, predictions.scores.tolist(), ends.tolist(), strict=True
            ):
                yield Prediction(
                    example, middle, {"standard_deviation": sum(spreads) / 2}, tuple(both)
                )
            return
        names, sets = self.labels.names, prediction_sets(predictions, self.calibration.bound)
        for example, best, row, in_set in zip(
            examples, predictions.best, predictions.probabilities.tolist(), sets, strict=True
        ):
            probabilities = dict(zip(names, row, strict=True))
            label = self.labels.decode(best)
            yield Prediction(example, label, probabilities, tuple(compress(names, in_set)))


def score(
    predictions: Predictions, encoded: EncodedPart, labels: LabelCodec, calibration: Calibration
) -> Scored:
    """Compute the metrics of calibrated predictions, with confidence intervals."""
    true = get_targets(encoded.examples, labels)
    metrics, intervals = with_intervals(
        compute_metrics(predictions, true, calibration.bound),
        len(true),
        get_groups(encoded.examples),
    )
    coverage = float(is_covered(predictions, true, calibration.bound).mean())
    skipped = {
        "unseen_labels": dict(encoded.unseen_labels),
        "unknown_channels": dict(encoded.unknown_channels),
    }
    return Scored(metrics, intervals, {"examples": len(true), "coverage": coverage, **skipped})


def open_classifier(run: Run, settings: ClassifySettings) -> LabelModel:
    """Open the classifier of a run. Raises RunError where its files are damaged."""
    content, labels = run.parse(
        CODEC,
        lambda codecs: (load_content(codecs["content"]), LabelCodec.from_json(codecs["labels"])),
    )
    model, _ = open_model(run, settings, partial(_build, content, labels))
    # A failure between training and calibration leaves a run without calibration.json.
    calibration = (
        run.parse(CALIBRATION, Calibration.from_json) if run.has(CALIBRATION) else UNCALIBRATED
    )
    return LabelModel(run, model, content, labels, calibration)


def _build(content: ContentCodec, labels: LabelCodec, settings: ClassifySettings, _: Any) -> Any:
    return build_classifier(settings.model, content.shape, labels.kind, labels.size)
