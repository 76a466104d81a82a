"""A trained classifier with its codecs: it labels contents, and says how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import compress, islice
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import nn

from ensue.atomic_io import format_errors
from ensue.data.codecs import load_content
from ensue.data.codecs.labels import LabelCodec, merge_labels
from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.dataset import Examples
from ensue.data.files import find_files
from ensue.data.labelled import Content, ContentCodec, Example, LabelledReader
from ensue.data.labelled_examples import LabelledSettings, open_readers
from ensue.data.labelled_parts import EncodedPart, encode, report_unknown_channels
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.readers.named_parts import get_scored_files
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, with_article
from ensue.evaluation.classification import compute_metrics
from ensue.evaluation.conformal import (
    TARGET_COVERAGE,
    is_covered,
    prediction_intervals,
    prediction_sets,
)
from ensue.evaluation.predictions import Predictions
from ensue.evaluation.scores import with_intervals
from ensue.models.classifiers import build_classifier
from ensue.models.contract import Predictor
from ensue.models.parameters import load_into
from ensue.settings import read
from ensue.tasks.cached import CODEC, limit_model_size, read_settings
from ensue.tasks.classify.column_names import as_in_training, renamed
from ensue.tasks.classify.data import parts_of
from ensue.tasks.classify.predicting import groups_of, predict, targets
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.contract import Trained
from ensue.tasks.in_memory import as_examples, as_paths
from ensue.tasks.results import Scored, warn_if_trained_on
from ensue.training.folder.run import WEIGHTS, Run

CALIBRATION = "calibration.json"
NAMED = 5
"""Places that a finding names."""
CHUNK = 2000
"""Examples that are labelled at once: more are hardly faster, and all of them are waited for."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on the calibration part."""

    temperature: float
    """What scores are divided by, or what spreads of numbers are multiplied by."""
    bound: float
    """The oddness up to which sets go."""
    target_coverage: float
    """The share of examples whose set holds what is true."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values; a bound that is infinite is null."""
        return asdict(self) | {"bound": self.bound if np.isfinite(self.bound) else None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Make it again."""
        bound = values["bound"]
        usual = 1e-6 <= values["temperature"] <= 1e6 and 0 < values["target_coverage"] < 1
        if not usual or (bound is not None and not 0 <= bound <= 1e30):
            raise ValueError("these are no temperature and bound")
        return cls(
            values["temperature"], inf if bound is None else bound, values["target_coverage"]
        )


UNCALIBRATED = Calibration(1.0, inf, TARGET_COVERAGE)
"""Leaves answers as they are, and lets sets hold every label."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one example."""

    example: Example
    label: Any
    """None where nothing is said; else the likeliest label, the median of a scale, the list of
    several, or the mean (with quantiles, the median) of a number."""
    probabilities: Mapping[str, float]
    """Of each label; of a number, its standard deviation (with quantiles, the mean of those
    below and above)."""
    set: tuple[Any, ...]
    """The labels that 90 % of such sets hold the true one of; or the two ends of an interval."""
    note: str = ""
    """Why nothing is said of it: then the label is None, there are no probabilities, and the set
    holds every label."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        text = {"text": self.example.content} if isinstance(self.example.content, str) else {}
        said = {
            "label": self.label,
            "probabilities": dict(self.probabilities),
            "prediction_set": list(self.set),
        }
        said |= {"note": self.note} if self.note else {}
        return {"line": self.example.line, **text, **said, "row": dict(self.example.row)}


class LabelModel(Trained):
    """What `ensue.train("classify", ...)` and `ensue.open(run)` give."""

    def __init__(
        self,
        run: Run,
        model: Predictor,
        content: ContentCodec,
        labels: LabelCodec,
        calibration: Calibration,
    ) -> None:
        self.run, self.model, self.content, self.labels = run, model, content, labels
        self.calibration = calibration

    @cached_property
    def data(self) -> LabelledSettings:
        """How the data was read, with all that was guessed filled in."""
        return read(LabelledSettings, self.run.about["data"]["reading"])

    def classify(self, contents: Content | Iterable[Content]) -> list[Prediction]:
        """Say of each text, or other content, what it is; one text alone is one of them. Raises
        DataError.

        As of rows of files, nothing is said of an empty text, or of a missing one (None, NaN): the
        label is None.
        """
        given = as_examples(contents, "classify")
        if not self.content.shape.measured:
            given = [one if hasattr(one, "__len__") or is_filled(one) else "" for one in given]
        for number, one in enumerate(given, 1):
            if not isinstance(one, str | Mapping):
                what = f"{with_article(type(one).__name__)} is no example"
                hint = "give a text, or the fields of its steps by name"
                raise DataError(what, where=f"example {number}", hint=hint)
        return list(self.predict(InMemoryReader(given)))

    def predict(self, reader: LabelledReader, listener: Listener = SILENT) -> Iterator[Prediction]:
        """Say of each example what it is; they are read and told in stretches. Raises DataError.

        Nothing is said of an empty text, or of one of which training had nothing; it is told by
        line.
        """
        examples, strange = reader.examples(listener), Counter[str]()
        unsaid: dict[str, list[str]] = {}
        while stretch := list(islice(examples, CHUNK)):
            notes = [self._unanswerable(one.content) for one in stretch]
            asked = [one for one, note in zip(stretch, notes, strict=True) if not note]
            encoded = self._encode(asked, labelled=False) if asked else None
            for one, note in zip(stretch, notes, strict=True):
                strange.update(self.content.unknown_channels(one.content) if note else ())
            strange.update(encoded.unknown_channels if encoded else {})
            told = (
                self._as_predictions(asked, self.predict_arrays(encoded.examples))
                if encoded
                else iter(())
            )
            for one, note in zip(stretch, notes, strict=True):
                if note:
                    unsaid.setdefault(note, []).append(one.case or str(one.line))
                yield self._unsaid(one, note) if note else next(told)
        report_unknown_channels(strange, "the data", listener)
        for note, places in unsaid.items():
            named = ", ".join(places[:NAMED]) + ", ..." * (len(places) > NAMED)
            what = (
                f"no answer to {len(places):,} example{'s' * (len(places) > 1)}, since "
                f"{note} (at {named})"
            )
            listener.on_finding(Finding("the data", what))

    def _unanswerable(self, content: Content) -> str:
        """Say why nothing can be said of a content; nothing where it can."""
        if isinstance(content, str) and not content.strip():
            return "the text is empty"
        return "" if self.content.knows(content) else "nothing of it was in training"

    def _unsaid(self, example: Example, note: str) -> Prediction:
        return Prediction(example, None, {}, tuple(self.labels.names), note)

    def predictions(self, contents: Sequence[Content]) -> Predictions:
        """Give the calibrated answers about contents, as arrays in their order."""
        return self.predict_arrays(
            self._encode(list(InMemoryReader(contents).examples()), labelled=False).examples
        )

    def predict_arrays(self, examples: Examples) -> Predictions:
        """Give the calibrated answers."""
        return predict(self.model, examples, self.labels).with_temperature(
            self.calibration.temperature
        )

    def evaluate(
        self,
        paths: str | Path | Sequence[str | Path] = (),
        columns: Mapping[str, Any] = MappingProxyType({}),
    ) -> Scored:
        """Score files that have labels, or the test part of the run if none are given.

        `columns` names those that are called otherwise than in training: {"label": "mood"}. Rows
        without text or label are left out, and told among the details. Raises DataError,
        SettingError.
        """
        paths, told = as_paths(paths), list[Finding]()
        if not paths:
            encoded = parts_of(self.run, *read_settings(self.run, ClassifySettings)).parts["test"]
        else:
            paths = get_scored_files(paths, self.data, Listener(told.append))
            warn_if_trained_on(self.run, paths, Listener(told.append))
            reader = self.reader(paths, columns=columns, listener=Listener(told.append))
            several = self.labels.delimiter if self.labels.kind == "multilabel" else None
            read = merge_labels(
                reader.examples(Listener(told.append)), self.data.labels, several=several
            )
            if len(examples := [one for one in read if one.label is not None]) < len(read):
                told.append(
                    Finding(
                        str(paths[0]), f"{len(read) - len(examples):,} without a label left out"
                    )
                )
            if not examples:
                raise DataError(
                    "no example has a text and a label",
                    where=str(paths[0]),
                    hint="give another file",
                )
            encoded = self._encode(examples, labelled=True)
        if not len(encoded.examples):
            raise DataError(
                "training has none of its labels", where=str(paths[0]), hint="give another file"
            )
        scored = score(
            self.predict_arrays(encoded.examples), encoded, self.labels, self.calibration
        )
        return replace(
            scored, details=scored.details | ({"notes": "; ".join(map(str, told))} if told else {})
        )

    def reader(
        self,
        paths: Sequence[Path],
        labelled: bool = True,
        columns: Mapping[str, Any] = MappingProxyType({}),
        listener: Listener = SILENT,
    ) -> LabelledReader:
        """Read files as those that the model was trained on were read, but for `columns` that are
        called otherwise.

        Tells `listener` which files of a folder are left out. Raises DataError, SettingError.
        """
        data = self.data.model_copy(
            update={"label_file": columns.get("label_file", self.data.label_file)}
        )
        data = data.model_copy(update={} if labelled else {"label_file": ""})
        reader = renamed(
            data.reader, {name: column for name, column in columns.items() if name != "label_file"}
        )
        if labelled and getattr(reader, "incomplete", "") == "refuse":
            reader = reader.model_copy(update={"incomplete": "leave out"})
        if not labelled:
            return as_in_training(
                reader.build(find_files(paths, listener), False), data.reader, reader
            )
        files = {"all": find_files(paths, listener)}
        opened = open_readers(files, data.model_copy(update={"reader": reader}), SILENT)[1]["all"]
        return as_in_training(opened, data.reader, reader)

    def _encode(self, examples: Sequence[Example], labelled: bool) -> EncodedPart:
        files = tuple(dict.fromkeys(example.file for example in examples))
        return encode(
            examples, self.content, self.labels if labelled else None, self.data.max_length, files
        )

    def _as_predictions(
        self, examples: Sequence[Example], answers: Predictions
    ) -> Iterator[Prediction]:
        if answers.kind == "regression":
            ends = prediction_intervals(answers, self.calibration.bound)
            for example, (middle, *spreads), both in zip(
                examples, answers.scores.tolist(), ends.tolist(), strict=True
            ):
                yield Prediction(
                    example, middle, {"standard_deviation": sum(spreads) / 2}, tuple(both)
                )
            return
        names, inside = self.labels.names, prediction_sets(answers, self.calibration.bound)
        for example, best, chances, held in zip(
            examples, answers.best, answers.probabilities.tolist(), inside, strict=True
        ):
            label, said = self.labels.decode(best), dict(zip(names, chances, strict=True))
            yield Prediction(example, label, said, tuple(compress(names, held)))


def score(
    answers: Predictions, encoded: EncodedPart, labels: LabelCodec, calibration: Calibration
) -> Scored:
    """Give the figures of calibrated answers."""
    true = targets(encoded.examples, labels)
    metrics, intervals = with_intervals(
        compute_metrics(answers, true, calibration.bound), len(true), groups_of(encoded.examples)
    )
    held = float(is_covered(answers, true, calibration.bound).mean())
    left_out = {
        "unseen_labels": dict(encoded.unseen_labels),
        "unknown_channels": dict(encoded.unknown_channels),
    }
    return Scored(metrics, intervals, {"examples": len(true), "coverage": held, **left_out})


def open_classifier(run: Run, settings: ClassifySettings) -> LabelModel:
    """Open what a run has learned."""
    content, labels = run.parse(
        CODEC,
        lambda codecs: (load_content(codecs["content"]), LabelCodec.from_json(codecs["labels"])),
    )
    with format_errors(str(run.path / CODEC)), limit_model_size(run):
        model = build_classifier(settings.model, content.shape, labels.kind, labels.size)
    load_into(model, run.read_arrays(), str(run.path / WEIGHTS))
    if isinstance(model, nn.Module):
        model.eval()
    # What fails between a training and its calibration leaves a model whose answers stay as they
    # are.
    found = run.parse(CALIBRATION, Calibration.from_json) if run.has(CALIBRATION) else UNCALIBRATED
    return LabelModel(run, model, content, labels, found)
