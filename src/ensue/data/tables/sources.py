"""The rows of files and data frames that hold series."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.contract import SILENT, Listener
from ensue.data.files import find_files, get_suffix
from ensue.data.readers.lines import read_lines
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.rows import ROWS, SAMPLED_ROWS, check_columns, check_endings, read_frame_rows
from ensue.data.tables.series_checks import Read
from ensue.data.tables.series_rows import (
    FEWEST,
    M3_ENDING,
    Places,
    find_row_layout,
    read_m3_rows,
    read_rows,
)
from ensue.data.tables.time_columns import name_times
from ensue.data.tables.times import is_filled

RECURRING = 1 << 16
"""Distinct cells that are stored once: ids and dates recur, measured values need not."""


@dataclass(frozen=True)
class Source:
    """The rows of one file or frame: the cells of each column, and the place of each row."""

    name: str
    cells: Mapping[str, Sequence[Any]]
    """By column; None where a row lacks it. The columns are those of the sample."""
    places: Places
    series: Sequence[Read] = ()
    """The series of a table with one series per row; such a source has no rows of steps."""

    @property
    def steps(self) -> int:
        """Count the rows, or the steps of the series."""
        return len(self.places) or sum(len(one.series) for one in self.series)

    def take(self, rows: np.ndarray) -> Source:
        """Return some of the rows, in this order."""
        at = rows.tolist()
        cells = {name: [own[place] for place in at] for name, own in self.cells.items()}
        return Source(self.name, cells, self.places[rows])

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.cells)


def read_sources(
    data: Sequence[Path],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> list[Source]:
    """Read the rows of files and folders. Raises DataError."""
    return [_read_file(path, settings, listener, like) for path in find_files(data, listener)]


def read_frame(
    frame: Any, settings: SeriesSettings, listener: Listener = SILENT, like: Panel | None = None
) -> Source:
    """Read the rows of a data frame of any library that narwhals supports. Raises DataError."""
    rows = enumerate(read_frame_rows(frame), 1)
    return _build_source(("frame", "frame, row "), rows, settings, listener, like)


def _read_file(
    path: Path, settings: SeriesSettings, listener: Listener, like: Panel | None
) -> Source:
    check_endings([path], ROWS)
    encoding = settings.encoding
    if get_suffix(path) == ".csv":
        header = next(read_lines(path, encoding), "")
        if header.endswith(M3_ENDING):
            return _gather(str(path), f"{path}:", read_m3_rows(path, encoding, listener))
    rows = ROWS[get_suffix(path)](path, encoding, None, listener)
    return _build_source((str(path), f"{path}:"), rows, settings, listener, like)


def _has_values(row: Mapping[str, Any]) -> bool:
    return any(map(is_filled, row.values()))


def _gather(name: str, begin: str, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Source:
    """Return the rows as columns, which take a fifth of the memory."""
    rows = iter(rows)
    sample = list(islice(rows, SAMPLED_ROWS))
    cells: dict[str, list[Any]] = {name: [] for _, row in sample for name in row}
    recurring: dict[str, str] = {}
    numbers = array("q")
    for number, row in chain(sample, rows):
        numbers.append(number)
        for column, own in cells.items():
            cell = row.get(column)
            if isinstance(cell, str):
                if len(recurring) < RECURRING:
                    recurring.setdefault(cell, cell)
                cell = recurring.get(cell, cell)
            own.append(cell)
    return Source(name, cells, Places(begin, np.array(numbers, np.int64)))


def _build_source(
    names: tuple[str, str],
    rows: Iterator[tuple[int, Mapping[str, Any]]],
    settings: SeriesSettings,
    listener: Listener,
    like: Panel | None,
) -> Source:
    """Return the rows of a table, or the series of a table with one series per row.

    Such a table is read row by row, since it may be large. `names` are those of the source, and of
    the places of its rows without their number.
    """
    name, begin = names
    # Spreadsheets leave rows of empty cells behind.
    rows = name_times((number, row) for number, row in rows if _has_values(row))
    sample = list(islice(rows, SAMPLED_ROWS))
    columns = list(sample[0][1]) if sample else []
    # If the training table had one series per row, a single new step is enough to recognise it.
    fewest = 1 if like is not None and not like.roles.get("time", "ds") else FEWEST
    layout = find_row_layout(columns, [row for _, row in sample], fewest)
    long = (settings.time, *settings.target, *settings.known_covariates, *settings.past_covariates)
    if layout is None or any(long):
        return _gather(name, begin, chain(sample, rows))
    check_columns((settings.id, *settings.static_covariates), layout.names, name)
    series = list(read_rows(begin, chain(sample, rows), layout, settings, listener))
    return Source(name, {}, Places(begin, np.zeros(0, np.int64)), series)
