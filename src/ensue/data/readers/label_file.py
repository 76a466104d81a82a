"""Labels in a separate table, with one row for each sequence, joined to it by its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ensue.data.contract import SILENT, Listener
from ensue.data.files import find_files, get_suffix
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.tables.rows import ROWS, check_columns, check_endings, list_columns
from ensue.errors import DataError

LABELS = ("label", "class", "target", "type")
"""Column names that are taken for the label."""
MAX_LINE_LENGTH = 1_000_000
MAX_NAMED = 5
"""Maximum number of sequences that a finding names."""


def join_labels(
    reader: LabelledReader, path: Path, label: str, id: str, encoding: str
) -> LabelledReader:
    """Return a reader of the same examples with labels from a table, matched by id.

    `label` is the column of labels, and `id` the name of the id column in the data. The table may
    write that name in another case. Sequences without a row are skipped and counted. Raises
    DataError.
    """
    return FunctionReader(
        lambda listener: _add_labels(reader, path, _read(path, label, id, encoding), listener)
    )


def _add_labels(
    reader: LabelledReader, path: Path, labels: Mapping[str, Any], listener: Listener
) -> Iterator[Example]:
    missing = []
    for one in reader.examples(listener):
        if not one.case:
            what = "texts cannot have their labels in a separate table"
            hint = "give a table with a column of text and one of labels"
            raise DataError(what, where=str(path), hint=hint)
        if one.case in labels:
            yield replace(one, label=labels[one.case])
        else:
            missing.append(one.case)
    if missing:
        named = ", ".join(map(repr, missing[:MAX_NAMED])) + ", ..." * (len(missing) > MAX_NAMED)
        listener.report(path, f"{len(missing):,} without a label here are left out: {named}")


def _read(path: Path, label: str, id: str, encoding: str) -> dict[str, Any]:
    """Return the label of each id."""
    check_endings(find_files([path]), ROWS)
    labels: dict[str, Any] = {}
    rows = ROWS[get_suffix(path)](path, encoding, MAX_LINE_LENGTH, SILENT)
    first = list(islice(rows, 1))
    columns = list_columns([row for _, row in first], str(path))
    key, column = _find_id_column(columns, id, path), _find_label_column(columns, label, path)
    for line, row in chain(first, rows):
        name, value = str(row.get(key, "")).strip(), row.get(column)
        if not name or value is None or value == "":
            empty = column if name else key
            what = f"column {empty!r} is empty in this row"
            raise DataError(what, where=f"{path}:{line}", hint="fill it in")
        if labels.setdefault(name, value) != value:
            what = f"{name!r} is {str(value)[:40]!r} here, and {str(labels[name])[:40]!r} before"
            raise DataError(what, where=f"{path}:{line}", hint="give each one label")
    return labels


def _find_id_column(columns: Sequence[str], id: str, path: Path) -> str:
    candidates = [name.lower() for name in (id, "id") if name]
    found = next((name for one in candidates for name in columns if name.lower() == one), None)
    if found is None:
        hint = f"call its column of ids {id or 'id'}"
        raise DataError("no column holds the ids of the sequences", where=str(path), hint=hint)
    return found


def _find_label_column(columns: Sequence[str], label: str, path: Path) -> str:
    check_columns([label], columns, str(path))
    found = label or next((name for one in LABELS for name in columns if name.lower() == one), "")
    if not found:
        hint = f"choose one of {', '.join(columns)} with --label"
        raise DataError("no column is called label", where=str(path), hint=hint)
    return found
