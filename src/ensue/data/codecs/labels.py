"""Targets of whole examples: one label, several labels, a label on a scale, or a number."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from ensue.data.codecs.measurements import find_moments
from ensue.data.contract import SILENT, Listener
from ensue.data.labelled import Example
from ensue.data.tables.number_format import NumberFormat
from ensue.data.tables.numbers import LARGEST, as_float
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, SettingError
from ensue.settings import Settings

LabelKind: TypeAlias = Literal["multiclass", "multilabel", "ordinal", "regression"]

DESCRIBED: dict[LabelKind, str] = {
    "multiclass": "one label each",
    "multilabel": "any number of labels each",
    "ordinal": "labels on a scale",
    "regression": "numbers",
}

FAR = 1e30
"""Bound of standardised targets, in standard deviations: float32 has no numbers above 3e38."""


class LabelSettings(Settings):
    """How labels are read and encoded."""

    kind: Literal["auto", "multiclass", "multilabel", "ordinal", "regression"] = "auto"
    """Kind of label: one class, several, a class on a scale, or a number; auto guesses it."""
    delimiter: str = ""
    """multilabel: delimiter between labels in one text; JSON lists need none."""
    decimal: Literal["", ".", ","] = ""
    """regression: decimal mark; the other mark groups thousands; by default it is inferred."""
    order: tuple[str, ...] = ()
    """ordinal: labels from lowest to highest; by default as numbers, or else alphabetical."""
    merge: tuple[str, ...] = ()
    """Labels to merge into others, as "LABEL=OTHER"; "LABEL=" leaves out examples of LABEL.

    With several labels an example loses that label alone.
    """

    @property
    def others(self) -> dict[str, str]:
        """Map each label to the one that replaces it. Raises SettingError for a wrong form."""
        for one in self.merge:
            if not one.partition("=")[0] or "=" not in one:
                what = f"{one!r} merges nothing"
                raise SettingError(what, where="data.labels.merge", hint="write LABEL=OTHER")
        return {
            label.strip(): other.strip()
            for label, _, other in (one.partition("=") for one in self.merge)
        }


@dataclass(frozen=True)
class LabelCodec:
    """Codec of labels as targets, fitted on the training part only.

    A target is the index of the label in `names`. For multilabel it is a row of ones and zeros; for
    regression it is (number - `mean`) / `scale`.

    >>> codec = LabelCodec("multilabel", ("dog", "cat"), delimiter="|")
    >>> codec.target("cat|dog").tolist(), codec.unseen_labels("cat|cow")
    ([1.0, 1.0], ['cow'])
    """

    kind: LabelKind
    names: tuple[str, ...] = ()
    delimiter: str = ""
    mean: float = 0.0
    scale: float = 1.0
    decimal: str = ""
    """Decimal mark of numbers that are given as text."""

    @property
    def size(self) -> int:
        """Number of labels; 1 for regression."""
        return len(self.names) if self.kind != "regression" else 1

    def target(self, label: Any) -> Any:
        """Encode a label; labels that training has not become -1, or are dropped in multilabel.

        Raises DataError if a number is expected and the label is not one.
        """
        if self.kind == "regression":
            scaled = (_parse_number(label, self.decimal) - self.mean) / self.scale
            return np.float32(np.clip(scaled, -FAR, FAR))
        here = label_names(label, self.delimiter, self.kind)
        if self.kind == "multilabel":
            return np.array([name in here for name in self.names], np.float32)
        return np.int64(self.names.index(here[0]) if here[0] in self.names else -1)

    def decode(self, answer: Any) -> Any:
        """Decode an answer: the index of a label, a row of a multilabel target, or a number.

        >>> (LabelCodec("multilabel", ("dog", "cat")).decode([0.0, 1.0]),
        ...  LabelCodec("multiclass", ("dog", "cat")).decode(0))
        (['cat'], 'dog')
        """
        if self.kind == "multilabel":
            return [name for name, present in zip(self.names, answer, strict=True) if present > 0.5]
        return float(answer) if self.kind == "regression" else self.names[int(answer)]

    def unseen_labels(self, label: Any) -> list[str]:
        """Return the labels of an example that training has not."""
        if self.kind == "regression":
            return []
        return [
            name for name in label_names(label, self.delimiter, self.kind) if name not in self.names
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LabelCodec:
        """Restore a codec from `to_json`. Raises ValueError for invalid values."""
        made = TypeAdapter(cls).validate_python(values)
        if (
            len(set(made.names)) < len(made.names)
            or not isfinite(made.mean)
            or not 0 < made.scale < inf
        ):
            raise ValueError("the labels are invalid")
        if made.decimal not in ("", ".", ","):
            raise ValueError("the decimal mark is invalid")
        return made


def label_names(label: Any, delimiter: str, kind: LabelKind) -> list[str]:
    """Return the names of an example's labels, without duplicates.

    >>> label_names("b; a;b", ";", "multilabel"), label_names(3.0, "", "multiclass")
    (['b', 'a'], ['3'])
    """
    if kind != "multilabel":
        return [_to_name(label)]
    if isinstance(label, list | tuple | set):
        parts = [_to_name(one) for one in label]
    else:
        name = _to_name(label)
        parts = [part.strip() for part in (name.split(delimiter) if delimiter else [name])]
    return list(dict.fromkeys(part for part in parts if part))


def collect_names(examples: Iterable[Example], delimiter: str, kind: LabelKind) -> set[str]:
    """Return the names of all labels, those of steps among them."""
    labels = (label for one in examples for label in (one.label, *(one.inner or ())))
    present = (label for label in labels if label is not None)
    return {name for label in present for name in label_names(label, delimiter, kind)}


def fit_labels(
    train: Sequence[Example], settings: LabelSettings, kind: LabelKind, mark: str
) -> LabelCodec:
    """Fit a codec: collect the labels, or compute mean and standard deviation of numbers.

    `mark` is the delimiter of several labels, or the decimal mark of numbers. Raises SettingError
    if the given order lacks a label.
    """
    if kind == "regression":
        values = np.array([_parse_number(example.label) for example in train])
        mean, scale = find_moments(values)
        return LabelCodec(kind, mean=mean, scale=scale or 1.0, decimal=mark)
    present = collect_names(train, mark, kind)
    if kind == "ordinal" and settings.order:
        if lacking := sorted(present - set(settings.order)):
            what = f"the label {lacking[0]!r} has no place in the order"
            hint = "name all labels, from the lowest to the highest"
            raise SettingError(what, where="data.labels.order", hint=hint)
        return LabelCodec(kind, settings.order)
    return LabelCodec(kind, tuple(sorted(present, key=_sort_key)), mark)


def merge_labels(
    examples: Iterable[Example],
    settings: LabelSettings,
    listener: Listener = SILENT,
    several: str | None = None,
) -> list[Example]:
    """Apply `settings.merge`; examples whose label is dropped are left out and counted.

    `several` is the delimiter if an example may have several labels. Each of them is then merged or
    dropped by itself.

    >>> read = [Example("so so", "2", "a", 1), Example("good", "3", "a", 2)]
    >>> [example.label for example in merge_labels(read, LabelSettings(merge=("2=", "3=+")))]
    ['+']
    >>> [example.label for example in merge_labels(read, LabelSettings(merge=("2=", "3=+")),
    ...     several="|")]
    [[], ['+']]
    """
    if not (others := settings.others):
        return list(examples)

    def merge(label: Any) -> Any:
        if several is None and not isinstance(label, list | tuple):
            return label if label is None else others.get(_to_name(label), label)
        names = [others.get(name, name) for name in label_names(label, several or "", "multilabel")]
        return list(dict.fromkeys(name for name in names if name))

    merged, left_out = [], 0
    for example in examples:
        label, *inner = (merge(one) for one in (example.label, *(example.inner or ())))
        if label == "" and example.label != "":
            left_out += 1
        else:
            kept = [one or None for one in inner] or None
            merged.append(replace(example, label=label, inner=kept))
    if left_out:
        where = merged[0].file if merged else "data"
        listener.report(where, f"{left_out:,} examples left out, by data.labels.merge")
    return merged


def check_learnable(
    examples: Sequence[Example], kind: LabelKind, delimiter: str, elsewhere: str | None = None
) -> None:
    """Raise DataError for labels that cannot be learned.

    They have one class only, mostly classes of one example, or a single number. `elsewhere` is
    advice on how to take the labels from another place.
    """
    file = examples[0].file
    if kind == "regression":
        values = {_parse_label(example) for example in examples}
        if len(values) < 2:
            what = f"all labels are the number {values.pop():g}"
            raise DataError(what, where=file, hint="give examples of others", flag_hint=elsewhere)
        return
    lists = [label_names(example.label, delimiter, kind) for example in examples]
    counts = Counter(name for names in lists for name in names)
    if len(counts) < 2 and (kind != "multilabel" or set(counts.values()) == {len(examples)}):
        only = next(iter(counts), None)
        what = f"every example has the label {only!r}" if only else "no example has a label"
        hint = "give examples of other classes"
        raise DataError(what, where=file, hint=hint, flag_hint=elsewhere)
    if kind != "multilabel" and list(counts.values()).count(1) > len(counts) / 2:
        alone = next(name for name, count in counts.items() if count == 1)
        what = f"most labels, such as {alone!r}, have one example, as row ids would"
        raise DataError(what, where=file, hint="give more of each", flag_hint=elsewhere)
    if kind != "multilabel" and 1 in counts.values():
        place = next(place for place, names in enumerate(lists) if counts[names[0]] == 1)
        where = f"{examples[place].file}:{examples[place].line}"
        what = f"the label {lists[place][0]!r} has this one example"
        numbers = "if labels are measured numbers, give --set data.labels.kind=regression"
        merge = f"data.labels.merge={json.dumps([f'{lists[place][0]}='])}"
        flag_hint = f"leave it out with --set {shlex.quote(merge)}"
        if kind == "multiclass" and all(_sort_key(name)[0] < inf for name in counts):
            flag_hint = numbers
        raise DataError(what, where=where, hint="give more of it", flag_hint=flag_hint)


def _parse_label(example: Example) -> float:
    """Parse the label of an example as a number; an error names its line."""
    try:
        return _parse_number(example.label)
    except DataError as error:
        raise error.at(f"{example.file}:{example.line}") from None


def _to_name(label: Any) -> str:
    """Format a label as a person would: the float 1.0 becomes "1"."""
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label)) if whole else str(label).strip()


def _parse_number(label: Any, decimal: str = "") -> float:
    value = NumberFormat(decimal).read(label)
    if value is None:
        what = f"the label {str(label)[:60]!r} is not a number"
        raise DataError(what, hint="correct it, or leave the row out")
    if not abs(value) <= LARGEST:
        kind = "too large" if isfinite(value) else "not finite"
        flag_hint = (
            None if is_filled(label) else f"all such with --set 'data.labels.merge=[\"{label}=\"]'"
        )
        what = f"the label {str(label)[:60]!r} is {kind}"
        raise DataError(what, hint="correct it, or leave the row out", flag_hint=flag_hint)
    return value


def _sort_key(name: str) -> tuple[float, str]:
    """Sort key: numbers by size, before names."""
    value = as_float(name)
    return inf if value is None else value, name
