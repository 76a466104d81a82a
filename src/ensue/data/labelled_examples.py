"""Labelled examples from files: read, checked and split into parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.codecs.labels import (
    DESCRIBED,
    LabelKind,
    LabelSettings,
    check_learnable,
    fit_labels,
    label_names,
    merge_labels,
)
from ensue.data.contract import Listener
from ensue.data.label_kinds import (
    find_label_kind,
    find_lacking_labels,
    find_suspicious_labels,
    report_guessed_scale,
)
from ensue.data.labelled import Example, LabelledReader
from ensue.data.readers.formats import LABELLED, LabelledTable
from ensue.data.readers.label_file import join_labels
from ensue.data.readers.named_parts import PartFiles, get_part_files
from ensue.data.split import draw_parts
from ensue.data.tables.number_format import NumberFormat
from ensue.errors import DataError, SettingError
from ensue.settings import Choice, Flag

HELD_OUT_PARTS = ("validation", "calibration", "test")


Reader = Annotated[Any, Choice(LABELLED), Flag("format")]


class LabelledSettings(PartFiles):
    """How labelled data is read and split."""

    reader: Reader = LabelledTable()
    """Format of the data if it is not recognised; see `ensue list formats`."""
    labels: LabelSettings = LabelSettings()
    """Labels to predict."""
    max_length: int = Field(512, ge=1)
    """Maximum length of an example, in steps; later steps are cut off, and counted."""
    validation: float = Field(0.1, gt=0, lt=0.5)
    """Validation share of the examples (early stopping, model selection)."""
    calibration: float = Field(0.1, gt=0, lt=0.5)
    """Calibration share of the examples (temperature, prediction sets)."""
    test: float = Field(0.2, gt=0, lt=0.5)
    """Test share of the examples, for reported metrics only."""
    label_file: Annotated[str, Flag(path=True)] = ""
    """Table of ids and labels, for sequences that have no label themselves."""


def find_files_by_part(
    paths: Sequence[Path], data: LabelledSettings, listener: Listener
) -> dict[str, list[Path]]:
    """Find the files of "all", and of "validation" and "test" if they have files of their own."""
    return get_part_files("all", paths, data, listener, label_file=data.label_file)


def open_readers(
    files: Mapping[str, Sequence[Path]], data: LabelledSettings, listener: Listener
) -> tuple[Any, dict[str, LabelledReader]]:
    """Return the settings of the reader without unset values, and the reader of each part.

    Raises DataError.
    """
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
        part: join_labels(unlabelled.build(own, False), Path(data.label_file), *named)
        for part, own in files.items()
    }
    return unlabelled.model_copy(update={"label": label} if label else {}), readers


def _build(reader: Any, part: str, files: Mapping[str, Sequence[Path]]) -> LabelledReader:
    """Return the reader of a part. Raises DataError if its columns differ from training."""
    try:
        return reader.build(files[part])
    except DataError as error:
        if part == "all" or not error.what.startswith("there is no column"):
            raise
        hint = f"call its columns as {files['all'][0].name} does"
        raise DataError(error.what, where=error.where, hint=hint) from None


ReadParts: TypeAlias = "tuple[list[Example], LabelKind, str, str | None]"
"""Examples, kind of label, delimiter (or decimal mark of numbers), and the hint `elsewhere`."""


def read_examples(reader: LabelledReader, data: LabelledSettings, listener: Listener) -> ReadParts:
    """Read the examples to split, with their labels checked. Raises DataError, SettingError."""
    every = list(reader.examples(listener))
    _refuse_unlabelled(every, reader.elsewhere)
    _refuse_none(every)
    # The kind of labels may depend on their merges, and the way of merging on their kind.
    kind, delimiter, guessed = find_label_kind(
        merge_labels(every, data.labels) or every, data.labels
    )
    examples = _merge(every, data, listener, kind, delimiter)
    _refuse_none(examples)
    if guessed:
        listener.on_finding(guessed)
    _refuse_lists(examples, kind)
    suspicious = find_suspicious_labels(examples, kind, delimiter, data.labels.merge)
    for finding in (*find_lacking_labels(every, kind, delimiter, data.labels), *suspicious):
        listener.on_finding(finding)
    if kind == "ordinal" and not data.labels.order:
        for finding in report_guessed_scale(
            fit_labels(examples, data.labels, kind, delimiter).names, examples[0].file
        ):
            listener.on_finding(finding)
    if kind in ("multilabel", "regression") and examples[0].inner is not None:
        what = f"the labels of nodes cannot be read as {DESCRIBED[kind]}"
        hint = "give kind=multiclass, or data.reader.inner=false"
        raise SettingError(what, where="data.labels.kind", hint=hint)
    return examples, kind, delimiter, reader.elsewhere


def _merge(
    examples: Iterable[Example],
    data: LabelledSettings,
    listener: Listener,
    kind: LabelKind,
    delimiter: str,
) -> list[Example]:
    """Return the examples with merged labels; numbers are parsed where possible."""
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
    """Raise DataError for the first example without a label."""
    without = next((one for one in examples if one.label is None), None)
    if without is None:
        return
    if all(one.label is None for one in examples):
        what = "no example has a label"
        where = without.file
        raise DataError(what, where=where, hint="give examples with labels", flag_hint=elsewhere)
    what, hint = "the example has no label", "add one, or remove the example"
    raise DataError(what, where=f"{without.file}:{without.line}", hint=hint)


def _refuse_lists(examples: Sequence[Example], kind: LabelKind) -> None:
    """Raise DataError for an empty label, and for a list where one label is expected."""
    if kind == "multilabel":
        return
    if one := next((one for one in examples if one.label == ""), None):
        what, hint = "the example has no label", "add one, or remove the example"
        raise DataError(what, where=f"{one.file}:{one.line}", hint=hint)
    if one := next((one for one in examples if isinstance(one.label, list | tuple)), None):
        what = f"the label is a list, but labels are read as {DESCRIBED[kind]}"
        flag_hint = "give --set data.labels.kind=multilabel"
        where = f"{one.file}:{one.line}"
        raise DataError(what, where=where, hint="give it one label", flag_hint=flag_hint)


def split_examples(
    readers: Mapping[str, LabelledReader],
    found: ReadParts,
    data: LabelledSettings,
    seed: int,
    listener: Listener,
) -> tuple[dict[str, list[Example]], LabelKind, str]:
    """Draw the parts, and read those with files of their own. Raises DataError."""
    everything, kind, delimiter, _ = found
    check_learnable(*found)
    shares = {name: getattr(data, name) for name in HELD_OUT_PARTS if name not in readers}
    groups = _number_groups(everything)
    rows = draw_parts(shares, seed, _get_strata(everything, kind, delimiter), groups)
    parts = {name: [everything[row] for row in chosen] for name, chosen in rows.items()}
    for name, reader in readers.items():
        if name != "all":
            parts[name] = _merge(reader.examples(listener), data, listener, kind, delimiter)
            _refuse_unlabelled(parts[name], reader.elsewhere)
            _refuse_lists(parts[name], kind)
    for name, examples in parts.items():
        if not examples:
            some = f"{len(everything):,} examples"
            some += "" if groups is None else f" in {len(np.unique(groups)):,} group(s)"
            what = f"{some} are too few to split: the {name} part is empty"
            where = everything[0].file
            raise DataError(what, where=where, hint="give more, or files with --valid and --test")
    _refuse_straddling(parts)
    return parts, kind, delimiter


def _get_strata(examples: Sequence[Example], kind: LabelKind, delimiter: str) -> NDArray[Any]:
    if kind == "regression":
        return np.zeros(len(examples))
    return np.array(
        [next(iter(label_names(example.label, delimiter, kind)), "") for example in examples]
    )


def _number_groups(examples: Sequence[Example]) -> NDArray[Any] | None:
    """Number the groups; an example without one is a group of its own."""
    if all(example.group is None for example in examples):
        return None
    return np.array(
        [f"={row}" if one.group is None else f"+{one.group}" for row, one in enumerate(examples)]
    )


def _refuse_straddling(parts: Mapping[str, Sequence[Example]]) -> None:
    """Raise DataError for a group in two parts, which files of their own may cause."""
    homes: dict[str, str] = {}
    for name, examples in parts.items():
        for one in examples:
            if one.group is not None and homes.setdefault(one.group, name) != name:
                what = (
                    f"the group {one.group!r} is in both the {homes[one.group]} and the {name} part"
                )
                where = f"{one.file}:{one.line}"
                raise DataError(what, where=where, hint="remove it from one of the files")
