"""Columns that a data frame's index left behind when it was saved: numbers of rows, which are no
data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from ensue.data.tables.rows import SAMPLED_ROWS
from ensue.data.tables.times import kind_of_time

UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__)?")
"""What pandas calls a column without a name, and its Parquet files an index without one; a CSV
file says nothing."""
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
"""What reset_index, R and databases call it; a column that is called so and numbers the rows
tells no series apart."""


def saved_index(columns: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the columns that hold an index: whole numbers without a name, or the number of each row
    under a usual one.

    >>> rows = [{"": str(place), "index": 7 * place, "sales": place} for place in range(3)]
    >>> saved_index(rows[0], rows)
    ['']
    """
    found = []
    for name in columns:
        if UNNAMED.fullmatch(name):
            numbers = [_whole(row.get(name)) for row in rows]
            found += [name] * (None not in numbers)
        elif name.lower() in NAMED:
            numbers = [_whole(row.get(name)) for row in rows]
            first = numbers[0] if numbers else None
            found += [name] * (
                first in (0, 1) and numbers == list(range(first, first + len(numbers)))
            )
    return found


def with_times_named(
    rows: Iterator[tuple[str, Mapping[str, Any]]],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Call times in a column without a name ds, as pandas writes an index of times; other rows
    pass as they are."""
    sample = list(islice(rows, SAMPLED_ROWS))
    rows = chain(sample, rows)
    if (
        not sample
        or "ds" in sample[0][1]
        or kind_of_time([row.get("") for _, row in sample]) != "date"
    ):
        return rows
    return ((line, {name or "ds": cell for name, cell in row.items()}) for line, row in rows)


def _whole(cell: Any) -> int | None:
    """Read a whole number; None if it is none.

    >>> _whole("7"), _whole(7.0), _whole("7.5"), _whole(True)
    (7, 7, None, None)
    """
    if isinstance(cell, bool):
        return None
    found = re.fullmatch(r"(\d{1,15})(\.0*)?", str(cell).strip())
    return int(found[1]) if found else None
