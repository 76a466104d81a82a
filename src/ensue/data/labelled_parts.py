"""Labelled examples from files to encoded parts: read, split, fit the codecs on the training
part only, encode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.codecs import CONTENTS, open_content
from ensue.data.codecs.labels import (
    DESCRIBED,
    LabelCodec,
    LabelKind,
    LabelSettings,
    check_learnable,
    fit_labels,
    label_names,
    merge_labels,
)
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Examples, check_ids, concatenate
from ensue.data.label_kinds import guessed_scale, label_kind, lacking_labels, suspicious_labels
from ensue.data.labelled import ContentCodec, Example, LabelledReader, check_content
from ensue.data.readers.formats import LABELLED, LabelledTable
from ensue.data.readers.label_file import with_labels
from ensue.data.readers.named_parts import PartFiles, get_part_files
from ensue.data.split import draw_parts
from ensue.data.tables.number_format import NumberFormat
from ensue.errors import DataError, SettingError
from ensue.settings import Settings, choice

HELD_OUT_PARTS = ("validation", "calibration", "test")

Reader = Annotated[Any, choice(LABELLED)]


class LabelledSettings(PartFiles):
    """How labelled data is read and split."""

    reader: Reader = LabelledTable()
    """What the data is: a table, a folder or file for each class, a long table of sequences, ..."""
    labels: LabelSettings = LabelSettings()
    """What is to be predicted."""
    max_length: int = Field(512, ge=1)
    """Steps of an example that are read; what stands after them is left out, and counted."""
    validation: float = Field(0.1, gt=0, lt=0.5)
    """The share of the examples on which choices are made."""
    calibration: float = Field(0.1, gt=0, lt=0.5)
    """The share on which temperature and prediction sets are fitted."""
    test: float = Field(0.2, gt=0, lt=0.5)
    """The share that is only reported."""
    label_file: str = ""
    """A table with a row for each sequence, its id and its label (`reader.label`), where the
    data itself has none."""


@dataclass(frozen=True)
class EncodedPart:
    """One part: what is learned or scored, and what was left out of it."""

    examples: Examples
    unseen_labels: Mapping[str, int] = field(default_factory=dict)
    """Labels that were never in training, and how many examples have them; those are not among
    the examples."""
    shortened: int = 0
    """Examples of which only the first steps are read."""
    duplicates_of_train: int = 0
    """Texts that stand in the training part too, letter for letter."""
    unknown_channels: Mapping[str, int] = field(default_factory=dict)
    """Bands that were never in training, and in how many examples their values are left out."""
    cases: tuple[str, ...] = ()
    """The name of each example, where they are no texts."""


@dataclass(frozen=True)
class LabelledParts:
    """All that a run needs of its data."""

    parts: Mapping[str, EncodedPart]
    content: ContentCodec
    labels: LabelCodec
    files: tuple[str, ...]
    """The field "file" of examples is a place in this."""

    def __getitem__(self, part: str) -> Examples:
        return self.parts[part].examples

    def to_json(self) -> dict[str, Any]:
        """Give all but the arrays as plain JSON values."""
        counts = ("unseen_labels", "shortened", "duplicates_of_train", "unknown_channels")
        left_out = {
            name: {count: getattr(one, count) for count in counts}
            for name, one in self.parts.items()
        }
        codecs = {"content": self.content.to_json(), "labels": self.labels.to_json()}
        cases = {name: list(one.cases) for name, one in self.parts.items() if one.cases}
        return {**codecs, "files": list(self.files), "skipped": left_out, "cases": cases}

    @classmethod
    def from_json(
        cls, examples: Mapping[str, Examples], values: Mapping[str, Any]
    ) -> LabelledParts:
        """Make the parts again of their examples, as `kept_examples` gives them, and what
        `to_json` gave."""
        cases = {name: tuple(names) for name, names in values.get("cases", {}).items()}
        parts = {
            name: EncodedPart(one, **values["skipped"][name], cases=cases.get(name, ()))
            for name, one in examples.items()
        }
        content, labels = open_content(values["content"]), LabelCodec.from_json(values["labels"])
        made = cls(parts, content, labels, tuple(map(str, values["files"])))
        for name in ("train", *HELD_OUT_PARTS):
            made._check(name)
        return made

    def _check(self, part: str) -> None:
        """Raise ValueError for a part with fields that `encode` does not give."""
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
            raise ValueError(f"there are no examples {where}, or their names are those of others")


def prepare_labelled(
    readers: Mapping[str, LabelledReader],
    data: LabelledSettings,
    codec: Settings | ContentCodec,
    seed: int,
    listener: Listener,
) -> LabelledParts:
    """Read, split, fit and encode. `readers` has "all", which is split, and those of parts that
    have their own file.

    `codec` is a member of CONTENTS, or a codec that is fitted already. Raises DataError if the data
    cannot be used.
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


def files_by_part(
    paths: Sequence[Path], data: LabelledSettings, listener: Listener
) -> dict[str, list[Path]]:
    """Find the files of "all", and those of "validation" and "test" that have their own: as
    given, or by their names."""
    return get_part_files("all", paths, data, listener, beside=data.label_file)


def open_readers(
    files: Mapping[str, Sequence[Path]], data: LabelledSettings, listener: Listener
) -> tuple[Any, dict[str, LabelledReader]]:
    """Give the reader's settings with all that is guessed filled in, and the reader of each
    part. Raises DataError."""
    if not data.label_file:
        reader: Any = data.reader.resolved(files["all"], listener)
        if data.labels.kind == "multilabel" and getattr(reader, "incomplete", "") == "refuse":
            reader = reader.model_copy(update={"incomplete": "no labels"})
        return reader, {part: _build(reader, part, files) for part, own in files.items()}
    label = getattr(data.reader, "label", "")
    unlabelled = data.reader.model_copy(update={"label": ""} if label else {})
    unlabelled = unlabelled.resolved(files["all"], listener, labelled=False)
    named = label, getattr(unlabelled, "id", ""), getattr(unlabelled, "encoding", "utf-8")
    readers = {
        part: with_labels(unlabelled.build(own, False), Path(data.label_file), *named)
        for part, own in files.items()
    }
    return unlabelled.model_copy(update={"label": label} if label else {}), readers


def _build(reader: Any, part: str, files: Mapping[str, Sequence[Path]]) -> LabelledReader:
    """Give the reader of a part. Raises DataError where its columns are not those of the
    training data."""
    try:
        return reader.build(files[part])
    except DataError as error:
        if part == "all" or not error.what.startswith("there is no column"):
            raise
        hint = f"call its columns as {files['all'][0].name} does"
        raise DataError(error.what, where=error.where, hint=hint) from None


ReadParts: TypeAlias = "tuple[list[Example], LabelKind, str, str | None]"
"""Examples, what their labels are, what stands between several, or the decimal mark of numbers, and
how a person says that they stand elsewhere."""


def read_examples(reader: LabelledReader, data: LabelledSettings, listener: Listener) -> ReadParts:
    """Read the examples that are split. Raises DataError, SettingError."""
    every = list(reader.examples(listener))
    _refuse_unlabelled(every, reader.elsewhere)
    _refuse_none(every)
    # What labels are may hang on what they are merged to, and how they are merged on what they are.
    kind, delimiter, guessed = label_kind(merge_labels(every, data.labels) or every, data.labels)
    examples = _merged(every, data, listener, kind, delimiter)
    _refuse_none(examples)
    if guessed:
        listener.on_finding(guessed)
    _refuse_lists(examples, kind)
    odd = suspicious_labels(examples, kind, delimiter, data.labels.merge)
    for finding in (*lacking_labels(every, kind, delimiter, data.labels), *odd):
        listener.on_finding(finding)
    if kind == "ordinal" and not data.labels.order:
        for finding in guessed_scale(
            fit_labels(examples, data.labels, kind, delimiter).names, examples[0].file
        ):
            listener.on_finding(finding)
    if kind in ("multilabel", "regression") and examples[0].inner is not None:
        what, hint = (
            f"labels of nodes are read as {DESCRIBED[kind]}",
            "give kind=single, or data.reader.inner=false",
        )
        raise SettingError(what, where="data.labels.kind", hint=hint)
    return examples, kind, delimiter, reader.elsewhere


def _merged(
    examples: Iterable[Example],
    data: LabelledSettings,
    listener: Listener,
    kind: LabelKind,
    delimiter: str,
) -> list[Example]:
    """Give the examples with labels merged, and numbers read with their decimal mark, where they
    can be."""
    merged = merge_labels(
        examples, data.labels, listener, delimiter if kind == "multilabel" else None
    )
    if kind != "regression":
        return merged
    read = NumberFormat(delimiter).read
    return [
        one if (value := read(one.label)) is None else replace(one, label=value) for one in merged
    ]


def _refuse_none(examples: Sequence[Example]) -> None:
    if not examples:
        raise DataError("there are no examples", where="data", hint="give a file with some")


def _refuse_unlabelled(examples: Sequence[Example], elsewhere: str | None) -> None:
    """Raise DataError for the first example without a label; `elsewhere` is how labels are taken
    from elsewhere."""
    without = next((one for one in examples if one.label is None), None)
    if without is None:
        return
    if all(one.label is None for one in examples):
        what = "no example has a label"
        raise DataError(
            what, where=without.file, hint="give examples with labels", flag_hint=elsewhere
        )
    hint = "give it one, or leave it out"
    raise DataError(
        "the example that begins here has no label",
        where=f"{without.file}:{without.line}",
        hint=hint,
    )


def _refuse_lists(examples: Sequence[Example], kind: LabelKind) -> None:
    """Raise DataError for the first example with a list of labels, where one label each is read."""
    if kind == "multilabel":
        return
    if one := next((one for one in examples if one.label == ""), None):
        what, hint = "the example has no label", "give it one, or leave it out"
        raise DataError(what, where=f"{one.file}:{one.line}", hint=hint)
    if one := next((one for one in examples if isinstance(one.label, list | tuple)), None):
        what = f"a list of labels stands here, where labels are read as {DESCRIBED[kind]}"
        flag_hint = "give --set data.labels.kind=multilabel"
        raise DataError(
            what, where=f"{one.file}:{one.line}", hint="give it one label", flag_hint=flag_hint
        )


def split_examples(
    readers: Mapping[str, LabelledReader],
    found: ReadParts,
    data: LabelledSettings,
    seed: int,
    listener: Listener,
) -> tuple[dict[str, list[Example]], LabelKind, str]:
    """Draw the parts, and read those that have files of their own. Raises DataError where
    nothing can be learned."""
    everything, kind, delimiter, _ = found
    check_learnable(*found)
    shares = {name: getattr(data, name) for name in HELD_OUT_PARTS if name not in readers}
    groups = _groups(everything)
    rows = draw_parts(shares, seed, _strata(everything, kind, delimiter), groups)
    parts = {name: [everything[row] for row in chosen] for name, chosen in rows.items()}
    for name, reader in readers.items():
        if name != "all":
            parts[name] = _merged(reader.examples(listener), data, listener, kind, delimiter)
            _refuse_unlabelled(parts[name], reader.elsewhere)
            _refuse_lists(parts[name], kind)
    for name, examples in parts.items():
        if not examples:
            some = f"{len(everything):,} examples"
            some += "" if groups is None else f" in {len(np.unique(groups)):,} group(s)"
            what = f"{some} are too few to split: nothing is left to {name}"
            raise DataError(
                what, where=everything[0].file, hint="give more, or files with --valid and --test"
            )
    _refuse_straddling(parts)
    return parts, kind, delimiter


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
    """Encode a part; an example whose only label was never in training is left out, and counted.

    Without `labels` there are no targets. Texts that are in `train` too are counted. Raises
    DataError that names the line of what cannot be.
    """
    places, known = (
        {file: place for place, file in enumerate(files)},
        {one for one in train if isinstance(one, str)},
    )
    steps, wholes, unseen, strange, shortened, repeated = [], [], Counter(), Counter(), 0, 0
    cases: list[str] = []
    groups: dict[str | int, int] = {}
    for row, example in enumerate(examples):
        group = groups.setdefault(row if example.group is None else example.group, len(groups))
        at: dict[str, Any] = {"line": example.line, "file": places[example.file], "group": group}
        try:
            odd = [] if labels is None else labels.unseen_labels(example.label)
            unseen.update(odd)
            if labels is not None and odd and labels.kind != "multilabel":
                continue
            fields, whole = content.encode(example.content)
            strange.update(content.unknown_channels(example.content))
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
            what, flag_hint = (
                f"a tree of {length:,} nodes",
                "read larger ones with --set data.max_length=N",
            )
            raise DataError(
                what,
                where=f"{example.file}:{example.line}",
                hint="leave it out",
                flag_hint=flag_hint,
            )
        shortened += length > longest
        repeated += isinstance(example.content, str) and example.content in known
        steps.append({name: array[:longest] for name, array in fields.items()})
        wholes.append({**whole, **at})
        cases += [example.case] if example.case else []
    names = tuple(cases) if len(cases) == len(steps) else ()
    return EncodedPart(
        concatenate(steps, wholes),
        dict(sorted(unseen.items())),
        shortened,
        repeated,
        dict(strange),
        names,
    )


def _strata(examples: Sequence[Example], kind: LabelKind, delimiter: str) -> NDArray[Any]:
    if kind == "regression":
        return np.zeros(len(examples))
    return np.array(
        [next(iter(label_names(example.label, delimiter, kind)), "") for example in examples]
    )


def _groups(examples: Sequence[Example]) -> NDArray[Any] | None:
    """Number the groups; an example without one is a group of its own."""
    if all(example.group is None for example in examples):
        return None
    return np.array(
        [f"={row}" if one.group is None else f"+{one.group}" for row, one in enumerate(examples)]
    )


def _refuse_straddling(parts: Mapping[str, Sequence[Example]]) -> None:
    """Raise DataError if a group stands in two parts, as it may where they have files of their
    own."""
    homes: dict[str, str] = {}
    for name, examples in parts.items():
        for one in examples:
            if one.group is not None and homes.setdefault(one.group, name) != name:
                what = (
                    f"the group {one.group!r} stands in the part {homes[one.group]} and in "
                    f"the part {name}"
                )
                raise DataError(
                    what, where=f"{one.file}:{one.line}", hint="leave it out of one of the files"
                )


def report_unknown_channels(found: Mapping[str, int], where: str, listener: Listener) -> None:
    """Tell of bands whose values are left out, if there are any."""
    if found:
        bands = ", ".join(f"{band!r} (in {count:,})" for band, count in sorted(found.items()))
        listener.on_finding(
            Finding(where, f"values in channels that were never in training are left out: {bands}")
        )


def _report_skipped(parts: Mapping[str, EncodedPart], longest: int, listener: Listener) -> None:
    for name, part in parts.items():
        if part.unseen_labels:
            names = ", ".join(
                f"{label!r} ({count:,})" for label, count in part.unseen_labels.items()
            )
            what = f"labels that were never in training are scored apart: {names}"
            listener.on_finding(Finding(f"the part {name}", what))
        report_unknown_channels(part.unknown_channels, f"the part {name}", listener)
        if part.shortened:
            what = f"of {part.shortened:,} examples only the first {longest:,} steps are read"
            listener.on_finding(
                Finding(f"the part {name}", what, "read more with --set data.max_length=N")
            )
        if part.duplicates_of_train and name == "test":
            what = (
                f"{part.duplicates_of_train:,} of its {len(part.examples):,} texts stand in "
                f"training too, letter for letter"
            )
            listener.on_finding(
                Finding("the part test", what, "give each once for figures of new texts")
            )
        if not len(part.examples):
            raise DataError(
                "none of its labels was in training",
                where=f"the part {name}",
                hint="give other examples",
            )
