"""Index columns of saved data frames, which number the rows and are not data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from ensue.data.tables.rows import SAMPLED_ROWS
from ensue.data.tables.time_columns import find_time_kind

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
