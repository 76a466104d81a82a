"""What a trained classifier reads: files as in training, other columns, the standard input."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import find_files, get_suffix, spool_stdin
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.labelled_examples import LabelledSettings, open_readers
from ensue.data.readers.folders import Folders
from ensue.data.tables.rows import ROWS, refuse_json
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, SettingError, with_article
from ensue.settings import Settings

S = TypeVar("S", bound=Settings)
MAX_HEADER_LENGTH = 100_000
"""Characters of a first line that are parsed as a header."""


def reopen(
    data: LabelledSettings,
    paths: Sequence[Path],
    labelled: bool,
    columns: Mapping[str, Any],
    listener: Listener,
) -> LabelledReader:
    """Read files as the training data was read; `columns` maps roles to other column names.

    Reports skipped files of a folder to `listener`. Raises DataError, SettingError.
    """
    label_file = columns.get("label_file", data.label_file) if labelled else ""
    columns = {name: column for name, column in columns.items() if name != "label_file"}
    reader = rename_columns(data.reader, columns)
    if labelled and getattr(reader, "incomplete", "") == "refuse":
        reader = reader.model_copy(update={"incomplete": "leave out"})
    files = find_files(paths, listener)
    if labelled:
        now = data.model_copy(update={"label_file": label_file, "reader": reader})
        opened = open_readers({"all": files}, now, SILENT)[1]["all"]
    else:
        opened = reader.build(files, False)
    return _with_training_names(opened, data.reader, reader)


def open_input(
    data: LabelledSettings, path: Path, columns: Mapping[str, Any], listener: Listener
) -> LabelledReader:
    """Open a file or folder without labels; a run of tables reads texts too. Raises DataError."""
    if path.is_file():
        refuse_json(path)
    if path.is_file() and data.reader.name == "table" and get_suffix(path) not in ROWS:
        return Folders().build([path], labelled=False)
    return reopen(data, [path], False, columns, listener)


@contextmanager
def open_stdin(
    data: LabelledSettings, columns: Mapping[str, Any], listener: Listener
) -> Generator[tuple[LabelledReader, Listener]]:
    """Copy the standard input to a file: texts one a line, other data in the training format.

    For a run that was trained on a table, the input is a table if its first line names the column
    of texts. Findings of the listener name the input as given.
    """
    names = {"long_table": "data.csv", "series_file": "data.ts"}
    kind = data.reader.name
    column = columns.get("text") or getattr(data.reader, "text", "")

    def name(first: bytes) -> str:
        if kind == "table":
            return f"data{_guess_ending(first, column)}"
        return names.get(kind, "data.txt")

    with spool_stdin(listener, name) as (path, as_piped):
        if kind == "table" and path.suffix not in (".txt", ".parquet"):
            what = f"read as a table: its first line names the column {column!r}"
            listener.on_finding(Finding("-", what))
        yield open_input(data, path, columns, as_piped), as_piped


def as_contents(given: Sequence[Any], measured: bool) -> list[Any]:
    """Return contents, with "" for a missing text. Raises DataError for anything else."""
    if not measured:
        given = [one if hasattr(one, "__len__") or is_filled(one) else "" for one in given]
    for number, one in enumerate(given, 1):
        if not isinstance(one, str | Mapping):
            what = f"{with_article(type(one).__name__)} is not an example"
            hint = "give a text, or the fields of its steps by name"
            raise DataError(what, where=f"example {number}", hint=hint)
    return list(given)


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


def _with_training_names(reader: LabelledReader, before: Settings, now: Settings) -> LabelledReader:
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
