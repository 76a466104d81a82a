"""Inputs of `ensue classify`: a file, a folder, a text or the standard input."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import existing_path, get_suffix, refuse_undecoded, spool_stdin
from ensue.data.readers.folders import Folders
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.tables.long import LONG_ROWS
from ensue.data.tables.rows import ROWS
from ensue.errors import DataError
from ensue.tasks.classify.trained import LabelModel, Prediction

MAX_HEADER_LENGTH = 100_000
"""Characters of a first line that are parsed as a header."""


def read_inputs(
    model: LabelModel,
    data: str,
    listener: Listener = SILENT,
    columns: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Prediction]:
    """Predict each example of a file or folder, each line of the standard input (-), or a text.

    `columns` maps roles to column names that differ from the training data. Raises DataError if
    there is no example.
    """
    if data == "-":
        return _read_stdin(model, listener, columns)
    refuse_undecoded(data, "classify")
    if path := existing_path(data):
        return _read_file(model, path, listener, columns)
    if not data.strip():
        raise DataError("the text is empty", where="classify", hint="give some text, or a file")
    if len(data.split()) == 1 and get_suffix(Path(data)) in (".txt", ".ts", *LONG_ROWS):
        raise DataError(
            "there is no such file",
            where=data,
            hint="check the spelling; a text of one word can be given by way of -",
        )
    return model.predict(InMemoryReader([data]), listener)


def _read_stdin(
    model: LabelModel, listener: Listener, columns: Mapping[str, Any]
) -> Iterator[Prediction]:
    """Read the standard input as a file: texts one a line, other data in the training format.

    For a run that was trained on a table, the input is a table if its first line names the column
    of texts.
    """
    names = {"long_table": "data.csv", "series_file": "data.ts"}
    kind = model.data.reader.name
    column = columns.get("text") or getattr(model.data.reader, "text", "")

    def name(first: bytes) -> str:
        return (
            f"data{_guess_ending(first, column)}"
            if kind == "table"
            else names.get(kind, "data.txt")
        )

    with spool_stdin(listener, name) as (path, as_piped):
        if kind == "table" and path.suffix != ".txt":
            listener.on_finding(
                Finding("-", f"read as a table: its first line names the column {column!r}")
            )
        yield from _read_file(model, path, as_piped, columns)


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


def _read_file(
    model: LabelModel, path: Path, listener: Listener, columns: Mapping[str, Any]
) -> Iterator[Prediction]:
    if path.is_file() and model.data.reader.name == "table" and get_suffix(path) not in ROWS:
        return model.predict(Folders().build([path], labelled=False), listener)
    return model.predict(model.reader([path], False, columns, listener), listener)
