"""Tables with one series per row, as in M3, M4 and M5: its names, then one column per step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Listener
from ensue.data.readers.lines import read_lines
from ensue.data.series.panel import Series, SeriesSettings
from ensue.data.tables.number_format import NumberFormat, find_number_formats
from ensue.data.tables.numbers import LARGEST, as_float, read_count
from ensue.data.tables.rows import SAMPLED_ROWS
from ensue.data.tables.series_checks import Read
from ensue.data.tables.times import find_time_format, is_filled, read_time, read_times
from ensue.errors import DataError


class Places(Sequence[str]):
    """A place for each row: a common beginning and a number, joined when a message names it.

    >>> import numpy as np
    >>> places = Places("a.csv:", np.array([2, 3, 5]))
    >>> places[1], list(places[1:])
    ('a.csv:3', ['a.csv:3', 'a.csv:5'])
    """

    def __init__(self, begin: str, numbers: NDArray[Any]) -> None:
        self.begin, self.numbers = begin, numbers

    def __getitem__(self, at: Any) -> Any:
        found = self.numbers[at]
        return Places(self.begin, found) if found.ndim else f"{self.begin}{found}"

    def __len__(self) -> int:
        return len(self.numbers)


M3_ENDING, M3_COLUMNS = "values...", 6
"""The end of an M3 header with one series per line, and the number of columns before the values."""
FEWEST = 5
"""Numbered or dated columns from which on they are read as steps."""
NUMBERED = re.compile(r"(.*\D)([0-9]{1,9})")


@dataclass(frozen=True)
class RowLayout:
    """Which columns of a table name the series of a row, and which are its steps."""

    names: tuple[str, ...]
    steps: tuple[str, ...]
    dated: bool
    """Whether the names of the step columns are times; otherwise they are numbered."""
    first: int = 1
    """The number of the first step."""


def find_row_layout(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], fewest: int = FEWEST
) -> RowLayout | None:
    """Detect a table with one series per row, by its column names and first rows; else None.

    >>> find_row_layout(["id", "d_8", "d_9", "d_10", "d_11", "d_12"], [{"id": "a"}])
    RowLayout(names=('id',), steps=('d_8', 'd_9', 'd_10', 'd_11', 'd_12'), dated=False, first=8)
    """
    first, number = len(columns), 1
    while first and any(
        read_time(columns[first - 1], day_first) is not None for day_first in (True, False)
    ):
        first -= 1
    dated = len(columns) - first >= fewest
    if not dated:
        first, number = _find_numbered(columns)
        # In M4 the first numbered column, V1, holds the name.
        if first < len(columns) and any(_is_word(row.get(columns[first])) for row in rows):
            first, number = first + 1, 1
    names, steps = tuple(columns[:first]), tuple(columns[first:])
    if len(steps) < fewest or not names or not rows:
        return None
    # A table with a column for each series begins with a column of times.
    times = [row.get(name) for row in rows for name in names[:1] if is_filled(row.get(name))]
    if any(not isinstance(read_time(cell), int | None) for cell in times):
        return None
    return RowLayout(names, steps, dated, number)


def _is_word(cell: Any) -> bool:
    return is_filled(cell) and as_float(cell) is None


def _find_numbered(columns: Sequence[str]) -> tuple[int, int]:
    """Return the place of the first of the consecutively numbered last columns, and its number."""
    first, before = len(columns), None
    for place in range(len(columns) - 1, -1, -1):
        found = NUMBERED.fullmatch(columns[place])
        if not found or (before and (found[1] != before[0] or int(found[2]) != before[1] - 1)):
            break
        first, before = place, (found[1], int(found[2]))
    return first, before[1] if before else 1


def read_rows(
    begin: str,
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    layout: RowLayout,
    settings: SeriesSettings,
    listener: Listener,
) -> Iterator[Read]:
    """Yield the series of each row; empty cells at its end are not steps. Raises DataError.

    `begin` and the number of a row are its place.
    """
    rows = iter(rows)
    sample = list(islice(rows, SAMPLED_ROWS))
    where = f"{begin}{sample[0][0]}"
    cells = [row.get(step) for _, row in sample for step in layout.steps]
    form = find_number_formats({"value": cells}, settings.decimal, {})["value"]
    times: Any = layout.first + np.arange(len(layout.steps))
    if layout.dated:
        places = [where] * len(layout.steps)
        read = find_time_format(layout.steps, settings.day_first, places)
        times = read_times(layout.steps, places, "names of columns", read)
    ids = [settings.id] if settings.id else _find_ids(layout, [row for _, row in sample])
    steps = "dated" if layout.dated else "numbered"
    what = (
        f"each row is read as a series, named by {' and '.join(map(repr, ids))}, with "
        f"{len(layout.steps):,} {steps} steps"
    )
    listener.report(where, what, None if settings.id else "choose its name with --id")
    if form.ambiguity:
        hint = f"if that is wrong, give --set data.decimal={form.other}"
        listener.report(where, form.ambiguity, hint)
    for number, row in chain(sample, rows):
        where = f"{begin}{number}"
        values = _read_values([row.get(step) for step in layout.steps], form, layout.steps, where)
        there = np.flatnonzero(~np.isnan(values))
        end = int(there[-1]) + 1 if len(there) else 0
        name = "/".join(str(row.get(one)) for one in ids)
        static = tuple(
            _read_constant(row.get(column), form) for column in settings.static_covariates
        )
        empty = np.zeros((end, 0))
        series = Series(name, times[:end], values[:end, None], empty, empty, static)
        yield Read(series, Places(begin, np.broadcast_to(np.int64(number), end)))


def _find_ids(layout: RowLayout, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the first column whose values are unique in the sample; else all columns of names."""
    for name in layout.names:
        cells = [str(row.get(name)) for row in rows if is_filled(row.get(name))]
        if len(set(cells)) == len(rows):
            return [name]
    return list(layout.names)


def _read_values(
    cells: list[Any], form: NumberFormat, steps: Sequence[str], where: str
) -> NDArray[np.float64]:
    while cells and cells[-1] in (None, ""):
        cells.pop()
    values = form.read_plain(cells)
    if values is not None:
        return values
    return np.array(
        [form.read_cell(cell, step, where) for cell, step in zip(cells, steps, strict=False)]
    )


def _read_constant(cell: Any, form: NumberFormat) -> Any:
    number = form.read(cell)
    return str(cell) if number is None or not abs(number) <= LARGEST else number


def read_m3_rows(
    path: Path, encoding: str, listener: Listener
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the steps of a file with one series per line, as rows of a long table.

    The columns are series, n, horizon, category, start and period, then n values. Raises DataError.
    """
    for number, line in enumerate(islice(read_lines(path, encoding, None, listener), 1, None), 2):
        fields = line.split(",")
        count = fields[1].strip() if len(fields) > 1 else "missing"
        if len(fields) - M3_COLUMNS != read_count(count):
            values = max(len(fields) - M3_COLUMNS, 0)
            what = f"the line has {values} values, but its second column is {count[:40]}"
            raise DataError(what, where=f"{path}:{number}", hint="correct the second column")
        for step, value in enumerate(fields[M3_COLUMNS:], 1):
            yield number, {"unique_id": fields[0], "ds": step, "y": value}
