"""Encoded parts of labelled data: codecs are fitted on the training part only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs import CONTENTS, load_content
from ensue.data.codecs.labels import LabelCodec, fit_labels
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Dataset, Examples, check_ids, concatenate
from ensue.data.labelled import ContentCodec, Example, LabelledReader, check_content
from ensue.data.labelled_examples import (
    HELD_OUT_PARTS,
    LabelledSettings,
    read_examples,
    split_examples,
)
from ensue.errors import DataError
from ensue.settings import Settings


@dataclass(frozen=True)
class EncodedPart:
    """One encoded part of the data, and counts of what was skipped in it."""

    examples: Examples
    unseen_labels: Mapping[str, int] = field(default_factory=dict)
    """Labels that training does not have, with their counts; their examples are skipped."""
    shortened: int = 0
    """Examples that were cut to the maximum length."""
    duplicates_of_train: int = 0
    """Texts that are also in the training part, letter for letter."""
    unknown_channels: Mapping[str, int] = field(default_factory=dict)
    """Channels that training does not have, with the number of examples that have them."""
    cases: tuple[str, ...] = ()
    """The name of each example, if they are not texts."""

    def sample(self, every: int) -> EncodedPart:
        """Return one in `every` examples."""
        return replace(self, examples=self.examples.sample(every), cases=self.cases[::every])


def load_codecs(values: Mapping[str, Any]) -> tuple[ContentCodec, LabelCodec]:
    """Restore the codecs of content and labels. Raises ValueError."""
    return load_content(values["content"]), LabelCodec.from_json(values["labels"])


@dataclass(frozen=True)
class LabelledParts(Dataset):
    """The encoded parts and fitted codecs of a run."""

    parts: Mapping[str, EncodedPart]
    content: ContentCodec
    labels: LabelCodec
    files: tuple[str, ...]
    """The files that the field "file" of examples indexes."""

    @property
    def streams(self) -> dict[str, Examples]:
        """The examples of each part."""
        return {name: one.examples for name, one in self.parts.items()}

    def sample(self, every: int) -> LabelledParts:
        """Return one in `every` examples of each part."""
        return replace(self, parts={name: one.sample(every) for name, one in self.parts.items()})

    @property
    def codecs(self) -> dict[str, Any]:
        """The codecs of content and labels."""
        return {"content": self.content.to_json(), "labels": self.labels.to_json()}

    @property
    def skipped(self) -> dict[str, dict[str, Any]]:
        """Counts of what was skipped in each part."""
        counts = ("unseen_labels", "shortened", "duplicates_of_train", "unknown_channels")
        return {
            name: {count: getattr(one, count) for count in counts}
            for name, one in self.parts.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return all but the arrays as plain JSON values."""
        cases = {name: list(one.cases) for name, one in self.parts.items() if one.cases}
        return {**self.codecs, "files": list(self.files), "skipped": self.skipped, "cases": cases}

    @classmethod
    def from_json(
        cls,
        streams: Mapping[str, Examples],
        tables: Mapping[str, NDArray[Any]],
        values: Mapping[str, Any],
    ) -> LabelledParts:
        """Build the parts from saved examples and the result of `to_json`. Raises ValueError."""
        cases = {name: tuple(names) for name, names in values["cases"].items()}
        parts = {
            name: EncodedPart(
                one, **_read_skipped(values["skipped"][name]), cases=cases.get(name, ())
            )
            for name, one in streams.items()
        }
        content, labels = load_codecs(values)
        made = cls(parts, content, labels, tuple(map(str, values["files"])))
        for name in ("train", *HELD_OUT_PARTS):
            made._check(name)
        return made

    def _check(self, part: str) -> None:
        """Raise ValueError for a part with fields that `encode` does not return."""
        examples, where, size = self[part], f"of the part {part}", self.labels.size
        check_content(examples, self.content.shape, where)
        several, target = self.labels.kind == "multilabel", examples.static["target"]
        if self.labels.kind in ("multilabel", "regression"):
            fit = target.dtype == np.float32 and target.shape[1:] == ((size,) if several else ())
            if not fit or not np.isfinite(target).all():
                raise ValueError(f"target {where} holds no labels")
        else:
            check_ids(target, size, f"target {where}")
            if "label" in examples.steps:
                check_ids(examples.steps["label"], size + 1, f"label {where}")
        check_ids(examples.static["file"], len(self.files), f"file {where}")
        for name in ("line", "group"):
            check_ids(examples.static[name], 1 << 62, f"{name} {where}")
        if not len(examples) or len(self.parts[part].cases) not in (0, len(examples)):
            raise ValueError(f"there are no examples {where}, or their names do not fit them")


def _read_skipped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read the counts of what was skipped in a part, each a number or numbers by name."""
    return {
        name: {str(key): int(one) for key, one in count.items()}
        if name in ("unseen_labels", "unknown_channels")
        else int(count)
        for name, count in values.items()
    }


def prepare_labelled(
    readers: Mapping[str, LabelledReader],
    data: LabelledSettings,
    codec: Settings | ContentCodec,
    seed: int,
    listener: Listener,
) -> LabelledParts:
    """Read, split, fit and encode.

    `readers` has "all", which is split, and the parts that have files of their own. `codec` is a
    member of CONTENTS, or a fitted codec. Raises DataError if the data cannot be used.
    """
    parts, kind, delimiter = split_examples(
        readers, read_examples(readers["all"], data, listener), data, seed, listener
    )
    labels = fit_labels(parts["train"], data.labels, kind, delimiter)
    train = [example.content for example in parts["train"]]
    content = codec if isinstance(codec, ContentCodec) else _fit(codec, train)
    files = tuple(
        dict.fromkeys(example.file for examples in parts.values() for example in examples)
    )
    encoded = {
        name: encode(
            parts[name], content, labels, data.max_length, files, () if name == "train" else train
        )
        for name in ("train", *HELD_OUT_PARTS)
        if name in parts
    }
    _report_skipped(encoded, data.max_length, listener)
    return LabelledParts(encoded, content, labels, files)


def _fit(codec: Settings, contents: Sequence[Any]) -> ContentCodec:
    return CONTENTS[getattr(codec, "name")].fit(contents, codec)  # noqa: B009 - settings of a catalogue have a name


def encode(
    examples: Iterable[Example],
    content: ContentCodec,
    labels: LabelCodec | None,
    longest: int,
    files: Sequence[str],
    train: Sequence[Any] = (),
) -> EncodedPart:
    """Encode a part; examples whose only label is absent from training are skipped and counted.

    Without `labels` there are no targets. Texts that are also in `train` are counted. Raises
    DataError that names the line of an invalid example.
    """
    places = {file: place for place, file in enumerate(files)}
    train_texts = {one for one in train if isinstance(one, str)}
    steps, static, shortened, duplicates = [], [], 0, 0
    unseen, unknown_channels = Counter[str](), Counter[str]()
    cases: list[str] = []
    groups: dict[str | int, int] = {}
    for row, example in enumerate(examples):
        group = groups.setdefault(row if example.group is None else example.group, len(groups))
        at: dict[str, Any] = {"line": example.line, "file": places[example.file], "group": group}
        try:
            new = [] if labels is None else labels.unseen_labels(example.label)
            unseen.update(new)
            if labels is not None and new and labels.kind != "multilabel":
                continue
            fields, constants = content.encode(example.content)
            unknown_channels.update(content.unknown_channels(example.content))
            if labels is not None:
                at["target"] = labels.target(example.label)
                if example.inner is not None:
                    inner = [
                        -1 if label is None else labels.target(label) for label in example.inner
                    ]
                    fields["label"] = np.array(inner, np.int64) + 1
        except DataError as error:
            raise error.at(f"{example.file}:{example.line}") from None
        length = len(next(iter(fields.values())))
        if length > longest and content.shape.children:
            what = f"the tree has {length:,} nodes, more than {longest:,}"
            flag_hint = "read larger ones with --set data.max_length=N"
            where = f"{example.file}:{example.line}"
            raise DataError(what, where=where, hint="remove it", flag_hint=flag_hint)
        shortened += length > longest
        duplicates += isinstance(example.content, str) and example.content in train_texts
        steps.append({name: array[:longest] for name, array in fields.items()})
        static.append({**constants, **at})
        cases += [example.case] if example.case else []
    names = tuple(cases) if len(cases) == len(steps) else ()
    return EncodedPart(
        concatenate(steps, static),
        dict(sorted(unseen.items())),
        shortened,
        duplicates,
        dict(unknown_channels),
        names,
    )


def report_unknown_channels(found: Mapping[str, int], where: str, listener: Listener) -> None:
    """Report the channels whose values are ignored, if any."""
    if found:
        bands = ", ".join(f"{band!r} (in {count:,})" for band, count in sorted(found.items()))
        what = f"values of channels that training does not have are ignored: {bands}"
        listener.on_finding(Finding(where, what))


def _report_skipped(parts: Mapping[str, EncodedPart], longest: int, listener: Listener) -> None:
    for name, part in parts.items():
        if part.unseen_labels:
            names = ", ".join(
                f"{label!r} ({count:,})" for label, count in part.unseen_labels.items()
            )
            what = f"labels that training does not have are reported separately: {names}"
            listener.on_finding(Finding(f"the {name} part", what))
        report_unknown_channels(part.unknown_channels, f"the {name} part", listener)
        if part.shortened:
            what = f"{part.shortened:,} examples are cut to their first {longest:,} steps"
            hint = "read more with --set data.max_length=N"
            listener.on_finding(Finding(f"the {name} part", what, hint))
        if part.duplicates_of_train and name == "test":
            what = (
                f"{part.duplicates_of_train:,} of its {len(part.examples):,} texts are also in "
                f"the training part, letter for letter"
            )
            listener.on_finding(
                Finding("the test part", what, "remove duplicates to measure on new texts")
            )
        if not len(part.examples):
            what = "training has none of its labels"
            raise DataError(what, where=f"the {name} part", hint="give other examples")
