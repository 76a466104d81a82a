"""Inputs of `ensue classify`: a file, a folder, a text or standard input, and their columns."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ensue.data.contract import Finding, Listener
from ensue.data.files import get_suffix, spool_stdin
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.folders import Folders
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.tables.rows import ROWS
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, SettingError, with_article
from ensue.settings import Settings
from ensue.tasks.in_memory import STDIN, as_examples

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


if TYPE_CHECKING:
    from ensue.tasks.classify.trained import LabelModel

MAX_HEADER_LENGTH = 100_000
"""Characters of a first line that are parsed as a header."""


@contextmanager
def open_reader(
    model: LabelModel, data: Any, columns: Mapping[str, Any], listener: Listener
) -> Iterator[tuple[LabelledReader, Listener]]:
    """Open a file or folder, the standard input, or contents; findings name the input as given.

    `columns` maps roles to column names that differ from the training data. Raises DataError.
    """
    if isinstance(data, Path) and data == STDIN:
        with _spool(model, columns, listener) as (path, as_piped):
            yield _open_file(model, path, columns, as_piped), as_piped
    elif isinstance(data, Path):
        yield _open_file(model, data, columns, listener), listener
    else:
        yield InMemoryReader(_get_contents(model, data)), listener


def _get_contents(model: LabelModel, data: Any) -> list[Any]:
    """Get a list of contents, with "" for a missing text. Raises DataError for anything else."""
    given = as_examples(data, "classify")
    if not model.content.shape.measured:
        given = [one if hasattr(one, "__len__") or is_filled(one) else "" for one in given]
    for number, one in enumerate(given, 1):
        if not isinstance(one, str | Mapping):
            what = f"{with_article(type(one).__name__)} is not an example"
            hint = "give a text, or the fields of its steps by name"
            raise DataError(what, where=f"example {number}", hint=hint)
    return given


@contextmanager
def _spool(
    model: LabelModel, columns: Mapping[str, Any], listener: Listener
) -> Iterator[tuple[Path, Listener]]:
    """Copy the standard input to a file: texts one a line, other data in the training format.

    For a run that was trained on a table, the input is a table if its first line names the column
    of texts.
    """
    names = {"long_table": "data.csv", "series_file": "data.ts"}
    kind = model.data.reader.name
    column = columns.get("text") or getattr(model.data.reader, "text", "")

    def name(first: bytes) -> str:
        if kind == "table":
            return f"data{_guess_ending(first, column)}"
        return names.get(kind, "data.txt")

    with spool_stdin(listener, name) as (path, as_piped):
        if kind == "table" and path.suffix != ".txt":
            what = f"read as a table: its first line names the column {column!r}"
            listener.on_finding(Finding("-", what))
        yield path, as_piped


def _guess_ending(first: bytes, column: str) -> str:
    r"""Guess by the first line whether data is JSON Lines, TSV, CSV or lines of text.

    >>> (_guess_ending(b'id,text\n1,a film\n', "text"),
    ...  _guess_ending(b'text, they say\n', "review"))
    ('.csv', '.txt')
    """
    line = first.removeprefix(BOM_UTF8).partition(b"\n")[0].decode("utf-8", "replace").strip()
    with suppress(ValueError, RecursionError):
        if line.startswith("{") and column in json.loads(line):
            return ".jsonl"
    for name, sign in ((".tsv", "\t"), (".csv", ","), (".csv", ";")):
        with suppress(csv.Error):
            fields = next(csv.reader([line[:MAX_HEADER_LENGTH]], delimiter=sign), [])
            if len(fields) > 1 and column in fields:
                return name
    return ".txt"


def _open_file(
    model: LabelModel, path: Path, columns: Mapping[str, Any], listener: Listener
) -> LabelledReader:
    if path.is_file() and model.data.reader.name == "table" and get_suffix(path) not in ROWS:
        return Folders().build([path], labelled=False)
    return model.reader([path], False, columns, listener)
