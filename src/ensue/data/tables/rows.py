"""Rows of tables in each file format, with the line on which each begins.

CSV and JSON Lines are parsed from the same stream of decoded lines as any text. Compression,
encodings and the longest line are handled once, and every invalid row is known by its line. Parquet
is read by pyarrow, an extra.
"""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain, count, islice
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

from ensue.data.contract import Listener
from ensue.data.encoding import HINTS
from ensue.data.files import RATIO, SAMPLE, get_suffix, read_chunks, why_unreadable
from ensue.data.readers.lines import MAX_LINE_LENGTH, read_lines
from ensue.data.tables.numbers import as_float
from ensue.data.tables.times import is_filled, read_time
from ensue.errors import DataError, did_you_mean, with_article

Row: TypeAlias = "tuple[int, dict[str, Any]]"

JSON_DOCUMENT = re.compile(rb"\[\s*\{|\{[ \t\r]*\n")
"""The beginning of one JSON value that goes over several lines, or is a list of objects."""
JSON_TABLE = re.compile(rb'\{\s*"[^"]*"\s*:\s*[\[{]')
"""The beginning of one JSON object that holds rows or columns."""

SURROGATE = re.compile("[\ud800-\udfff]")

CELLS = 4_000_000
"""Cells that a Parquet file may always hold."""

BATCH = 1024
"""Rows of a Parquet file that are decoded at once: of long texts, a few megabytes."""

BUFFER = 1 << 20
"""Bytes of a column that are read at once."""

NAMED = 5
"""Invalid rows that a message names; there may be millions."""


def read_csv_rows(
    path: Path,
    encoding: str,
    longest: int | None,
    listener: Listener,
    header: bool = True,
) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file; without a header, columns are named by their number.

    In TSV files quotes have no meaning. Raises DataError that names the rows that do not fit the
    header.
    """
    lines = read_lines(path, encoding, longest, listener)
    if get_suffix(path) == ".tsv":
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        first = next(lines)
        delimiter = max(",;\t|", key=first.count)
        ended = (line + "\n" for line in chain([first], lines))
        reader = csv.reader(ended, delimiter=delimiter, strict=True)
    yield from _pair_fields(path, header, reader, longest)


def _pair_fields(path: Path, header: bool, reader: Any, longest: int | None) -> Iterator[Row]:
    """Pair the fields of each row with the first row, or without a header with their numbers.

    `reader` is a csv.reader.
    """
    # The limit holds for the whole process; its default of 131,072 is too low for long documents.
    csv.field_size_limit(min(longest or MAX_LINE_LENGTH, 1 << 30))
    ragged: list[tuple[int, int]] = []
    names: list[str] = []
    line = 1
    try:
        first = names = next(reader, [])
        line = reader.line_num + 1
        if header:
            _check_names(names, reader, f"{path}:1")
        else:
            names = [f"column {place}" for place in range(1, len(first) + 1)]
            yield 1, dict(zip(names, first, strict=True))
        for fields in reader:
            if len(fields) != len(names) and fields:
                ragged.append((line, len(fields)))
            elif fields and not ragged:
                yield line, dict(zip(names, fields, strict=True))
            if len(ragged) > NAMED:
                break
            line = reader.line_num + 1
    except csv.Error as error:
        if ragged:
            raise _ragged_error(path, len(names), ragged) from None
        where, hint = f"{path}:{line}", 'close it, or write a quote within a field as ""'
        what = f"a quote that opens in this row is not closed ({error})"
        raise DataError(what, where=where, hint=hint) from None
    if ragged:
        raise _ragged_error(path, len(names), ragged)


def _check_names(names: Sequence[str], rows: Iterable[Sequence[str]], where: str) -> None:
    """Raise DataError for two columns of one name; they may be data of a table without a header."""
    filled = list(filter(None, names))
    if len({*filled}) < len(filled) and are_data(names, list(islice(rows, SAMPLED_ROWS))):
        hint = "add a header row with a name for each column"
        twice = max(filled, key=filled.count)
        what = f"the first row holds data, such as {twice!r} twice, and names no columns"
        raise DataError(what, where=where, hint=hint)
    _refuse_twice(filled, where)


def are_data(first: Sequence[str], rows: Iterable[Sequence[Any]]) -> bool:
    """Whether the first row of a table holds data: a field that recurs in its column, or a number
    twice.

    >>> are_data(["5", "5"], []), are_data(["a", "b"], [["c", "b"]]), are_data(["a", "a"], [])
    (True, True, False)
    """
    numbers = [one for one in first if as_float(one) is not None]
    return len({*numbers}) < len(numbers) or any(
        name and name in own for name, own in zip(first, zip(*rows, strict=False), strict=False)
    )


def _refuse_twice(names: Iterable[str], where: str) -> None:
    """Raise DataError for two columns of one name."""
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        hint = "give each column a name of its own"
        raise DataError(f"two columns have the name {twice[0]!r}", where=where, hint=hint)


def _ragged_error(path: Path, columns: int, ragged: list[tuple[int, int]]) -> DataError:
    line, fields = ragged[0]
    what = f"the row has {fields} field{'s' * (fields != 1)}, but the header has {columns}"
    others = [str(other) for other, _ in ragged[1:NAMED]] + ["more"] * (len(ragged) > NAMED)
    also = f" (also wrong: line{'s' * (len(others) > 1)} {', '.join(others)})" if others else ""
    hint = "put quotes around text that holds the delimiter"
    return DataError(what + also, where=f"{path}:{line}", hint=hint)


def read_json_rows(
    path: Path, encoding: str, longest: int | None, listener: Listener
) -> Iterator[Row]:
    """Yield the objects of a JSON Lines file. Raises DataError that names the invalid line."""
    refuse_json(path)
    for number, line in enumerate(read_lines(path, encoding, longest, listener), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (RecursionError, ValueError) as error:
            reason = "a number of thousands of digits"  # int() raises a ValueError
            if isinstance(error, RecursionError):
                reason = "too deep"
            elif isinstance(error, json.JSONDecodeError):
                reason = f"{error.msg.lower()} at column {error.colno}"
            what = f"not valid JSON ({reason})"
            raise DataError(what, where=f"{path}:{number}", hint="correct the line") from None
        if "\\u" in line and SURROGATE.search(json.dumps(fields, ensure_ascii=False)):
            what = "a text holds half of a surrogate pair, which is not a character"
            raise DataError(what, where=f"{path}:{number}", hint="correct the \\u in the line")
        if not isinstance(fields, dict):
            what = "the line is not a JSON object"
            where = f"{path}:{number}"
            raise DataError(what, where=where, hint='write each as {"column": value, ...}')
        yield number, fields


def refuse_json(path: Path, flag_hint: str | None = None) -> None:
    """Raise DataError for a file that one JSON value fills, or of JSON Lines under another name."""
    ending = get_suffix(path)
    if ending not in (".json", ".jsonl", ".ndjson"):
        return
    beginning = next(read_chunks(path, size=SAMPLE), b"").removeprefix(BOM_UTF8).lstrip()
    hint = "write it as JSON Lines: one object a line, in a file whose name ends in .jsonl"
    if JSON_DOCUMENT.match(beginning) or (ending == ".json" and JSON_TABLE.match(beginning)):
        what = "one list or object of JSON holds all the data"
        raise DataError(what, where=str(path), hint=hint, flag_hint=flag_hint)
    if ending == ".json" and beginning.startswith(b'{"'):
        what, hint = "these are JSON Lines under another name", "let the name end in .jsonl"
        raise DataError(what, where=str(path), hint=hint, flag_hint=flag_hint)


def read_parquet_rows(
    path: Path, encoding: str, longest: int | None, listener: Listener
) -> Iterator[Row]:
    """Yield the rows of a Parquet file, numbered from 1 instead of by line. Raises DataError."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        hint = "install it with: pip install 'ensue[parquet]'"
        what = "Parquet is read by pyarrow, which is missing"
        raise DataError(what, where=str(path), hint=hint) from None
    numbers, size = count(1), path.stat().st_size
    try:
        # Otherwise a column of a row group is read as a whole, and a row group may be the file.
        with ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
            _refuse_twice(names, str(path))
            if rows * file.metadata.num_columns > max(CELLS, RATIO * size):
                # A page may repeat one row a billion times.
                what = (
                    f"the file holds {rows:,} rows, far more than its {size:,} bytes can "
                    f"distinguish"
                )
                raise DataError(what, where=str(path), hint="remove repeated rows")
            for batch in file.iter_batches(BATCH):
                columns = map(_list_values, batch.columns)
                for row in zip(*columns, strict=True):
                    yield next(numbers), dict(zip(names, row, strict=True))
                listener.on_progress(size * len(batch) // rows)
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        what = f"not a readable Parquet file ({str(error).splitlines()[0]})"
        hint = "write it again"
        if (kind := why_unreadable(path)) in HINTS:
            what, hint = f"this is {kind}, not a table", HINTS[kind]
        raise DataError(what, where=str(path), hint=hint) from None


def _list_values(column: Any) -> list[Any]:
    """Return the values of a column of pyarrow, with times in microseconds, as Python has them."""
    import pyarrow

    kind = column.type
    if getattr(kind, "unit", "") == "ns":
        timestamp = pyarrow.types.is_timestamp(kind)
        coarse = pyarrow.timestamp("us", kind.tz) if timestamp else str(kind).replace("ns", "us")
        column = column.cast(coarse, safe=False)
    return column.to_pylist()


def read_frame_rows(frame: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data frame that narwhals supports, with the values of JSON Lines.

    Missing values are None, times ISO 8601, numbers numbers; column names are texts. An index of
    pandas that has a name, or holds times, is a column. Raises DataError if it is not a data frame.
    """
    import narwhals

    index = getattr(frame, "index", None)
    if hasattr(frame, "reset_index") and index is not None:
        named = any(name is not None for name in index.names)
        named = named and not {*index.names} & {*frame.columns}
        if named or hasattr(index, "to_pydatetime") or hasattr(index, "to_timestamp"):
            frame = frame.reset_index()
    columns = list(map(str, getattr(frame, "column_names", None) or getattr(frame, "columns", ())))
    _refuse_twice(columns, "frame")
    try:
        known = narwhals.from_native(frame, eager_only=True)
    except TypeError:
        what = f"{with_article(type(frame).__name__)} is not a data frame"
        hint = "give the path of a file, or a data frame of pandas or polars"
        raise DataError(what, where="frame", hint=hint) from None
    names = list(map(str, known.columns))
    for row in known.iter_rows():
        yield dict(zip(names, map(_to_json_cell, row), strict=True))


def _to_json_cell(value: Any) -> Any:
    """Return a cell of a data frame as JSON has it."""
    if hasattr(value, "tolist"):  # of NumPy
        value = value.tolist()
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, date) and value == value:  # pandas.NaT is a date, and not equal to itself
        return value.isoformat()
    if isinstance(value, list | tuple | set):
        return list(map(_to_json_cell, value))
    if isinstance(value, dict):
        return {str(name): _to_json_cell(one) for name, one in value.items()}
    if isinstance(value, float | Decimal):
        return float(value) if isfinite(value) else None if value != value else str(value)
    return str(value) if is_filled(value) else None


ROWS: dict[str, Callable[..., Iterator[Row]]] = {
    ".csv": read_csv_rows,
    ".tsv": read_csv_rows,
    ".jsonl": read_json_rows,
    ".ndjson": read_json_rows,
    ".parquet": read_parquet_rows,
}

WITHOUT_HEADER = (".csv", ".tsv")
"""Formats that may lack a header; `read_csv_rows` names their columns."""


SAMPLED_ROWS = 200
"""Rows at the start of a table from which the columns are guessed."""


def could_be_text(values: Sequence[Any]) -> bool:
    """Distinguish text from numbers, dates and labels: it has letters, and rarely repeats."""
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    # The letter of 1e-5 makes no text of a number.
    worded = sum(any(map(str.isalpha, text)) and as_float(text) is None for text in texts)
    return bool(texts) and worded > len(texts) / 2 and len(set(texts)) > len(texts) / 2


def list_columns(sample: Sequence[Mapping[str, Any]], where: str) -> list[str]:
    """Return the columns of the first rows of a table. Raises DataError if there are no rows."""
    if not sample:
        hint = "give a table with a header and some rows"
        raise DataError("the table has no rows", where=where, hint=hint)
    return list(dict.fromkeys(name for row in sample for name in row))


def count_columns(names: Iterable[str]) -> bool:
    """Whether names only count the columns, as a data frame without names is saved.

    >>> count_columns(["", "0", "1"]), count_columns(["1", "2"])
    (True, False)
    """
    filled = [name for name in names if name]
    return filled == [str(place) for place in range(len(filled))]


def is_header(cells: Mapping[str, Sequence[Any]], given: Iterable[str]) -> bool:
    """Whether the first line of a table certainly names its columns, by their first `cells`.

    It holds a name that is `given`, or counts the columns. In a table of numbers alone, the counts
    may be data, unless an index precedes them.
    """
    filled = [one for own in cells.values() for one in own if is_filled(one)]
    return any(map(cells.__contains__, filter(None, given))) or (
        count_columns(cells) and ("" in cells or any(as_float(one) is None for one in filled))
    )


def refuse_data_as_header(
    file: str, cells: Mapping[str, Sequence[Any]], given: Iterable[str], example: str
) -> None:
    """Raise DataError if the first line of a file holds data in place of the names of columns."""
    if get_suffix(Path(file)) not in WITHOUT_HEADER or is_header(cells, given):
        return
    names = list(filter(None, cells))
    again = [name for name in names if name in cells[name]]
    hint = f"add a header row, such as {example}"
    if all(as_float(name) is not None or read_time(name) is not None for name in names):
        what = f"the first row holds {', '.join(names[:3])}, which are not column names"
        raise DataError(what, where=f"{file}:1", hint=hint)
    if again:
        what = f"the first row holds {again[0]!r}, which its column holds again: it names no column"
        raise DataError(what, where=f"{file}:1", hint=f"{hint}, or rename that column")


def find_empty(sample: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns without any filled cell."""
    there = dict.fromkeys(name for row in sample for name in row)
    return [name for name in there if name and not any(is_filled(row.get(name)) for row in sample)]


def check_columns(names: Iterable[str], columns: Collection[str], where: str) -> None:
    """Raise DataError for the first name that is neither a column nor empty."""
    if name := next((name for name in names if name and name not in columns), None):
        what = f"there is no column {name!r}"
        raise DataError(what, where=where, hint=did_you_mean(name, columns))


def check_endings(files: Sequence[Path], endings: Collection[str]) -> None:
    """Raise DataError for the first file whose name has none of the endings."""
    if other := next((path for path in files if get_suffix(path) not in endings), None):
        if (kind := why_unreadable(other)) not in (None, "empty"):
            hint = HINTS.get(kind, "save it as CSV, if it holds a table")
            raise DataError(f"this is {kind}, not a table", where=str(other), hint=hint)
        refuse_json(other)
        hint = f"its name should end in one of {', '.join(endings)}"
        raise DataError("not a readable table", where=str(other), hint=hint)
