"""Series out of tables: long (a row for each step of each series), wide (a column a series), and
M3's lines.

CSV, TSV, JSONL and Parquet are read by `rows.py`; data frames of pandas, polars and others come
through narwhals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import ending, find_files
from ensue.data.readers.lines import lines_of
from ensue.data.series.frequency import read_frequency
from ensue.data.series.joining import after_last_step
from ensue.data.series.panel import Panel, Series, SeriesSettings
from ensue.data.tables.number_format import NumberFormat, holds_numbers, number_formats
from ensue.data.tables.numbers import LARGEST, as_float, as_reported
from ensue.data.tables.rows import (
    ROWS,
    SAMPLED_ROWS,
    WITHOUT_HEADER,
    frame_rows,
    refuse_others,
    refuse_unnamed,
)
from ensue.data.tables.saved_index import saved_index, with_times_named
from ensue.data.tables.series_checks import Read, checked, find_frequency, some, within_values
from ensue.data.tables.series_rows import FEWEST, M3_ENDING, m3_rows, read_rows, row_layout
from ensue.data.tables.times import (
    TimeFormat,
    format_of,
    is_filled,
    read_time,
    read_times,
    shown,
    tells_apart,
    time_column,
)
from ensue.errors import DataError


@dataclass(frozen=True)
class Source:
    """The rows of one file or frame: where each stands, and its fields by column."""

    name: str
    rows: Sequence[tuple[str, Mapping[str, Any]]]
    series: Sequence[Read] = ()
    """Those of a table that has one in each row; then there are no rows of steps."""

    @property
    def steps(self) -> int:
        """Count the rows, or the steps of the series."""
        return len(self.rows) or sum(len(one.series) for one in self.series)

    @property
    def columns(self) -> list[str]:
        """Name the columns: a row of JSON may lack some."""
        return list(dict.fromkeys(name for _, row in self.rows[:SAMPLED_ROWS] for name in row))


@dataclass(frozen=True)
class Roles:
    """Which column is what; `wide` if each target is a series of its own."""

    id: str
    time: str
    target: tuple[str, ...]
    wide: bool
    times: TimeFormat
    numbers: Mapping[str, NumberFormat]
    """How the columns of numbers are written."""

    @property
    def channels(self) -> tuple[str, ...]:
        """What the numbers of a step are called."""
        return ("value",) if self.wide else self.target

    def to_json(self) -> dict[str, Any]:
        """Give as plain JSON values what new rows of the same kind do not tell by themselves."""
        numbers = {name: asdict(form) | {"doubt": ""} for name, form in self.numbers.items()}
        target = [] if self.wide else list(self.target)
        return {
            "id": self.id,
            "time": self.time,
            "target": target,
            "times": asdict(self.times),
            "numbers": numbers,
        }


def read_panel(
    data: Sequence[Path],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> Panel:
    """Read all series of some files and folders, as those of a panel `like` them were. Raises
    DataError."""
    return panel_of(sources_in(data, settings, listener, like), settings, listener, like)


def sources_in(
    data: Sequence[Path],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> list[Source]:
    """Read the rows of some files and folders. Raises DataError."""
    return [
        one
        for path in find_files(data, listener)
        for one in _sources(path, settings, listener, like)
    ]


def frame_source(
    frame: Any, settings: SeriesSettings, listener: Listener = SILENT, like: Panel | None = None
) -> Source:
    """Take the rows of a data frame of any library that narwhals knows. Raises DataError if it
    is none."""
    rows = (
        (f"frame, row {number}", row)
        for number, row in enumerate(frame_rows(frame), 1)
        if _holds(row)
    )
    return _source("frame", rows, settings, listener, like)


def panel_of(
    sources: Sequence[Source],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> Panel:
    """Make series of rows: found, checked, and filled where that is wanted."""
    found, roles = found_in(sources, settings, listener, like.reading if like else {})
    found = after_last_step(found, like) if like is not None else found
    for place, name in enumerate(settings.past_covariates if like is None else ()):
        if all(np.isnan(one.series.past[:, place]).all() for one in found):
            hint = "leave it out, or give its numbers"
            raise DataError(f"the column {name!r} has no value", where=sources[0].name, hint=hint)
    found = within_values(found, roles.channels, sources[0].name, listener, settings.fill)
    frequency = find_frequency(found, settings)
    if like is not None and frequency == like.frequency:
        frequency = (
            like.frequency
        )  # it knows the day of the month that steps are on, which few rows do not tell
    series = tuple(checked(one, frequency, settings) for one in found)
    if gaps := [f"{int(one.filled.sum()):,} of {one.name!r}" for one in series if one.filled.any()]:
        what = (
            f"filled with {'what stood before' if settings.fill == 'previous' else 'zero'}: "
            f"{some(gaps)}"
        )
        listener.on_finding(Finding(sources[0].name, what, "no figure counts them"))
    if beside := _filled_beside(found, series, settings):
        listener.on_finding(
            Finding(sources[0].name, f"filled likewise, beside what is forecast: {some(beside)}")
        )
    columns = (
        roles.channels,
        settings.known_covariates,
        settings.past_covariates,
        settings.static_covariates,
    )
    return Panel(series, frequency, *columns, reading=roles.to_json())


def _filled_beside(
    found: Sequence[Read], series: Sequence[Series], settings: SeriesSettings
) -> list[str]:
    """Count what was filled in the columns beside the target, rows that were missing among it."""
    counts: Counter[str] = Counter()
    for one, whole in zip(found, series, strict=True):
        for columns, name in (
            (settings.known_covariates, "known"),
            (settings.past_covariates, "past"),
        ):
            there = (~np.isnan(getattr(one.series, name))).sum(0)
            counts.update(
                dict(zip(columns, (len(getattr(whole, name)) - there).tolist(), strict=True))
            )
    return [f"{count:,} of {name!r}" for name, count in counts.items() if count]


def found_in(
    sources: Sequence[Source], settings: SeriesSettings, listener: Listener, like: Mapping[str, Any]
) -> tuple[list[Read], Roles]:
    """Give the series as they stand there, their times not looked at yet, and the roles of columns.

    `like` is the `reading` of a panel that they may go on from.
    """
    found: list[Read] = []
    first: Roles | None = None
    for source in sources:
        if source.series:
            found += source.series
            continue
        if not source.rows:
            raise DataError("there are no rows", where=source.name, hint="give a row for each step")
        roles = find_roles(source, settings, listener, like)
        first = first or roles
        read = list(_series(source, roles, settings, several=len(sources) > 1))
        if (moved := sum(one.unordered > 0 for one in read)) > 0:
            what = f"the rows of {moved:,} series were not in order of time, and were sorted"
            listener.on_finding(Finding(source.name, what))
        found += read
    names = [one.series.name for one in found]
    if (
        twice := next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    ):
        where = "in two files" if len(sources) > 1 else "there twice"
        hint = (
            "put it into one"
            if len(sources) > 1
            else "give each row a name of its own, or choose it with --id"
        )
        raise DataError(f"the series {twice!r} is {where}", where=sources[-1].name, hint=hint)
    return found, first or Roles("", "", ("value",), False, TimeFormat(), {})


def _sources(
    path: Path, settings: SeriesSettings, listener: Listener, like: Panel | None
) -> Iterator[Source]:
    refuse_others([path], ROWS)
    encoding = settings.encoding
    if ending(path) == ".csv":
        header = next(lines_of(path, encoding), "")
        if header.endswith(M3_ENDING):
            yield Source(str(path), list(m3_rows(path, encoding, listener)))
            return
    # Spreadsheets leave rows of empty cells behind.
    read = ROWS[ending(path)](path, encoding, None, listener)
    yield _source(
        str(path),
        ((f"{path}:{line}", row) for line, row in read if _holds(row)),
        settings,
        listener,
        like,
    )


def _holds(row: Mapping[str, Any]) -> bool:
    return any(map(is_filled, row.values()))


def _source(
    name: str,
    rows: Iterator[tuple[str, Mapping[str, Any]]],
    settings: SeriesSettings,
    listener: Listener,
    like: Panel | None,
) -> Source:
    """Keep the rows of a table, or the series of one that has one in each; that may be as large
    as its file."""
    rows = with_times_named(rows)
    sample = list(islice(rows, SAMPLED_ROWS))
    columns = list(sample[0][1]) if sample else []
    # A few new steps are known for what they are where those that were learned stood in rows.
    fewest = 1 if like is not None and not like.reading.get("time", "ds") else FEWEST
    layout = row_layout(columns, [row for _, row in sample], fewest)
    said = (settings.time, *settings.target, *settings.known_covariates, *settings.past_covariates)
    if layout is None or any(said):
        return Source(name, [*sample, *rows])
    refuse_unnamed((settings.id, *settings.static_covariates), layout.names, name)
    return Source(name, (), list(read_rows(chain(sample, rows), layout, settings, listener)))


def find_roles(
    source: Source,
    settings: SeriesSettings,
    listener: Listener,
    like: Mapping[str, Any] = MappingProxyType({}),
) -> Roles:
    """Tell what each column is: what was said first, then what was learned, the usual names, and
    the values."""
    columns = source.columns
    said = (
        settings.id,
        settings.time,
        *settings.target,
        *settings.known_covariates,
        *settings.past_covariates,
        *settings.static_covariates,
    )
    _refuse_names(source, settings, said)
    learned = {role: like[role] for role in ("id", "time") if like.get(role) in columns}
    target = settings.target or tuple(like.get("target", ()))
    target = target if set(target) <= set(columns) else ()
    sample = [row for _, row in source.rows[:SAMPLED_ROWS]]
    free = [column for column in columns if not column or column not in said]
    index = saved_index(free, [row for _, row in source.rows])
    others = [column for column in free if column not in index]
    time = (
        settings.time
        or learned.get("time")
        or next((name for name in free if name.lower() == "ds"), "")
    )
    # Rows that are numbered are steps, if nothing else tells the time.
    time = time or time_column(others, sample) or next(iter(index), None)
    if time is None:
        what = f"none of the columns {some(columns)} holds times"
        hint = "add one: dates as 2026-11-21, or 1, 2, 3"
        raise DataError(what, where=source.rows[0][0], hint=hint, flag_hint="name it with --time")
    times = _times(source, time, settings, listener, like)
    free = [column for column in others if column != time]
    if saved := [repr(name) if name else "without a name" for name in index if name != time]:
        what = f"the column {saved[0]} numbers the rows, as a saved index does, and is left out"
        _report(listener, source, what, "choose columns with --target")
    cells = {
        name: [row.get(name) for _, row in source.rows]
        for name in (*free, *settings.target, *settings.known_covariates)
    }
    cells |= {
        name: [row.get(name) for _, row in source.rows]
        for name in (*settings.past_covariates, *settings.static_covariates)
    }
    before = {name: NumberFormat(**form) for name, form in like.get("numbers", {}).items()}
    numbers = number_formats(cells, settings.decimal, before)
    words = [one for one in free if not holds_numbers(cells[one][:SAMPLED_ROWS], numbers[one])]
    id = (
        settings.id
        or learned.get("id")
        or next((name for name in free if name.lower() == "unique_id"), "")
    )
    names = [
        one for one in words if tells_apart(cells[one], [row.get(time) for _, row in source.rows])
    ]
    if not id and len(names) == 1 and len(free) > 1:
        id = names[0]
        _report(listener, source, f"the column {id!r} tells series apart", "choose it with --id")
    candidates = [column for column in free if column != id and column not in words]
    target = target or (("y",) if "y" in candidates else tuple(candidates))
    if not target:
        like_none = [
            f"{as_reported(_first(cells[column]))} in the column {column!r} is none"
            for column in words
        ]
        what = ": ".join(["there is no column of numbers", *like_none[:1]])
        raise DataError(
            what, where=source.rows[0][0], hint="add one", flag_hint="name it with --target"
        )
    wide = not settings.target and not id and len(target) > 1
    if not settings.target and id and len(target) > 1:
        hint = f"name them with --target: {some(target)}"
        raise DataError(
            "several columns could be what is to be forecast", where=source.name, hint=hint
        )
    if wide:
        hint = "name columns with --target to make them numbers of one series"
        _report(listener, source, f"{len(target)} columns of numbers, read as a series each", hint)
    if not settings.target and (
        unused := [repr(name) for name in free if name not in (id, *target)]
    ):
        hint = (
            "name columns with --known-covariates, --past-covariates or --static-covariates "
            "to learn from them, or with --target to forecast them"
        )
        _report(
            listener, source, f"left out: the column{'s' * (len(unused) > 1)} {some(unused)}", hint
        )
    used = {
        name: numbers[name]
        for name in (
            *target,
            *settings.known_covariates,
            *settings.past_covariates,
            *settings.static_covariates,
        )
    }
    _look_at_numbers(source, settings, cells, used, listener)
    return Roles(id, time, tuple(target), wide, times, used)


def _look_at_numbers(
    source: Source,
    settings: SeriesSettings,
    cells: Mapping[str, Sequence[Any]],
    used: Mapping[str, NumberFormat],
    listener: Listener,
) -> None:
    """Refuse columns of words that are to be numbers, and tell where it is doubtful how numbers
    are written."""
    for name in (*settings.target, *settings.known_covariates, *settings.past_covariates):
        if not holds_numbers(cells[name][:SAMPLED_ROWS], used[name]):
            what = f"the column {name!r} holds no numbers, but {as_reported(_first(cells[name]))}"
            raise DataError(
                what, where=source.rows[0][0], hint="write numbers, such as 1 and 0 for yes and no"
            )
    for name, form in used.items():
        if form.doubt:
            hint = f"if that is wrong, give --set data.decimal={form.other}"
            _report(listener, source, f"in the column {name!r} {form.doubt}", hint)


def _refuse_names(source: Source, settings: SeriesSettings, said: Sequence[str]) -> None:
    """Let a table pass whose columns have names, those that were said among them, and each for
    one use."""
    columns = source.columns
    data = all(read_time(column) is not None or as_float(column) is not None for column in columns)
    if (
        data and ending(Path(source.name)) in WITHOUT_HEADER
    ):  # elsewhere names are names, even those that pandas counts
        what = f"the first row holds {', '.join(columns[:3])}, which are no names of columns"
        raise DataError(
            what, where=source.name, hint="begin the table with a row of names, such as ds,y"
        )
    refuse_unnamed(said, columns, source.name)
    counts = Counter(
        (settings.time, *settings.target, *settings.known_covariates, *settings.past_covariates)
    )
    if twice := next((name for name, times in counts.items() if name and times > 1), None):
        hint = "name it once: with --time, --target, --known-covariates or --past-covariates"
        raise DataError(f"the column {twice!r} is named twice", where=source.name, hint=hint)


def _times(
    source: Source, time: str, settings: SeriesSettings, listener: Listener, like: Mapping[str, Any]
) -> TimeFormat:
    """See how the times are written, and tell what they were taken for."""
    freq = read_frequency(settings.freq) if settings.freq else None
    before = TimeFormat(**like["times"]) if like.get("time") else None
    cells, where = [row.get(time) for _, row in source.rows], [line for line, _ in source.rows]
    times = format_of(cells, settings.day_first, where, before, freq, time)
    if times.unix:
        what = f"the integers in {time!r} are read as {times.unit} since 1970, in UTC"
        listener.on_finding(Finding(source.name, what))
    elif times.excel:
        what = (
            f"the integers in {time!r} are read as days of a spreadsheet, from "
            f"{shown(times.read(cells[0]))} on"
        )
        _report(listener, source, what, "if they only count, give --freq step")
    elif times.local:
        what = (
            f"the times in {time!r} are midnights of a place whose clocks are put forward "
            f"and back, and read as days"
        )
        listener.on_finding(Finding(source.name, what))
    elif not times.midnight and any(OFFSET.search(str(cell)) for cell in cells[:SAMPLED_ROWS]):
        _report(listener, source, f"the times in {time!r} have an offset", "they are told in UTC")
    return times


OFFSET = re.compile(r"(T\d{4,6}|:\d\d(\.\d+)?)\s?(Z|UTC|[+-]\d\d:?\d\d)$")


def _first(cells: Sequence[Any]) -> Any:
    return next(filter(is_filled, cells), None)


def _report(listener: Listener, source: Source, what: str, hint: str) -> None:
    listener.on_finding(Finding(source.name, what, hint))


def _series(
    source: Source, roles: Roles, settings: SeriesSettings, *, several: bool
) -> Iterator[Read]:
    """Give each series of a file, with where its rows stand."""
    groups: dict[str, list[int]] = {}
    stem = Path(source.name).name.split(".")[0]
    for place, (line, row) in enumerate(source.rows):
        if roles.id and not is_filled(row.get(roles.id)):
            hint = "say to which series it belongs"
            raise DataError(f"column {roles.id!r} is empty in this row", where=line, hint=hint)
        groups.setdefault(str(row[roles.id]) if roles.id else stem, []).append(place)
    for name, places in groups.items():
        rows = [source.rows[place][1] for place in places]
        where = [source.rows[place][0] for place in places]
        times = read_times([row.get(roles.time) for row in rows], where, roles.time, roles.times)
        if unordered := int((np.diff(times).astype(np.int64) < 0).sum()):
            order = np.argsort(times, kind="stable")
            times, rows, where = (
                times[order],
                [rows[row] for row in order],
                [where[row] for row in order],
            )
        known = _numbers(
            rows, where, settings.known_covariates, roles.numbers, whole=not settings.fill
        )
        past = _numbers(rows, where, settings.past_covariates, roles.numbers)
        static = tuple(
            _static(rows, where, column, roles.numbers[column], name)
            for column in settings.static_covariates
        )
        sets = [(column,) for column in roles.target] if roles.wide else [roles.target]
        for target in sets:
            values = _numbers(rows, where, target, roles.numbers)
            end = len(rows)
            if (
                settings.known_covariates
            ):  # rows whose target is empty, at the end, tell what is known of the future
                there = np.flatnonzero(~np.isnan(values).all(1))
                end = int(there[-1]) + 1 if len(there) else 0
            own = (f"{stem}/{target[0]}" if several else target[0]) if roles.wide else name
            series = Series(own, times[:end], values[:end], known, past[:end], static)
            yield Read(series, where, unordered, times[end:])


def _numbers(
    rows: Sequence[Mapping[str, Any]],
    where: Sequence[str],
    columns: Sequence[str],
    forms: Mapping[str, NumberFormat],
    *,
    whole: bool = False,
) -> np.ndarray:
    """Give the numbers of some columns (rows, columns), NaN where a cell is empty; with `whole`,
    that is refused."""
    values = np.full((len(rows), len(columns)), np.nan)
    for channel, column in enumerate(columns):
        form = forms[column]
        for place, row in enumerate(rows):
            cell = row.get(column)
            empty = not is_filled(cell)
            number = np.nan if empty else form.read(cell)
            if number is None or abs(number) > LARGEST:
                what = f"{as_reported(cell)} in the column {column!r} is no number that can be used"
                raise DataError(
                    what,
                    where=where[place],
                    hint="mend it",
                    flag_hint="leave the cell empty and give --fill",
                )
            if empty and whole:
                what = f"the column {column!r} is known ahead, and its value is missing"
                raise DataError(
                    what,
                    where=where[place],
                    hint="give it",
                    flag_hint="name the column with --past-covariates instead",
                )
            values[place, channel] = number
    return values


def _static(
    rows: Sequence[Mapping[str, Any]],
    where: Sequence[str],
    column: str,
    form: NumberFormat,
    name: str,
) -> Any:
    first = rows[0].get(column)
    for place, row in enumerate(rows):
        if row.get(column) != first:
            what = (
                f"the static column {column!r} is {as_reported(row.get(column))} here, and "
                f"{as_reported(first)} at first"
            )
            what += f", in {name!r}"
            raise DataError(
                what,
                where=where[place],
                hint="mend it",
                flag_hint="name the column with --past-covariates or --known-covariates",
            )
    number = form.read(first)
    return str(first) if number is None or not np.isfinite(number) else number
