"""Guess what files are for, from their names and their first lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from ensue.data.contract import SILENT
from ensue.data.files import find_files, get_suffix
from ensue.data.readers.fasttext import PREFIX, are_fasttext
from ensue.data.readers.lines import read_lines
from ensue.data.readers.named_parts import exclude_file, group_by_part
from ensue.data.readers.tagged.recognised import are_columns
from ensue.data.readers.trees import are_trees
from ensue.data.tables.labelled import USUAL, could_be_label
from ensue.data.tables.rows import (
    ROWS,
    SAMPLED_ROWS,
    WITHOUT_HEADER,
    could_be_text,
    refuse_json,
)
from ensue.data.tables.series_rows import M3_ENDING, find_row_layout
from ensue.data.tables.time_columns import find_time_column
from ensue.data.tables.times import read_time
from ensue.errors import DataError
from ensue.escape import shorten
from ensue.settings import Settings, find_flags

T = TypeVar("T")

OF_STEPS = ("id", "time", "value", "channel", "standard_error")
"""Columns that only a long table, with a row per step, has."""
Content: TypeAlias = Literal["text", "labelled", "tagged", "series"]
TREEBANKS = {".conllu", ".conll", ".iob", ".iob2"}


def guess_labelled_format(
    data: Sequence[Path], settings: Mapping[str, str]
) -> tuple[str, str | None]:
    """Guess which of LABELLED reads the data, and say why; `settings` are the given ones by key.

    Raises DataError if there is no data.
    """
    if "data.reader.name" in settings:
        return settings["data.reader.name"].strip('"'), None
    if any(f"data.reader.{role}" in settings for role in OF_STEPS):
        return (
            "long_table",
            "read as a long table (a row per step), because columns of steps are named",
        )
    encoding = get_encoding(settings)
    files = exclude_file(find_files(data), settings.get("data.label_file", "").strip('"'))
    endings = {get_suffix(path) for path in files}
    if endings <= ROWS.keys():
        if _are_steps(read_beginning(files[0], encoding)):
            why = "it has columns of ids and times, and no texts"
            return (
                "long_table",
                f"read as a long table (a row per step), because {why} (choose with --format)",
            )
        return "table", None
    if endings == {".ts"}:
        return "series_file", None
    if endings == {".dat"} and any(
        line.startswith("VARLIST:") for line in _first_lines(files[0], encoding)
    ):
        return "long_table", "read as SNANA light curves, one per file (choose with --format)"
    refuse_json(files[0])
    if are_trees(_first_lines(files[0], encoding)):
        why = "the first line is one"
        return "trees", f"read as bracketed trees, because {why} (choose with --format)"
    if get_suffix(files[0]) != ".parquet" and are_fasttext(_first_lines(files[0], encoding)):
        why = f"lines begin with {PREFIX}"
        return "fasttext", f"read as fastText, because {why} (choose with --format)"
    return "folders", "read as a folder, or a file, of texts per class (choose with --format)"


def get_given(
    kind: type[Settings], flags: Mapping[str, str], assignments: Sequence[str]
) -> dict[str, str]:
    """Return the settings that flags and assignments give, by key."""
    known = find_flags(kind)
    own = {key: flags[name] for name in flags.keys() & known for key in known[name].keys}
    return own | parse_assignments(assignments)


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Split `key=value` texts; those without a value are reported when they are applied."""
    return {
        key: value for key, equals, value in (one.partition("=") for one in assignments) if equals
    }


def get_encoding(settings: Mapping[str, str]) -> str:
    """Return the encoding from any of the names of its setting; UTF-8 by default.

    >>> get_encoding({"encoding": "cp1252"}), get_encoding({"data.reader.label": "mood"})
    ('cp1252', 'utf-8')
    """
    names = ("encoding", "data.encoding", "reader.encoding", "data.reader.encoding")
    return next((settings[name].strip('"') for name in names if name in settings), "utf-8")


def guess_content(files: Sequence[Path], encoding: str = "utf-8") -> tuple[Content, str]:
    """Guess what the files hold, and say why."""
    endings = {get_suffix(path) for path in files}
    try:
        if endings <= TREEBANKS or _are_tagged(files[0], encoding):
            return "tagged", "it holds sentences with a tag for every word"
        if endings <= ROWS.keys():
            return _guess_table(files[0], encoding)
        kind, _ = guess_labelled_format(files, {"encoding": encoding})
    except DataError:  # the reader of texts reports it
        return "text", "no other format was recognised"
    if kind == "fasttext":
        return "labelled", f"its lines have labels that begin with {PREFIX}"
    if kind != "folders":
        return "labelled", "it holds labelled trees or sequences"
    files = (group_by_part(files) or {"train": files})["train"]
    classes = [len(list(group)) for _, group in groupby(sorted(path.parent for path in files))]
    if len(classes) > 1 and min(classes) > 1:
        return "labelled", "several folders hold several texts each"
    return "text", "it is text"


def read_beginning(path: Path, encoding: str) -> list[dict[str, Any]]:
    """Read the first rows of a table."""

    def read(encoding: str, **header: bool) -> list[dict[str, Any]]:
        rows = ROWS[get_suffix(path)](path, encoding, None, SILENT, **header)
        return [row for _, row in _read_first(rows)]

    try:
        return _read_any_encoding(read, encoding)
    except DataError:
        if get_suffix(path) not in WITHOUT_HEADER:
            raise
        return _read_any_encoding(partial(read, header=False), encoding)


def _first_lines(path: Path, encoding: str) -> list[str]:
    return _read_any_encoding(lambda encoding: _read_first(read_lines(path, encoding)), encoding)


def _read_first(lines: Iterator[T]) -> list[T]:
    """Read the first lines up to an invalid one, which the reader of the format will report."""
    found: list[T] = []
    try:
        found.extend(islice(lines, SAMPLED_ROWS))
    except DataError:
        if not found:
            raise
    return found


def _read_any_encoding(read: Callable[[str], list[T]], encoding: str) -> list[T]:
    """Read for a guess, which does not depend on letters: the reader reports a wrong encoding."""
    try:
        return read(encoding)
    except DataError as error:
        with suppress(DataError):
            return read("iso-8859-1")
        raise error from None


def _are_steps(rows: Sequence[Mapping[str, Any]]) -> bool:
    return bool(rows) and {"id", "time"} <= rows[0].keys() and not find_texts(rows)


def find_texts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of texts; a time such as "2001Q3" is not a text."""
    return [
        name
        for name in rows[0]
        if could_be_text(cells := [row.get(name) for row in rows])
        and not any(read_time(cells[0], first) is not None for first in (True, False))
    ]


def are_steps(files: Sequence[Path], encoding: str) -> bool:
    """Whether `generate` reads files as sequences of records: tables in which no column is text.

    A column that is named like one of texts is one, even where its cells repeat.
    """
    if not all(get_suffix(path) in ROWS for path in files):
        return False
    try:
        rows = read_beginning(files[0], encoding)
    except DataError:  # the reader reports it
        return False
    named = any(name.lower() in USUAL["text"] for name in rows[0]) if rows else True
    return len(rows) > 1 and not named and not find_texts(rows)


def _guess_table(path: Path, encoding: str) -> tuple[Content, str]:
    first = _first_lines(path, encoding)[0] if get_suffix(path) != ".parquet" else ""
    if get_suffix(path) == ".csv" and first.endswith(M3_ENDING):
        return "series", "each line is a series"
    if not (rows := read_beginning(path, encoding)):
        return "text", "the table is empty"
    columns = list(rows[0])
    if sum(isinstance(value, list) for value in rows[0].values()) > 1:
        return "tagged", "it holds lists of words and of tags"
    if "label" in columns and _are_steps(rows):
        return "labelled", "it has a row for each step of labelled sequences"
    names = {name.lower() for name in columns}
    if not names & {*USUAL["label"]} and find_row_layout(columns, rows):
        return "series", "each row is a series, with a column for each step"
    if texts := find_texts(rows):
        others = [name for name in columns if name not in texts]
        labels = [name for name in others if could_be_label([row.get(name) for row in rows])]
        if not labels:
            return "text", "it has a column of text"
        # If a field of the first line occurs again, that line is a row, and names no column.
        place = (
            repr(shorten(labels[0]))
            if all(row.get(labels[0]) != labels[0] for row in rows)
            else "a column"
        )
        return "labelled", f"{place} could be a label"
    cells = {name: [row.get(name) for row in rows] for name in columns}
    if (time := find_time_column(cells)) is not None:
        named = repr(shorten(time)) if time else "a column"
        return "series", f"{named} holds times, and no other column holds texts"
    return "text", "it has a row for each step of sequences"


def _are_tagged(path: Path, encoding: str) -> bool:
    """Recognise tagged sentences: a word and its tag per line, blank lines between sentences."""
    if get_suffix(path) in ROWS.keys() - {".tsv"}:
        return False
    lines = _first_lines(path, encoding)
    blank = sum(not line.strip() for line in lines)
    # A table may have a blank line at its end.
    if blank < len(lines) / 50 or lines[0].startswith("{"):
        return False
    return are_columns(lines) and any(
        len(line.split()) > 1 for line in lines if not line.startswith("#")
    )
