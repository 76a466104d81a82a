"""The rows of files and data frames that hold series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ensue.data.contract import SILENT, Listener
from ensue.data.files import find_files, get_suffix
from ensue.data.readers.lines import read_lines
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.rows import (
    ROWS,
    SAMPLED_ROWS,
    check_columns,
    check_endings,
    read_frame_rows,
)
from ensue.data.tables.saved_index import name_times
from ensue.data.tables.series_checks import Read
from ensue.data.tables.series_rows import (
    FEWEST,
    M3_ENDING,
    find_row_layout,
    read_m3_rows,
    read_rows,
)
from ensue.data.tables.times import (
    is_filled,
)


@dataclass(frozen=True)
class Source:
    """The rows of one file or frame: the place of each, and its cells by column."""

    name: str
    rows: Sequence[tuple[str, Mapping[str, Any]]]
    series: Sequence[Read] = ()
    """The series of a table with one series per row; such a source has no rows of steps."""

    @property
    def steps(self) -> int:
        """Count the rows, or the steps of the series."""
        return len(self.rows) or sum(len(one.series) for one in self.series)

    @property
    def columns(self) -> list[str]:
        """The names of the columns in the sample; a row of JSON may lack some."""
        return list(dict.fromkeys(name for _, row in self.rows[:SAMPLED_ROWS] for name in row))


def read_sources(
    data: Sequence[Path],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> list[Source]:
    """Read the rows of files and folders. Raises DataError."""
    return [
        one
        for path in find_files(data, listener)
        for one in _read_file(path, settings, listener, like)
    ]


def read_frame(
    frame: Any, settings: SeriesSettings, listener: Listener = SILENT, like: Panel | None = None
) -> Source:
    """Read the rows of a data frame of any library that narwhals supports. Raises DataError."""
    rows = (
        (f"frame, row {number}", row)
        for number, row in enumerate(read_frame_rows(frame), 1)
        if _has_values(row)
    )
    return _build_source("frame", rows, settings, listener, like)


def _read_file(
    path: Path, settings: SeriesSettings, listener: Listener, like: Panel | None
) -> Iterator[Source]:
    check_endings([path], ROWS)
    encoding = settings.encoding
    if get_suffix(path) == ".csv":
        header = next(read_lines(path, encoding), "")
        if header.endswith(M3_ENDING):
            yield Source(str(path), list(read_m3_rows(path, encoding, listener)))
            return
    # Spreadsheets leave rows of empty cells behind.
    read = ROWS[get_suffix(path)](path, encoding, None, listener)
    yield _build_source(
        str(path),
        ((f"{path}:{line}", row) for line, row in read if _has_values(row)),
        settings,
        listener,
        like,
    )


def _has_values(row: Mapping[str, Any]) -> bool:
    return any(map(is_filled, row.values()))


def _build_source(
    name: str,
    rows: Iterator[tuple[str, Mapping[str, Any]]],
    settings: SeriesSettings,
    listener: Listener,
    like: Panel | None,
) -> Source:
    """Return the rows of a table, or the series of a table with one series per row.

    Such a table is read row by row, since it may be large.
    """
    rows = name_times(rows)
    sample = list(islice(rows, SAMPLED_ROWS))
    columns = list(sample[0][1]) if sample else []
    # If the training table had one series per row, a single new step is enough to recognise it.
    fewest = 1 if like is not None and not like.roles.get("time", "ds") else FEWEST
    layout = find_row_layout(columns, [row for _, row in sample], fewest)
    long = (settings.time, *settings.target, *settings.known_covariates, *settings.past_covariates)
    if layout is None or any(long):
        return Source(name, [*sample, *rows])
    check_columns((settings.id, *settings.static_covariates), layout.names, name)
    return Source(name, (), list(read_rows(chain(sample, rows), layout, settings, listener)))
