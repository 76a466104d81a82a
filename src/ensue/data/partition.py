"""Labelled examples from files to encoded parts: read, split, fit the codecs on the training part only, encode."""

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
from ensue.data.contract import Finding, Listener
from ensue.data.examples import Examples, refuse_odd_ids, together
from ensue.data.label_kinds import guessed_scale, label_kind, lacking_labels, odd_labels
from ensue.data.labelled import ContentCodec, Labelled, LabelledReader, refuse_odd_content
from ensue.data.labels import (
    DESCRIBED,
    LabelCodec,
    LabelKind,
    LabelSettings,
    fit_labels,
    names_in,
    refuse_unlearnable,
    relabelled,
)
from ensue.data.readers import LABELLED, LabelledTable
from ensue.data.readers.label_file import with_labels
from ensue.data.readers.named_parts import PartFiles, files_of_parts
from ensue.data.series.numbers import NumberFormat
from ensue.data.split import draw_parts
from ensue.errors import DataError, SettingError
from ensue.settings import Settings, choice

HELD_OUT = ("tune", "calibrate", "test")

Reader = Annotated[Any, choice(LABELLED)]


class LabelledSettings(PartFiles):
    """How labelled data is read and split."""

    reader: Reader = LabelledTable()
    """What the data is: a table, a folder or file for each class, a long table of sequences, ..."""
    labels: LabelSettings = LabelSettings()
    """What is to be predicted."""
    most_steps: int = Field(512, ge=1)
    """Steps of an example that are read; what stands after them is left out, and counted."""
    tune: float = Field(0.1, gt=0, lt=0.5)
    """The share of the examples on which choices are made."""
    calibrate: float = Field(0.1, gt=0, lt=0.5)
    """The share on which temperature and prediction sets are fitted."""
    test: float = Field(0.2, gt=0, lt=0.5)
    """The share that is only reported."""
    label_file: str = ""
    """A table with a row for each sequence, its id and its label (`reader.label`), where the data itself has none."""


@dataclass(frozen=True)
class Encoded:
    """One part: what is learned or scored, and what was left out of it."""

    examples: Examples
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Labels that were never in training, and how many examples have them; those are not among the examples."""
    shortened: int = 0
    """Examples of which only the first steps are read."""
    repeated: int = 0
    """Texts that stand in the training part too, letter for letter."""
    strange: Mapping[str, int] = field(default_factory=dict)
    """Bands that were never in training, and in how many examples their values are left out."""
    cases: tuple[str, ...] = ()
    """The name of each example, where they are no texts."""


@dataclass(frozen=True)
class Parts:
    """All that a run needs of its data."""

    parts: Mapping[str, Encoded]
    content: ContentCodec
    labels: LabelCodec
    files: tuple[str, ...]
    """The field "file" of examples is a place in this."""

    def __getitem__(self, part: str) -> Examples:
        return self.parts[part].examples

    def to_json(self) -> dict[str, Any]:
        """Give all but the arrays as plain JSON values."""
        counts = ("unseen", "shortened", "repeated", "strange")
        left_out = {name: {count: getattr(one, count) for count in counts} for name, one in self.parts.items()}
        codecs = {"content": self.content.to_json(), "labels": self.labels.to_json()}
        cases = {name: list(one.cases) for name, one in self.parts.items() if one.cases}
        return {**codecs, "files": list(self.files), "left_out": left_out, "cases": cases}

    @classmethod
    def from_json(cls, examples: Mapping[str, Examples], values: Mapping[str, Any]) -> Parts:
        """Make the parts again of their examples, as `kept_examples` gives them, and what `to_json` gave."""
        cases = {name: tuple(names) for name, names in values.get("cases", {}).items()}
        parts = {
            name: Encoded(one, **values["left_out"][name], cases=cases.get(name, ())) for name, one in examples.items()
        }
        content, labels = open_content(values["content"]), LabelCodec.from_json(values["labels"])
        made = cls(parts, content, labels, tuple(map(str, values["files"])))
        for name in ("train", *HELD_OUT):
            made._refuse_odd(name)
        return made

    def _refuse_odd(self, part: str) -> None:
        """Raise ValueError for a part with fields that `encode` does not give."""
        examples, where, size = self[part], f"of the part {part}", self.labels.size
        refuse_odd_content(examples, self.content.shape, where)
        several, target = self.labels.kind == "several", examples.whole["target"]
        if self.labels.kind in ("several", "number"):
            fit = target.dtype == np.float32 and target.shape[1:] == ((size,) if several else ())
            if not fit or not np.isfinite(target).all():
                raise ValueError(f"target {where} holds no labels")
        else:
            refuse_odd_ids(target, size, f"target {where}")
            if "label" in examples.steps:
                refuse_odd_ids(examples.steps["label"], size + 1, f"label {where}")
        refuse_odd_ids(examples.whole["file"], len(self.files), f"file {where}")
        for name in ("line", "group"):
            refuse_odd_ids(examples.whole[name], 1 << 62, f"{name} {where}")
        if not len(examples) or len(self.parts[part].cases) not in (0, len(examples)):
            raise ValueError(f"there are no examples {where}, or their names are those of others")


def partition(
    readers: Mapping[str, LabelledReader],
    data: LabelledSettings,
    codec: Settings | ContentCodec,
    seed: int,
    listener: Listener,
) -> Parts:
    """Read, split, fit and encode. `readers` has "all", which is split, and those of parts that have their own file.

    `codec` is a member of CONTENTS, or a codec that is fitted already. Raises DataError if the data cannot be used.
    """
    parts, kind, delimiter = drawn(readers, gathered(readers["all"], data, listener), data, seed, listener)
    labels = fit_labels(parts["train"], data.labels, kind, delimiter)
    train = [example.content for example in parts["train"]]
    content = codec if isinstance(codec, ContentCodec) else _fit(codec, train)
    files = tuple(dict.fromkeys(example.file for examples in parts.values() for example in examples))
    encoded = {
        name: encode(parts[name], content, labels, data.most_steps, files, () if name == "train" else train)
        for name in ("train", *HELD_OUT)
        if name in parts
    }
    _tell_left_out(encoded, data.most_steps, listener)
    return Parts(encoded, content, labels, files)


def files_by_part(paths: Sequence[Path], data: LabelledSettings, listener: Listener) -> dict[str, list[Path]]:
    """Find the files of "all", and those of "tune" and "test" that have their own: as given, or by their names."""
    return files_of_parts("all", paths, data, listener, beside=data.label_file)


def open_readers(
    files: Mapping[str, Sequence[Path]], data: LabelledSettings, listener: Listener
) -> tuple[Any, dict[str, LabelledReader]]:
    """Give the reader's settings with all that is guessed filled in, and the reader of each part. Raises DataError."""
    if not data.label_file:
        reader: Any = data.reader.settled(files["all"], listener)
        if data.labels.kind == "several" and getattr(reader, "incomplete", "") == "refuse":
            reader = reader.model_copy(update={"incomplete": "no labels"})
        return reader, {part: _build(reader, part, files) for part, own in files.items()}
    label = getattr(data.reader, "label", "")
    unlabelled = data.reader.model_copy(update={"label": ""} if label else {})
    unlabelled = unlabelled.settled(files["all"], listener, labelled=False)
    named = label, getattr(unlabelled, "id", ""), getattr(unlabelled, "encoding", "utf-8")
    readers = {
        part: with_labels(unlabelled.build(own, False), Path(data.label_file), *named) for part, own in files.items()
    }
    return unlabelled.model_copy(update={"label": label} if label else {}), readers


def _build(reader: Any, part: str, files: Mapping[str, Sequence[Path]]) -> LabelledReader:
    """Give the reader of a part. Raises DataError where its columns are not those of the training data."""
    try:
        return reader.build(files[part])
    except DataError as error:
        if part == "all" or not error.what.startswith("there is no column"):
            raise
        mend = f"call its columns as {files['all'][0].name} does"
        raise DataError(error.what, where=error.where, mend=mend) from None


Gathered: TypeAlias = "tuple[list[Labelled], LabelKind, str, str | None]"
"""Examples, what their labels are, what stands between several, or the decimal mark of numbers, and how a person says
that they stand elsewhere."""


def gathered(reader: LabelledReader, data: LabelledSettings, listener: Listener) -> Gathered:
    """Read the examples that are split. Raises DataError, SettingError."""
    every = list(reader.examples(listener))
    _refuse_unlabelled(every, reader.elsewhere)
    _refuse_none(every)
    # What labels are may hang on what they are merged to, and how they are merged on what they are.
    kind, delimiter, guessed = label_kind(relabelled(every, data.labels) or every, data.labels)
    examples = _merged(every, data, listener, kind, delimiter)
    _refuse_none(examples)
    if guessed:
        listener.tell(guessed)
    _refuse_lists(examples, kind)
    odd = odd_labels(examples, kind, delimiter, data.labels.merge)
    for finding in (*lacking_labels(every, kind, delimiter, data.labels), *odd):
        listener.tell(finding)
    if kind == "ordinal" and not data.labels.order:
        for finding in guessed_scale(fit_labels(examples, data.labels, kind, delimiter).names, examples[0].file):
            listener.tell(finding)
    if kind in ("several", "number") and examples[0].inner is not None:
        what, mend = f"labels of nodes are read as {DESCRIBED[kind]}", "give kind=single, or data.reader.inner=false"
        raise SettingError(what, where="data.labels.kind", mend=mend)
    return examples, kind, delimiter, reader.elsewhere


def _merged(
    examples: Iterable[Labelled], data: LabelledSettings, listener: Listener, kind: LabelKind, delimiter: str
) -> list[Labelled]:
    """Give the examples with labels merged, and numbers read with their decimal mark, where they can be."""
    merged = relabelled(examples, data.labels, listener, delimiter if kind == "several" else None)
    if kind != "number":
        return merged
    read = NumberFormat(delimiter).read
    return [one if (value := read(one.label)) is None else replace(one, label=value) for one in merged]


def _refuse_none(examples: Sequence[Labelled]) -> None:
    if not examples:
        raise DataError("there are no examples", where="data", mend="give a file with some")


def _refuse_unlabelled(examples: Sequence[Labelled], elsewhere: str | None) -> None:
    """Raise DataError for the first example without a label; `elsewhere` is how labels are taken from elsewhere."""
    without = next((one for one in examples if one.label is None), None)
    if without is None:
        return
    if all(one.label is None for one in examples):
        what = "no example has a label"
        raise DataError(what, where=without.file, mend="give examples with labels", option=elsewhere)
    mend = "give it one, or leave it out"
    raise DataError("the example that begins here has no label", where=f"{without.file}:{without.line}", mend=mend)


def _refuse_lists(examples: Sequence[Labelled], kind: LabelKind) -> None:
    """Raise DataError for the first example with a list of labels, where one label each is read."""
    if kind == "several":
        return
    if one := next((one for one in examples if one.label == ""), None):
        what, mend = "the example has no label", "give it one, or leave it out"
        raise DataError(what, where=f"{one.file}:{one.line}", mend=mend)
    if one := next((one for one in examples if isinstance(one.label, list | tuple)), None):
        what = f"a list of labels stands here, where labels are read as {DESCRIBED[kind]}"
        option = "give --set data.labels.kind=several"
        raise DataError(what, where=f"{one.file}:{one.line}", mend="give it one label", option=option)


def drawn(
    readers: Mapping[str, LabelledReader], found: Gathered, data: LabelledSettings, seed: int, listener: Listener
) -> tuple[dict[str, list[Labelled]], LabelKind, str]:
    """Draw the parts, and read those that have files of their own. Raises DataError where nothing can be learned."""
    everything, kind, delimiter, _ = found
    refuse_unlearnable(*found)
    shares = {name: getattr(data, name) for name in HELD_OUT if name not in readers}
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
            raise DataError(what, where=everything[0].file, mend="give more, or files with --valid and --test")
    _refuse_straddling(parts)
    return parts, kind, delimiter


def _fit(codec: Settings, contents: Sequence[Any]) -> ContentCodec:
    return CONTENTS[getattr(codec, "name")].fit(contents, codec)  # noqa: B009 - settings of a catalogue have a name


def encode(
    examples: Iterable[Labelled],
    content: ContentCodec,
    labels: LabelCodec | None,
    longest: int,
    files: Sequence[str],
    train: Sequence[Any] = (),
) -> Encoded:
    """Encode a part; an example whose only label was never in training is left out, and counted.

    Without `labels` there are no targets. Texts that are in `train` too are counted. Raises DataError that names the
    line of what cannot be.
    """
    places, known = {file: place for place, file in enumerate(files)}, {one for one in train if isinstance(one, str)}
    steps, wholes, unseen, strange, shortened, repeated = [], [], Counter(), Counter(), 0, 0
    cases: list[str] = []
    groups: dict[str | int, int] = {}
    for row, example in enumerate(examples):
        group = groups.setdefault(row if example.group is None else example.group, len(groups))
        at: dict[str, Any] = {"line": example.line, "file": places[example.file], "group": group}
        try:
            odd = [] if labels is None else labels.unseen(example.label)
            unseen.update(odd)
            if labels is not None and odd and labels.kind != "several":
                continue
            fields, whole = content.encode(example.content)
            strange.update(content.strange(example.content))
            if labels is not None:
                at["target"] = labels.target(example.label)
                if example.inner is not None:
                    inner = [-1 if label is None else labels.target(label) for label in example.inner]
                    fields["label"] = np.array(inner, np.int64) + 1
        except DataError as error:
            raise error.at(f"{example.file}:{example.line}") from None
        length = len(next(iter(fields.values())))
        if length > longest and content.shape.children:
            what, option = f"a tree of {length:,} nodes", "read larger ones with --set data.most_steps=N"
            raise DataError(what, where=f"{example.file}:{example.line}", mend="leave it out", option=option)
        shortened += length > longest
        repeated += isinstance(example.content, str) and example.content in known
        steps.append({name: array[:longest] for name, array in fields.items()})
        wholes.append({**whole, **at})
        cases += [example.case] if example.case else []
    names = tuple(cases) if len(cases) == len(steps) else ()
    return Encoded(together(steps, wholes), dict(sorted(unseen.items())), shortened, repeated, dict(strange), names)


def _strata(examples: Sequence[Labelled], kind: LabelKind, delimiter: str) -> NDArray[Any]:
    if kind == "number":
        return np.zeros(len(examples))
    return np.array([next(iter(names_in(example.label, delimiter, kind)), "") for example in examples])


def _groups(examples: Sequence[Labelled]) -> NDArray[Any] | None:
    """Number the groups; an example without one is a group of its own."""
    if all(example.group is None for example in examples):
        return None
    return np.array([f"={row}" if one.group is None else f"+{one.group}" for row, one in enumerate(examples)])


def _refuse_straddling(parts: Mapping[str, Sequence[Labelled]]) -> None:
    """Raise DataError if a group stands in two parts, as it may where they have files of their own."""
    homes: dict[str, str] = {}
    for name, examples in parts.items():
        for one in examples:
            if one.group is not None and homes.setdefault(one.group, name) != name:
                what = f"the group {one.group!r} stands in the part {homes[one.group]} and in the part {name}"
                raise DataError(what, where=f"{one.file}:{one.line}", mend="leave it out of one of the files")


def tell_strange(found: Mapping[str, int], where: str, listener: Listener) -> None:
    """Tell of bands whose values are left out, if there are any."""
    if found:
        bands = ", ".join(f"{band!r} (in {count:,})" for band, count in sorted(found.items()))
        listener.tell(Finding(where, f"values in bands that were never in training are left out: {bands}"))


def _tell_left_out(parts: Mapping[str, Encoded], longest: int, listener: Listener) -> None:
    for name, part in parts.items():
        if part.unseen:
            names = ", ".join(f"{label!r} ({count:,})" for label, count in part.unseen.items())
            what = f"labels that were never in training are scored apart: {names}"
            listener.tell(Finding(f"the part {name}", what))
        tell_strange(part.strange, f"the part {name}", listener)
        if part.shortened:
            what = f"of {part.shortened:,} examples only the first {longest:,} steps are read"
            listener.tell(Finding(f"the part {name}", what, "read more with --set data.most_steps=N"))
        if part.repeated and name == "test":
            what = f"{part.repeated:,} of its {len(part.examples):,} texts stand in training too, letter for letter"
            listener.tell(Finding("the part test", what, "give each once for figures of new texts"))
        if not len(part.examples):
            raise DataError("none of its labels was in training", where=f"the part {name}", mend="give other examples")
