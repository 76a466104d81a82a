"""What a person asks a classifier about: a file, a text, or what comes in."""

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

LONGEST_HEADER = 100_000
"""Characters of a first line that are looked at."""


def read_inputs(
    model: LabelModel,
    data: str,
    listener: Listener = SILENT,
    columns: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Prediction]:
    """Give a verdict of each example of a file or folder, of each line of the standard input (-),
    or of a text.

    `columns` names those that are called otherwise than in training. Raises DataError if there is
    nothing to say anything about.
    """
    if data == "-":
        return _piped(model, listener, columns)
    refuse_undecoded(data, "classify")
    if path := existing_path(data):
        return _of_file(model, path, listener, columns)
    if not data.strip():
        raise DataError("the text is empty", where="classify", hint="give some text, or a file")
    if len(data.split()) == 1 and get_suffix(Path(data)) in (".txt", ".ts", *LONG_ROWS):
        raise DataError(
            "there is no such file",
            where=data,
            hint="check the spelling; a text may come by way of -",
        )
    return model.predict(InMemoryReader([data]), listener)


def _piped(
    model: LabelModel, listener: Listener, columns: Mapping[str, Any]
) -> Iterator[Prediction]:
    """Read the standard input as a file: texts line by line, and what is no text in the format of
    the training data.

    Of a run that was trained on a table it may be a table: one whose first line names the column of
    texts.
    """
    names = {"long_table": "data.csv", "series_file": "data.ts"}
    kind, column = (
        model.data.reader.name,
        columns.get("text") or getattr(model.data.reader, "text", ""),
    )

    def name(first: bytes) -> str:
        return (
            f"data{_ending_of_table(first, column)}"
            if kind == "table"
            else names.get(kind, "data.txt")
        )

    with spool_stdin(listener, name) as (path, as_piped):
        if kind == "table" and path.suffix != ".txt":
            listener.on_finding(
                Finding("-", f"read as a table, since its first line names the column {column!r}")
            )
        yield from _of_file(model, path, as_piped, columns)


def _ending_of_table(first: bytes, column: str) -> str:
    r"""Tell JSON Lines, CSV and lines of texts by the first line.

    >>> (_ending_of_table(b'id,text\n1,a film\n', "text"),
    ...  _ending_of_table(b'text, they say\n', "review"))
    ('.csv', '.txt')
    """
    line = first.removeprefix(BOM_UTF8).partition(b"\n")[0].decode("utf-8", "replace").strip()
    with suppress(ValueError, RecursionError):
        if line.startswith("{") and column in json.loads(line):
            return ".jsonl"
    for name, sign in ((".tsv", "\t"), (".csv", ","), (".csv", ";")):
        with suppress(csv.Error):
            fields = next(csv.reader([line[:LONGEST_HEADER]], delimiter=sign), [])
            if len(fields) > 1 and column in fields:
                return name
    return ".txt"


def _of_file(
    model: LabelModel, path: Path, listener: Listener, columns: Mapping[str, Any]
) -> Iterator[Prediction]:
    if path.is_file() and model.data.reader.name == "table" and get_suffix(path) not in ROWS:
        return model.predict(Folders().build([path], labelled=False), listener)
    return model.predict(model.reader([path], False, columns, listener), listener)
