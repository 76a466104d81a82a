"""New data whose columns have other names than the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.errors import SettingError
from ensue.settings import Settings

S = TypeVar("S", bound=Settings)


def as_columns(given: Any, where: str) -> dict[str, Any]:
    """Check column names by role. Raises SettingError for anything else."""
    if isinstance(given, Mapping):
        several = {name: [one] if isinstance(one, str) else one for name, one in given.items()}
        if all(
            isinstance(names, list | tuple) and all(isinstance(one, str) and one for one in names)
            for names in several.values()
        ):
            return dict(given)
    hint = "give names by role, such as columns={'label': 'mood'}"
    raise SettingError("columns are not names by role", where=where, hint=hint)


def rename_columns(reader: S, columns: Mapping[str, Any]) -> S:
    """Replace the column names in the settings of a reader.

    Raises SettingError for a column that this reader has not, or another number of columns.
    """
    for name, column in columns.items():
        if name not in dict(reader):
            what = f"the format {getattr(reader, 'name', 'data')} of the run has no such column"
            raise SettingError(what, where=f"--{name}", hint="leave it out")
        before = getattr(reader, name)
        if isinstance(before, tuple) and len(before) != len(column):
            what = f"the run was trained on the columns {', '.join(before) or 'none'}"
            raise SettingError(what, where=f"--{name}", hint=f"name {len(before)}, in that order")
        if not before and name not in ("id", "group", "label"):
            hint = "leave it out"
            what = "the run was trained without such a column"
            raise SettingError(what, where=f"--{name}", hint=hint)
    return reader.model_copy(update=dict(columns))


def with_training_names(reader: LabelledReader, before: Settings, now: Settings) -> LabelledReader:
    """Give the fields of steps the names that they had in training.

    The name is part of what the content codec has learned, so another name would be unknown.
    """
    names = dict(zip(getattr(now, "value", ()), getattr(before, "value", ()), strict=True))
    if all(name == other for name, other in names.items()):
        return reader

    def rename(one: Example) -> Example:
        if isinstance(one.content, str):
            return one
        return replace(
            one, content={names.get(name, name): field for name, field in one.content.items()}
        )

    return FunctionReader(lambda listener: map(rename, reader.examples(listener)), reader.elsewhere)
