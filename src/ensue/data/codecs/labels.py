"""What is to be predicted of a whole example: one label, several, one on a scale, or a number."""

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

from ensue.data.contract import SILENT, Finding, Listener
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
"""Standard deviations from the mean to which numbers are told apart: float32 has none above
3e38."""


class LabelSettings(Settings):
    """What labels are."""

    kind: Literal["auto", "multiclass", "multilabel", "ordinal", "regression"] = "auto"
    """One label, any number of them, one on a scale, or a number; auto guesses it and says so."""
    delimiter: str = ""
    """Several: what stands between labels that are written as one text; JSON lists need none."""
    decimal: Literal["", ".", ","] = ""
    """Number: the decimal mark; the other one divides thousands. Unset, all labels together
    tell."""
    order: tuple[str, ...] = ()
    """Ordinal: the labels from the lowest to the highest; if not given, as numbers, or else by
    the alphabet."""
    merge: tuple[str, ...] = ()
    """Labels that are read as another, each written "LABEL=OTHER"; what has a label "LABEL=" is
    left out, of several labels that one alone."""

    @property
    def others(self) -> dict[str, str]:
        """What to read each label as. Raises SettingError if one is not written so."""
        for one in self.merge:
            if not one.partition("=")[0] or "=" not in one:
                raise SettingError(
                    f"{one!r} merges nothing", where="data.labels.merge", hint="write LABEL=OTHER"
                )
        return {
            label.strip(): other.strip()
            for label, _, other in (one.partition("=") for one in self.merge)
        }


@dataclass(frozen=True)
class LabelCodec:
    """How labels become targets. Fitted on the training part only.

    A target is the place of the label in `names`; with several, a row of ones and zeros; of a
    number, how far it is above `mean`, in `scale`.

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
    """The decimal mark of numbers that come as text."""

    @property
    def size(self) -> int:
        """How many labels there are; 1 for a number."""
        return len(self.names) if self.kind != "regression" else 1

    def target(self, label: Any) -> Any:
        """Give what is learned; of labels that were never in training, nothing. Raises DataError
        for no number."""
        if self.kind == "regression":
            return np.float32(
                np.clip((_number(label, self.decimal) - self.mean) / self.scale, -FAR, FAR)
            )
        here = label_names(label, self.delimiter, self.kind)
        if self.kind == "multilabel":
            return np.array([name in here for name in self.names], np.float32)
        return np.int64(self.names.index(here[0]) if here[0] in self.names else -1)

    def decode(self, answer: Any) -> Any:
        """Give the label that an answer stands for: its place, of several a row of what is there,
        or a number itself.

        >>> (LabelCodec("multilabel", ("dog", "cat")).decode([0.0, 1.0]),
        ...  LabelCodec("multiclass", ("dog", "cat")).decode(0))
        (['cat'], 'dog')
        """
        if self.kind == "multilabel":
            return [name for name, there in zip(self.names, answer, strict=True) if there > 0.5]
        return float(answer) if self.kind == "regression" else self.names[int(answer)]

    def unseen_labels(self, label: Any) -> list[str]:
        """Give the labels of an example that were never in training."""
        if self.kind == "regression":
            return []
        return [
            name for name in label_names(label, self.delimiter, self.kind) if name not in self.names
        ]

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LabelCodec:
        """Make the codec again."""
        made = TypeAdapter(cls).validate_python(values)
        if (
            len(set(made.names)) < len(made.names)
            or not isfinite(made.mean)
            or not 0 < made.scale < inf
        ):
            raise ValueError("the labels are none")
        if made.decimal not in ("", ".", ","):
            raise ValueError("the decimal mark is none")
        return made


def label_names(label: Any, delimiter: str, kind: LabelKind) -> list[str]:
    """Give the names of an example's labels, each once.

    >>> label_names("b; a;b", ";", "multilabel"), label_names(3.0, "", "multiclass")
    (['b', 'a'], ['3'])
    """
    if kind != "multilabel":
        return [_name(label)]
    if isinstance(label, list | tuple | set):
        parts = [_name(one) for one in label]
    else:
        parts = [
            part.strip()
            for part in (_name(label).split(delimiter) if delimiter else [_name(label)])
        ]
    return list(dict.fromkeys(part for part in parts if part))


def fit_labels(
    train: Sequence[Example], settings: LabelSettings, kind: LabelKind, mark: str
) -> LabelCodec:
    """Learn which labels there are, or where numbers lie. Raises SettingError if the order lacks
    one.

    `mark` is what stands between several labels, or the decimal mark of numbers.
    """
    if kind == "regression":
        values = np.array([_number(example.label) for example in train])
        return LabelCodec(
            kind, mean=float(values.mean()), scale=float(values.std()) or 1.0, decimal=mark
        )
    every = [
        label
        for example in train
        for label in (example.label, *(example.inner or ()))
        if label is not None
    ]
    there = {name for label in every for name in label_names(label, mark, kind)}
    if kind == "ordinal" and settings.order:
        if lacking := sorted(there - set(settings.order)):
            what = f"the label {lacking[0]!r} has no place in the order"
            raise SettingError(
                what,
                where="data.labels.order",
                hint="name all labels, from the lowest to the highest",
            )
        return LabelCodec(kind, settings.order)
    return LabelCodec(kind, tuple(sorted(there, key=_natural)), mark)


def merge_labels(
    examples: Iterable[Example],
    settings: LabelSettings,
    listener: Listener = SILENT,
    several: str | None = None,
) -> list[Example]:
    """Give the examples with their labels as they are merged, without those that are left out,
    which are counted.

    `several` is what stands between the labels of an example that may have several: of those each
    is merged, or left out, by itself.

    >>> read = [Example("so so", "2", "a", 1), Example("good", "3", "a", 2)]
    >>> [example.label for example in merge_labels(read, LabelSettings(merge=("2=", "3=+")))]
    ['+']
    >>> [example.label for example in merge_labels(read, LabelSettings(merge=("2=", "3=+")),
    ...     several="|")]
    [[], ['+']]
    """
    if not (others := settings.others):
        return list(examples)

    def merged(label: Any) -> Any:
        if several is None and not isinstance(label, list | tuple):
            return label if label is None else others.get(_name(label), label)
        names = [others.get(name, name) for name in label_names(label, several or "", "multilabel")]
        return list(dict.fromkeys(name for name in names if name))

    kept, left_out = [], 0
    for example in examples:
        label, *inner = (merged(one) for one in (example.label, *(example.inner or ())))
        if label == "" and example.label != "":
            left_out += 1
        else:
            kept.append(replace(example, label=label, inner=[one or None for one in inner] or None))
    if left_out:
        where = kept[0].file if kept else "data"
        listener.on_finding(
            Finding(where, f"{left_out:,} examples left out, as data.labels.merge says")
        )
    return kept


def check_learnable(
    examples: Sequence[Example], kind: LabelKind, delimiter: str, elsewhere: str | None = None
) -> None:
    """Raise DataError where nothing can be learned: one class only, a class of one example, no
    number at all.

    `elsewhere` is how a person takes the labels from elsewhere.
    """
    file = examples[0].file
    if kind == "regression":
        values = {_number_of(example) for example in examples}
        if len(values) < 2:
            what = f"all labels are the number {values.pop():g}"
            raise DataError(what, where=file, hint="give examples of others", flag_hint=elsewhere)
        return
    lists = [label_names(example.label, delimiter, kind) for example in examples]
    counts = Counter(name for names in lists for name in names)
    if len(counts) < 2 and (kind != "multilabel" or set(counts.values()) == {len(examples)}):
        only = next(iter(counts), None)
        what = f"every example has the label {only!r}" if only else "no example has a label"
        raise DataError(
            what, where=file, hint="give examples of other classes", flag_hint=elsewhere
        )
    if kind != "multilabel" and list(counts.values()).count(1) > len(counts) / 2:
        alone = next(name for name, count in counts.items() if count == 1)
        what = f"most labels, such as {alone!r}, have one example, as ids of rows have"
        raise DataError(what, where=file, hint="give more of each", flag_hint=elsewhere)
    if kind != "multilabel" and 1 in counts.values():
        place = next(place for place, names in enumerate(lists) if counts[names[0]] == 1)
        where = f"{examples[place].file}:{examples[place].line}"
        what = f"the label {lists[place][0]!r} has this one example"
        numbers = "if labels are measured numbers, give --set data.labels.kind=regression"
        flag_hint = (
            f"leave it out with --set "
            f"{shlex.quote('data.labels.merge=' + json.dumps([f'{lists[place][0]}=']))}"
        )
        if kind == "multiclass" and all(_natural(name)[0] < inf for name in counts):
            flag_hint = numbers
        raise DataError(what, where=where, hint="give more of it", flag_hint=flag_hint)


def _number_of(example: Example) -> float:
    """Read the label of an example; an error names its line."""
    try:
        return _number(example.label)
    except DataError as error:
        raise error.at(f"{example.file}:{example.line}") from None


def _name(label: Any) -> str:
    """Name a label as a person would: 1.0, as tables give whole numbers at times, is 1."""
    return (
        str(int(label)) if isinstance(label, float) and label.is_integer() else str(label).strip()
    )


def _number(label: Any, decimal: str = "") -> float:
    value = NumberFormat(decimal).read(label)
    if value is None:
        raise DataError(
            f"the label {str(label)[:60]!r} is no number", hint="mend it, or leave the row out"
        )
    if not abs(value) <= LARGEST:
        kind = "too large" if isfinite(value) else "not finite"
        flag_hint = (
            None if is_filled(label) else f"all such with --set 'data.labels.merge=[\"{label}=\"]'"
        )
        raise DataError(
            f"the label {str(label)[:60]!r} is {kind}",
            hint="mend it, or leave the row out",
            flag_hint=flag_hint,
        )
    return value


def _natural(name: str) -> tuple[float, str]:
    """Sort numbers by size, before names."""
    value = as_float(name)
    return inf if value is None else value, name
