"""Series out of tables: long (a row for each step of each series), wide (a column a series), and M3's lines.

CSV, TSV, JSONL and Parquet are read by `rows.py`; data frames of pandas, polars and others come through narwhals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import ending, find_files
from ensue.data.readers.lines import lines_of
from ensue.data.readers.rows import ROWS
from ensue.data.series.checks import Read, checked, find_frequency
from ensue.data.series.frequency import read_time
from ensue.data.series.panel import Panel, Series, SeriesSettings
from ensue.errors import DataError, SettingError, did_you_mean

LONGEST = 1_000_000
M3_ENDING, M3_COLUMNS = "values...", 6
"""How the header of one series a line ends, and how many columns stand before the values."""


@dataclass(frozen=True)
class Source:
    """The rows of one file or frame: where each stands, and its fields by column."""

    name: str
    rows: Sequence[tuple[str, Mapping[str, Any]]]

    @property
    def columns(self) -> list[str]:
        """Name the columns: those of the first row."""
        return list(self.rows[0][1])


@dataclass(frozen=True)
class Roles:
    """Which column is what; `wide` if each target is a series of its own."""

    id: str
    time: str
    target: tuple[str, ...]
    wide: bool


def read_panel(data: Sequence[Path], settings: SeriesSettings, listener: Listener = SILENT) -> Panel:
    """Read all series of some files and folders. Raises DataError that names file, line and mend."""
    sources = [source for path in find_files(data, listener) for source in _sources(path, settings.encoding, listener)]
    return panel_of(sources, settings, listener)


def frame_source(frame: Any) -> Source:
    """Take the rows of a data frame of any library that narwhals knows. Raises DataError if it is none."""
    import narwhals

    try:
        native = narwhals.from_native(frame, eager_only=True)
    except TypeError:
        kind = type(frame).__name__
        raise DataError(f"a {kind} is no data frame", where="frame", mend="give one of pandas or polars") from None
    rows = [(f"frame, row {number}", row) for number, row in enumerate(native.iter_rows(named=True), 1)]
    return Source("frame", rows)


def panel_of(sources: Sequence[Source], settings: SeriesSettings, listener: Listener = SILENT) -> Panel:
    """Make series of rows: found, checked, and filled where that is wanted."""
    found: list[Read] = []
    channels: tuple[str, ...] = ()
    for source in sources:
        if not source.rows:
            raise DataError("there are no rows", where=source.name, mend="give a row for each step")
        roles = find_roles(source, settings, listener)
        channels = ("value",) if roles.wide else roles.target
        found += _series(source, roles, settings, several=len(sources) > 1)
    names = [one.series.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None:
        raise DataError(f"the series {twice!r} is in two files", where=sources[-1].name, mend="put it into one")
    frequency = find_frequency(found, settings)
    series = tuple(checked(one, frequency, settings) for one in found)
    return Panel(series, frequency, channels, settings.known, settings.past, settings.static)


def _sources(path: Path, encoding: str, listener: Listener) -> Iterator[Source]:
    if ending(path) not in ROWS:
        mend = f"give a table, whose name ends in one of {', '.join(ROWS)}"
        raise DataError("this is no table of series", where=str(path), mend=mend)
    if ending(path) == ".csv":
        header = next(lines_of(path, encoding, LONGEST), "")
        if header.endswith(M3_ENDING):
            yield Source(str(path), list(_m3_rows(path, encoding, listener)))
            return
    rows = ROWS[ending(path)](path, encoding, LONGEST, listener)
    yield Source(str(path), [(f"{path}:{line}", row) for line, row in rows])


def _m3_rows(path: Path, encoding: str, listener: Listener) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the rows of a file with one series a line: series, n, horizon, category, start, period, then n values."""
    for number, line in enumerate(islice(lines_of(path, encoding, LONGEST, listener), 1, None), 2):
        fields, where = line.split(","), f"{path}:{number}"
        if not fields[1].isdigit() or len(fields) != M3_COLUMNS + int(fields[1]):
            what = f"the line has {len(fields) - M3_COLUMNS} values, and says {fields[1]}"
            raise DataError(what, where=where, mend="mend the second column")
        for step, value in enumerate(fields[M3_COLUMNS:], 1):
            yield where, {"unique_id": fields[0], "ds": step, "y": value}


def find_roles(source: Source, settings: SeriesSettings, listener: Listener) -> Roles:
    """Tell what each column is: what was said first, then the usual names, then what the values look like."""
    columns = source.columns
    said = (settings.id, settings.time, *settings.target, *settings.known, *settings.past, *settings.static)
    for column in filter(None, said):
        if column not in columns:
            raise DataError(f"there is no column {column!r}", where=source.name, mend=did_you_mean(column, columns))
    first = source.rows[0][1]
    taken = set(filter(None, said))
    free = [column for column in columns if column not in taken]
    time = settings.time or next((name for name in free if name.lower() == "ds"), "") or _time_column(free, first)
    if not time:
        what = f"none of the columns {', '.join(columns)} holds times"
        raise DataError(
            what, where=source.rows[0][0], mend="name it with --time, and write times as 2026-11-21 or as integers"
        )
    free = [column for column in free if column != time]
    words = [column for column in free if _number(first[column]) is None and first[column] not in (None, "")]
    id = settings.id or next((name for name in free if name.lower() == "unique_id"), "")
    if not id and len(words) == 1:
        id = words[0]
        _tell(listener, source, f"the column {id!r} tells series apart", "choose it with --id")
    numbers = [column for column in free if column != id and column not in words]
    target = settings.target or (("y",) if "y" in numbers else tuple(numbers))
    if not target:
        raise DataError("there is no column of numbers", where=source.rows[0][0], mend="name it with --target")
    wide = not settings.target and not id and len(target) > 1
    if not settings.target and id and len(target) > 1:
        mend = f"name them with --target: {', '.join(target)}"
        raise DataError("several columns could be what is to be forecast", where=source.name, mend=mend)
    if wide:
        mend = "name columns with --target to make them numbers of one series"
        _tell(listener, source, f"{len(target)} columns of numbers, read as a series each", mend)
    return Roles(id, time, tuple(target), wide)


def _tell(listener: Listener, source: Source, what: str, mend: str) -> None:
    listener.tell(Finding(source.name, what, mend))


def _time_column(columns: Sequence[str], first: Mapping[str, Any]) -> str:
    """Give the first column that holds dates, or else integers under a name of time."""
    dates = [name for name in columns if isinstance(read_time(first[name]), np.datetime64)]
    integers = [name for name in columns if isinstance(read_time(first[name]), int)]
    named = [name for name in integers if name.lower() in ("time", "step", "t", "date", "year", "index")]
    return (dates or named or [""])[0]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _series(source: Source, roles: Roles, settings: SeriesSettings, *, several: bool) -> Iterator[Read]:
    """Give each series of a file, with where its rows stand."""
    groups: dict[str, list[int]] = {}
    stem = Path(source.name).name.split(".")[0]
    for place, (_, row) in enumerate(source.rows):
        groups.setdefault(str(row[roles.id]) if roles.id else stem, []).append(place)
    for name, places in groups.items():
        rows = [source.rows[place][1] for place in places]
        where = [source.rows[place][0] for place in places]
        times = _times(rows, where, roles.time)
        known = _numbers(rows, where, settings.known, whole=not settings.fill)
        past = _numbers(rows, where, settings.past)
        static = tuple(_static(rows, where, column, name) for column in settings.static)
        sets = [(column,) for column in roles.target] if roles.wide else [roles.target]
        for target in sets:
            values = _numbers(rows, where, target)
            end = len(rows)
            if settings.known:  # rows whose target is empty, at the end, tell what is known of the future
                there = np.flatnonzero(~np.isnan(values).all(1))
                end = int(there[-1]) + 1 if len(there) else 0
            own = (f"{stem}/{target[0]}" if several else target[0]) if roles.wide else name
            series = Series(own, times[:end], values[:end], known, past[:end], static)
            _refuse_odd_future(where, times, end)
            yield Read(series, where)


def _refuse_odd_future(where: Sequence[str], times: np.ndarray, end: int) -> None:
    later = np.diff(times[max(end - 1, 0) :]).astype(np.int64)
    if len(bad := np.flatnonzero(later <= 0)):
        row = max(end - 1, 0) + int(bad[0]) + 1
        raise DataError(f"the time {times[row]} does not come after {times[row - 1]}", where=where[row], mend="sort it")


def _times(rows: Sequence[Mapping[str, Any]], where: Sequence[str], column: str) -> np.ndarray:
    times = [read_time(row[column]) for row in rows]
    kinds = [type(time) for time in times]
    for place, time in enumerate(times):
        if time is None or kinds[place] is not kinds[0]:
            alike = "" if time is None else " like those before"
            what = f"{rows[place][column]!r} in the column {column!r} is no time{alike}"
            raise DataError(what, where=where[place], mend="write times as 2026-11-21, 2026-11, 2026Q4 or integers")
    return np.array(times, "datetime64[s]" if kinds[0] is np.datetime64 else np.int64)


def _numbers(
    rows: Sequence[Mapping[str, Any]], where: Sequence[str], columns: Sequence[str], *, whole: bool = False
) -> np.ndarray:
    """Give the numbers of some columns (rows, columns), NaN where a cell is empty; with `whole`, that is refused."""
    values = np.full((len(rows), len(columns)), np.nan)
    for channel, column in enumerate(columns):
        for place, row in enumerate(rows):
            cell = row[column]
            empty = cell is None or cell == "" or cell != cell or str(cell).strip().lower() in ("nan", "na")
            number = np.nan if empty else _number(cell)
            if number is None or np.isinf(number):
                what = f"{cell!r} in the column {column!r} is no number that can be used"
                raise DataError(what, where=where[place], mend="mend it, or leave the cell empty and give --fill")
            if empty and whole:
                what = f"the column {column!r} is known ahead, and its value is missing"
                raise DataError(what, where=where[place], mend="give it, or name the column with --past instead")
            values[place, channel] = number
    return values


def _static(rows: Sequence[Mapping[str, Any]], where: Sequence[str], column: str, name: str) -> Any:
    first = rows[0][column]
    for place, row in enumerate(rows):
        if row[column] != first:
            what = f"the static column {column!r} is {row[column]!r} here, and {first!r} at first, in {name!r}"
            raise DataError(what, where=where[place], mend="mend it, or name the column with --past or --known")
    number = _number(first)
    return str(first) if number is None or not np.isfinite(number) else number


def refuse_unlike(panel: Panel, other: Panel) -> None:
    """Let a panel pass that has the columns and the frequency of another. Raises SettingError."""
    if len(panel.channels) != len(other.channels):
        what = f"there are {len(other.channels)} numbers to forecast, and the run has learned {len(panel.channels)}"
        raise SettingError(what, mend="give a file like the one that was learned")
    if panel.frequency != other.frequency and other.steps > len(other.series):
        what = f"the steps are of a {other.frequency.name}, and the run has learned those of a {panel.frequency.name}"
        raise SettingError(what, mend="give a file like the one that was learned")
