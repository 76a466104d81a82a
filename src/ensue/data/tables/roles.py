"""Which column of a table of series is the id, the time, the target or a covariate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ensue.data.contract import Listener
from ensue.data.series.frequency import read_frequency
from ensue.data.series.panel import SeriesSettings
from ensue.data.tables.number_format import NumberFormat, find_number_formats, holds_numbers
from ensue.data.tables.numbers import format_cell
from ensue.data.tables.rows import SAMPLED_ROWS, check_columns, refuse_data_as_header
from ensue.data.tables.series_checks import list_names
from ensue.data.tables.sources import Source
from ensue.data.tables.time_columns import find_saved_index, find_time_column, may_be_ids
from ensue.data.tables.times import TimeFormat, find_time_format, format_time, is_filled
from ensue.errors import DataError

USUAL_IDS = ("series_id", "item_id", "id")
"""Further names of columns of ids, if their values repeat."""
OFFSET = re.compile(r"(T\d{4,6}|:\d\d(\.\d+)?)\s?(Z|UTC|[+-]\d\d:?\d\d)$")
"""The offset from UTC at the end of a time."""


@dataclass(frozen=True)
class Roles:
    """The role of each column of a table; `wide` if each target column is a series of its own."""

    id: str
    time: str
    target: tuple[str, ...]
    wide: bool
    times: TimeFormat
    numbers: Mapping[str, NumberFormat]
    """The number format of each column of numbers."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels of each step."""
        return ("value",) if self.wide else self.target

    def to_json(self) -> dict[str, Any]:
        """Return the roles and formats as plain JSON values, to read later rows in the same way."""
        numbers = {name: asdict(form) | {"ambiguity": ""} for name, form in self.numbers.items()}
        target = [] if self.wide else list(self.target)
        return {
            "id": self.id,
            "time": self.time,
            "target": target,
            "times": asdict(self.times),
            "numbers": numbers,
        }


def find_roles(
    source: Source, settings: SeriesSettings, listener: Listener, like: Mapping[str, Any]
) -> Roles:
    """Find the role of each column.

    Settings come first, then the roles of a panel `like` this one, usual names, and the values.
    Raises DataError where a role is missing or ambiguous.
    """
    columns = source.columns
    covariates = (
        *settings.known_covariates,
        *settings.past_covariates,
        *settings.static_covariates,
    )
    given = (settings.id, settings.time, *settings.target, *covariates)
    _check_names(source, settings, given)
    fitted = {role: like[role] for role in ("id", "time") if like.get(role) in columns}
    free = [column for column in columns if not column or column not in given]
    index = find_saved_index({name: source.cells[name] for name in free})
    others = [column for column in free if column not in index]
    time = settings.time or fitted.get("time") or _find_time(source, free, others, index)
    times = _find_time_format(source, time, settings, listener, like)
    free = [column for column in others if column != time]
    if saved := [repr(name) if name else "without a name" for name in index if name != time]:
        what = f"the column {saved[0]} numbers the rows like a saved index, and is left out"
        hint = None if settings.target else "choose columns with --target"
        listener.report(source.name, what, hint)
    cells = {name: source.cells[name] for name in (*free, *settings.target, *covariates)}
    before = {name: NumberFormat(**form) for name, form in like.get("numbers", {}).items()}
    numbers = find_number_formats(cells, settings.decimal, before)
    words = [one for one in free if not holds_numbers(cells[one][:SAMPLED_ROWS], numbers[one])]
    id = settings.id or fitted.get("id") or _find_id(source, free, words, time, listener)
    target = settings.target or tuple(like.get("target", ()))
    target = target if set(target) <= set(columns) else ()
    target = target or _find_target(source, free, words, id)
    wide = not settings.target and not id and len(target) > 1
    if not settings.target:
        _report_target(source, target, free, id, listener)
    used = {name: numbers[name] for name in (*target, *covariates)}
    _check_numbers(source, settings, used, listener)
    return Roles(id, time, tuple(target), wide, times, used)


def _find_time(
    source: Source, free: Sequence[str], others: Sequence[str], index: Sequence[str]
) -> str:
    """Find the column of times by its name or its values. Raises DataError if there is none."""
    if named := next((name for name in free if name.lower() == "ds"), ""):
        return named
    # Without any other column of times, the numbers of the rows are the steps.
    sample = {name: source.cells[name][:SAMPLED_ROWS] for name in others}
    time = find_time_column(sample) or next(iter(index), None)
    if time is None:
        what = f"none of the columns {list_names(source.columns)} holds times"
        hint = "add one: dates as 2026-11-21, or 1, 2, 3"
        raise DataError(what, where=source.places[0], hint=hint, flag_hint="name it with --time")
    return time


def _find_id(
    source: Source, free: Sequence[str], words: Sequence[str], time: str, listener: Listener
) -> str:
    """Find the column of ids by its name or its values; "" if there is none."""
    if named := next((name for name in free if name.lower() == "unique_id"), ""):
        return named
    times = source.cells[time]
    # A column of numbers is known by its name, unless it numbers the rows.
    ids = [name for name in free if name.lower() in USUAL_IDS and _repeats(source.cells[name])]
    ids = [one for one in ids if may_be_ids(source.cells[one], times)][:1]
    ids = ids or [one for one in words if may_be_ids(source.cells[one], times)]
    if len(ids) != 1 or len(free) == 1:
        return ""
    what = f"the column {ids[0]!r} is used as the id of the series"
    listener.report(source.name, what, "choose it with --id")
    return ids[0]


def _repeats(cells: Sequence[Any]) -> bool:
    return len(set(map(str, cells))) < len(cells)


def _find_target(
    source: Source, free: Sequence[str], words: Sequence[str], id: str
) -> tuple[str, ...]:
    """Find the columns to forecast: `y`, or all columns of numbers. Raises DataError if none."""
    candidates = [column for column in free if column != id and column not in words]
    if "y" in candidates:
        return ("y",)
    if not candidates:
        examples = [
            f"{format_cell(_first(source.cells[column]))} in the column {column!r} is not a number"
            for column in words
        ]
        what = ": ".join(["there is no column of numbers", *examples[:1]])
        where = source.places[0]
        raise DataError(what, where=where, hint="add one", flag_hint="name it with --target")
    return tuple(candidates)


def _report_target(
    source: Source, target: Sequence[str], free: Sequence[str], id: str, listener: Listener
) -> None:
    """Report which columns are targets and which are unused. Raises DataError if ambiguous."""
    if id and len(target) > 1:
        hint = f"name them with --target: {list_names(target)}"
        raise DataError("several columns could be the target", where=source.name, hint=hint)
    if len(target) > 1:
        hint = "to read them as channels of one series, name them with --target"
        what = f"{len(target)} columns of numbers, each read as a series"
        listener.report(source.name, what, hint)
    if unused := [repr(name) for name in free if name not in (id, *target)]:
        hint = (
            "to use columns as inputs, name them with --known-covariates, --past-covariates or "
            "--static-covariates; to forecast them, with --target"
        )
        what = f"unused column{'s' * (len(unused) > 1)}: {list_names(unused)}"
        listener.report(source.name, what, hint)


def _check_numbers(
    source: Source, settings: SeriesSettings, used: Mapping[str, NumberFormat], listener: Listener
) -> None:
    """Report ambiguous number formats. Raises DataError for words where numbers are needed."""
    for name in (*settings.target, *settings.known_covariates, *settings.past_covariates):
        if not holds_numbers(source.cells[name][:SAMPLED_ROWS], used[name]):
            cell = format_cell(_first(source.cells[name]))
            what = f"the column {name!r} holds no numbers, but {cell}"
            where = source.places[0]
            raise DataError(what, where=where, hint="write numbers, such as 1 and 0 for yes and no")
    for name, form in used.items():
        if form.ambiguity:
            hint = f"if that is wrong, give --set data.decimal={form.other}"
            listener.report(source.name, f"in the column {name!r} {form.ambiguity}", hint)


def _check_names(source: Source, settings: SeriesSettings, given: Sequence[str]) -> None:
    """Raise DataError for a table without a header, and for a name that is absent or repeated."""
    first = {name: own[:SAMPLED_ROWS] for name, own in source.cells.items()}
    refuse_data_as_header(source.name, first, given, "ds,y")
    check_columns(given, source.columns, source.name)
    counts = Counter(
        (settings.time, *settings.target, *settings.known_covariates, *settings.past_covariates)
    )
    if twice := next((name for name, times in counts.items() if name and times > 1), None):
        hint = "name it once: with --time, --target, --known-covariates or --past-covariates"
        raise DataError(f"the column {twice!r} is named twice", where=source.name, hint=hint)


def _find_time_format(
    source: Source, time: str, settings: SeriesSettings, listener: Listener, like: Mapping[str, Any]
) -> TimeFormat:
    """Find how the times are written, and report what was assumed about them."""
    freq = read_frequency(settings.freq) if settings.freq else None
    before = TimeFormat(**like["times"]) if like.get("time") else None
    cells = source.cells[time]
    times = find_time_format(cells, settings.day_first, source.places, before, freq, time)
    what, hint = "", None
    if times.unix:
        what = f"the integers in {time!r} are read as {times.unit} since 1970, in UTC"
    elif times.excel:
        first = format_time(times.read(cells[0]))
        what = f"the integers in {time!r} are read as days of a spreadsheet, starting on {first}"
        hint = "if they are only counters, give --freq step"
    elif times.local:
        what = (
            f"the times in {time!r} are midnights of a local time with daylight saving, and are "
            f"read as days"
        )
    elif not times.midnight and any(OFFSET.search(str(cell)) for cell in cells[:SAMPLED_ROWS]):
        what = f"the times in {time!r} have an offset, and are converted to UTC"
    if what:
        listener.report(source.name, what, hint)
    return times


def _first(cells: Sequence[Any]) -> Any:
    return next(filter(is_filled, cells), None)
