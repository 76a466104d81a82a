"""Which columns of a table hold times, which may hold ids, and which only number the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np

from ensue.data.tables.rows import SAMPLED_ROWS
from ensue.data.tables.times import is_filled, is_unix, read_time

UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__)?")
"""Names of an unnamed column in pandas, in its Parquet files, and in CSV files."""
NAMED = (
    "index",
    "level_0",
    "rownames",
    "row.names",
    "row_names",
    "row",
    "rowid",
    "id",
    "no",
    "no.",
    "nr",
    "nr.",
    "#",
)
"""Names of an index in `reset_index`, R and databases; such a column must number the rows."""


def find_saved_index(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the index columns: unnamed whole numbers, or row numbers with a usual name.

    >>> find_saved_index({"": ["0", "1"], "index": [0, 7], "sales": [0, 1]})
    ['']
    """
    found = []
    for name, cells in columns.items():
        if UNNAMED.fullmatch(name):
            found += [name] * all(_read_whole(cell) is not None for cell in cells)
        elif name.lower() in NAMED:
            first = _read_whole(cells[0]) if len(cells) else None
            numbers = enumerate(cells, first or 0)
            found += [name] * (
                first in (0, 1) and all(_read_whole(cell) == number for number, cell in numbers)
            )
    return found


def name_times(
    rows: Iterator[tuple[int, Mapping[str, Any]]],
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rename an unnamed column of times to ds, as pandas writes an index of times."""
    sample = list(islice(rows, SAMPLED_ROWS))
    rows = chain(sample, rows)
    if (
        not sample
        or "ds" in sample[0][1]
        or find_time_kind([row.get("") for _, row in sample]) != "date"
    ):
        return rows
    return ((line, {name or "ds": cell for name, cell in row.items()}) for line, row in rows)


def _read_whole(cell: Any) -> int | None:
    """Parse a whole number; None if the cell is not one.

    >>> _read_whole("7"), _read_whole(7.0), _read_whole("7.5"), _read_whole(True)
    (7, 7, None, None)
    """
    if isinstance(cell, bool):
        return None
    found = re.fullmatch(r"(\d{1,15})(\.0*)?", str(cell).strip())
    return int(found[1]) if found else None


NAMES_OF_TIMES = (
    "ds",
    "time",
    "timestamp",
    "step",
    "t",
    "date",
    "datum",
    "day",
    "month",
    "year",
    "index",
)


def find_time_column(columns: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the first column of dates; else of integers with a name of times; else of Unix times.

    None if there is none.
    """
    kinds = {name: find_time_kind(cells) for name, cells in columns.items()}
    dates = [name for name in columns if kinds[name] == "date"]
    named = [
        name
        for name in columns
        if kinds[name] in ("integer", "unix") and name.lower() in NAMES_OF_TIMES
    ]
    unix = [name for name in columns if kinds[name] == "unix"]
    return (dates or named or unix or [None])[0]


def find_time_kind(cells: Sequence[Any]) -> str:
    """Return what most cells of a column are: "date", "integer", "unix" or "" for no times."""
    filled = [cell for cell in cells if is_filled(cell)]
    # Ids and dates of texts recur, and each is parsed once.
    texts = all(isinstance(cell, str) for cell in filled)
    times = [*map(cache(_read_any_order) if texts else _read_any_order, filled)]
    kinds = Counter(
        "date" if isinstance(one, np.datetime64) else type(one).__name__ for one in times
    )
    if kinds["date"] * 2 > len(filled):
        return "date"
    if kinds["int"] < len(filled) or not filled:
        return ""
    return "unix" if all(map(is_unix, times)) and len(set(times)) > len(times) / 2 else "integer"


def _read_any_order(cell: Any) -> Any:
    time = read_time(cell, day_first=False)
    return read_time(cell) if time is None else time


def may_be_ids(cells: Sequence[Any], times: Sequence[Any]) -> bool:
    """Whether a column of words may hold ids.

    Dates are not ids, nor words that alternate although no time occurs twice.
    """
    if find_time_kind(cells) == "date":
        return False
    moves = sum(one != other for one, other in pairwise(cells))
    return moves < len(set(map(str, cells))) or len(set(map(str, times))) < len(times)
