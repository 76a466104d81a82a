"""Inputs of `ensue classify`: a file, a folder, a text or the standard input."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.contract import Finding, Listener
from ensue.data.files import get_suffix, spool_stdin
from ensue.data.labelled import LabelledReader
from ensue.data.readers.folders import Folders
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.tables.rows import ROWS
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, with_article
from ensue.tasks.in_memory import STDIN, as_examples

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
