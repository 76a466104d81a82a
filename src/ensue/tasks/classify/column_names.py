"""Columns of new data that are called otherwise than those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.errors import SettingError
from ensue.settings import Settings

S = TypeVar("S", bound=Settings)


def renamed(reader: S, columns: Mapping[str, Any]) -> S:
    """Give the settings of a reader with columns as a person names them now.

    Raises SettingError for what this reader has not, or another number of values.
    """
    for name, column in columns.items():
        if name not in dict(reader):
            what = (
                f"the run reads {getattr(reader, 'name', 'data')}, which has no column of that kind"
            )
            raise SettingError(what, where=f"--{name}", hint="leave it out")
        before = getattr(reader, name)
        if isinstance(before, tuple) and len(before) != len(column):
            what = f"the run has learned from {', '.join(before) or 'none'}"
            raise SettingError(what, where=f"--{name}", hint=f"name {len(before)}, in that order")
        if not before and name not in ("id", "group", "label"):
            hint = "leave it out"
            raise SettingError(
                "the run has learned from no such column", where=f"--{name}", hint=hint
            )
    return reader.model_copy(update=dict(columns))


def as_in_training(reader: LabelledReader, before: Settings, now: Settings) -> LabelledReader:
    """Give the examples with the values of their steps under the names that they had in
    training."""
    names = dict(zip(getattr(now, "value", ()), getattr(before, "value", ()), strict=True))
    if all(name == other for name, other in names.items()):
        return reader

    def named(one: Example) -> Example:
        if isinstance(one.content, str):
            return one
        return replace(
            one, content={names.get(name, name): field for name, field in one.content.items()}
        )

    return FunctionReader(lambda listener: map(named, reader.examples(listener)), reader.elsewhere)
