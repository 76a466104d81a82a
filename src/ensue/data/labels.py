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
from ensue.data.labelled import Labelled
from ensue.data.readers.numbers import LARGEST, as_float
from ensue.data.series.numbers import NumberFormat
from ensue.data.series.times import is_filled
from ensue.errors import DataError, SettingError
from ensue.settings import Settings

LabelKind: TypeAlias = Literal["single", "several", "ordinal", "number"]

DESCRIBED: dict[LabelKind, str] = {
    "single": "one label each",
    "several": "any number of labels each",
    "ordinal": "labels on a scale",
    "number": "numbers",
}

FAR = 1e30
"""Standard deviations from the mean to which numbers are told apart: float32 has none above 3e38."""


class LabelSettings(Settings):
    """What labels are."""

    kind: Literal["auto", "single", "several", "ordinal", "number"] = "auto"
    """One label, any number of them, one on a scale, or a number; auto guesses it and says so."""
    delimiter: str = ""
    """Several: what stands between labels that are written as one text; JSON lists need none."""
    decimal: Literal["", ".", ","] = ""
    """Number: the decimal mark; the other one divides thousands. Unset, all labels together tell."""
    order: tuple[str, ...] = ()
    """Ordinal: the labels from the lowest to the highest; if not given, as numbers, or else by the alphabet."""
    merge: tuple[str, ...] = ()
    """Labels that are read as another, each written "LABEL=OTHER"; what has a label "LABEL=" is left out, of several
    labels that one alone."""

    @property
    def others(self) -> dict[str, str]:
        """What to read each label as. Raises SettingError if one is not written so."""
        for one in self.merge:
            if not one.partition("=")[0] or "=" not in one:
                raise SettingError(f"{one!r} merges nothing", where="data.labels.merge", mend="write LABEL=OTHER")
        return {label.strip(): other.strip() for label, _, other in (one.partition("=") for one in self.merge)}


@dataclass(frozen=True)
class LabelCodec:
    """How labels become targets. Fitted on the training part only.

    A target is the place of the label in `names`; with several, a row of ones and zeros; of a number, how far it is
    above `mean`, in `scale`.

    >>> codec = LabelCodec("several", ("dog", "cat"), delimiter="|")
    >>> codec.target("cat|dog").tolist(), codec.unseen("cat|cow")
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
        return len(self.names) if self.kind != "number" else 1

    def target(self, label: Any) -> Any:
        """Give what is learned; of labels that were never in training, nothing. Raises DataError for no number."""
        if self.kind == "number":
            return np.float32(np.clip((_number(label, self.decimal) - self.mean) / self.scale, -FAR, FAR))
        here = names_in(label, self.delimiter, self.kind)
        if self.kind == "several":
            return np.array([name in here for name in self.names], np.float32)
        return np.int64(self.names.index(here[0]) if here[0] in self.names else -1)

    def named(self, answer: Any) -> Any:
        """Give the label that an answer stands for: its place, of several a row of what is there, or a number itself.

        >>> LabelCodec("several", ("dog", "cat")).named([0.0, 1.0]), LabelCodec("single", ("dog", "cat")).named(0)
        (['cat'], 'dog')
        """
        if self.kind == "several":
            return [name for name, there in zip(self.names, answer, strict=True) if there > 0.5]
        return float(answer) if self.kind == "number" else self.names[int(answer)]

    def unseen(self, label: Any) -> list[str]:
        """Give the labels of an example that were never in training."""
        if self.kind == "number":
            return []
        return [name for name in names_in(label, self.delimiter, self.kind) if name not in self.names]

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LabelCodec:
        """Make the codec again."""
        made = TypeAdapter(cls).validate_python(values)
        if len(set(made.names)) < len(made.names) or not isfinite(made.mean) or not 0 < made.scale < inf:
            raise ValueError("the labels are none")
        if made.decimal not in ("", ".", ","):
            raise ValueError("the decimal mark is none")
        return made


def names_in(label: Any, delimiter: str, kind: LabelKind) -> list[str]:
    """Give the names of an example's labels, each once.

    >>> names_in("b; a;b", ";", "several"), names_in(3.0, "", "single")
    (['b', 'a'], ['3'])
    """
    if kind != "several":
        return [_name(label)]
    if isinstance(label, list | tuple | set):
        parts = [_name(one) for one in label]
    else:
        parts = [part.strip() for part in (_name(label).split(delimiter) if delimiter else [_name(label)])]
    return list(dict.fromkeys(part for part in parts if part))


def fit_labels(train: Sequence[Labelled], settings: LabelSettings, kind: LabelKind, mark: str) -> LabelCodec:
    """Learn which labels there are, or where numbers lie. Raises SettingError if the order lacks one.

    `mark` is what stands between several labels, or the decimal mark of numbers.
    """
    if kind == "number":
        values = np.array([_number(example.label) for example in train])
        return LabelCodec(kind, mean=float(values.mean()), scale=float(values.std()) or 1.0, decimal=mark)
    every = [label for example in train for label in (example.label, *(example.inner or ())) if label is not None]
    there = {name for label in every for name in names_in(label, mark, kind)}
    if kind == "ordinal" and settings.order:
        if lacking := sorted(there - set(settings.order)):
            what = f"the label {lacking[0]!r} has no place in the order"
            raise SettingError(what, where="data.labels.order", mend="name all labels, from the lowest to the highest")
        return LabelCodec(kind, settings.order)
    return LabelCodec(kind, tuple(sorted(there, key=_natural)), mark)


def relabelled(
    examples: Iterable[Labelled], settings: LabelSettings, listener: Listener = SILENT, several: str | None = None
) -> list[Labelled]:
    """Give the examples with their labels as they are merged, without those that are left out, which are counted.

    `several` is what stands between the labels of an example that may have several: of those each is merged, or left
    out, by itself.

    >>> read = [Labelled("so so", "2", "a", 1), Labelled("good", "3", "a", 2)]
    >>> [example.label for example in relabelled(read, LabelSettings(merge=("2=", "3=+")))]
    ['+']
    >>> [example.label for example in relabelled(read, LabelSettings(merge=("2=", "3=+")), several="|")]
    [[], ['+']]
    """
    if not (others := settings.others):
        return list(examples)

    def merged(label: Any) -> Any:
        if several is None and not isinstance(label, list | tuple):
            return label if label is None else others.get(_name(label), label)
        names = [others.get(name, name) for name in names_in(label, several or "", "several")]
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
        listener.tell(Finding(where, f"{left_out:,} examples left out, as data.labels.merge says"))
    return kept


def refuse_unlearnable(
    examples: Sequence[Labelled], kind: LabelKind, delimiter: str, elsewhere: str | None = None
) -> None:
    """Raise DataError where nothing can be learned: one class only, a class of one example, no number at all.

    `elsewhere` is how a person takes the labels from elsewhere.
    """
    file = examples[0].file
    if kind == "number":
        values = {_number_of(example) for example in examples}
        if len(values) < 2:
            what = f"all labels are the number {values.pop():g}"
            raise DataError(what, where=file, mend="give examples of others", option=elsewhere)
        return
    lists = [names_in(example.label, delimiter, kind) for example in examples]
    counts = Counter(name for names in lists for name in names)
    if len(counts) < 2 and (kind != "several" or set(counts.values()) == {len(examples)}):
        only = next(iter(counts), None)
        what = f"every example has the label {only!r}" if only else "no example has a label"
        raise DataError(what, where=file, mend="give examples of other classes", option=elsewhere)
    if kind != "several" and list(counts.values()).count(1) > len(counts) / 2:
        alone = next(name for name, count in counts.items() if count == 1)
        what = f"most labels, such as {alone!r}, have one example, as ids of rows have"
        raise DataError(what, where=file, mend="give more of each", option=elsewhere)
    if kind != "several" and 1 in counts.values():
        place = next(place for place, names in enumerate(lists) if counts[names[0]] == 1)
        where = f"{examples[place].file}:{examples[place].line}"
        what = f"the label {lists[place][0]!r} has this one example"
        numbers = "if labels are measured numbers, give --set data.labels.kind=number"
        option = f"leave it out with --set {shlex.quote('data.labels.merge=' + json.dumps([f'{lists[place][0]}=']))}"
        if kind == "single" and all(_natural(name)[0] < inf for name in counts):
            option = numbers
        raise DataError(what, where=where, mend="give more of it", option=option)


def _number_of(example: Labelled) -> float:
    """Read the label of an example; an error names its line."""
    try:
        return _number(example.label)
    except DataError as error:
        raise error.at(f"{example.file}:{example.line}") from None


def _name(label: Any) -> str:
    """Name a label as a person would: 1.0, as tables give whole numbers at times, is 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label).strip()


def _number(label: Any, decimal: str = "") -> float:
    value = NumberFormat(decimal).read(label)
    if value is None:
        raise DataError(f"the label {str(label)[:60]!r} is no number", mend="mend it, or leave the row out")
    if not abs(value) <= LARGEST:
        kind = "too large" if isfinite(value) else "not finite"
        option = None if is_filled(label) else f"all such with --set 'data.labels.merge=[\"{label}=\"]'"
        raise DataError(f"the label {str(label)[:60]!r} is {kind}", mend="mend it, or leave the row out", option=option)
    return value


def _natural(name: str) -> tuple[float, str]:
    """Sort numbers by size, before names."""
    value = as_float(name)
    return inf if value is None else value, name
