"""Times as people and spreadsheets write them: a column of cells becomes datetime64[s] or integers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ensue.errors import DataError

WRITTEN = ("%b %Y", "%B %Y", "%b-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y")
"""Dates with the names of months; those of two digits are of 1969 to 2068."""
SPOKEN = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})\b(.*)")
"""Day and month before the year; between dots the day is the first."""
COMPACT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])?")
"""Dates and months without any mark between them."""
MIDNIGHT = re.compile(r"\d{4}-\d\d-\d\d[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)")


def read_time(value: Any, day_first: bool = True, compact: bool = False) -> Any:
    """Read a time: an integer or a date, month or quarter; None if it is none. `compact` has 202611 for a month.

    >>> read_time("1949-02"), read_time("2001Q3"), read_time("17"), read_time("soon")
    (np.datetime64('1949-02-01T00:00:00'), np.datetime64('2001-07-01T00:00:00'), 17, None)
    >>> read_time("31.12.2026"), read_time("12/31/2026", day_first=False)
    (np.datetime64('2026-12-31T00:00:00'), np.datetime64('2026-12-31T00:00:00'))
    """
    if isinstance(value, datetime):
        return _plain(value)
    text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip()
    if compact:
        text = f"{text[:4]}-{text[4:6]}-{text[6:] or '01'}"
    if re.fullmatch(r"[+-]?\d{1,15}", text):
        return int(text)
    if quarter := re.fullmatch(r"(\d{4})-?Q([1-4])", text, re.IGNORECASE):
        text = f"{quarter[1]}-{3 * int(quarter[2]) - 2:02d}"
    if spoken := SPOKEN.fullmatch(text):
        first, mark, second, year, rest = spoken.groups()
        day, month = (first, second) if day_first or mark == "." else (second, first)
        text = f"{year}-{int(month):02d}-{int(day):02d}{rest}"
    if re.fullmatch(r"\d{4}-\d{1,2}", text):
        text = f"{text[:5]}{int(text[5:]):02d}-01"
    with suppress(ValueError, OverflowError):  # the year 1 in another zone may be none
        return _plain(datetime.fromisoformat(text))
    for form in WRITTEN:
        with suppress(ValueError, OverflowError):
            return _plain(datetime.strptime(text, form))
    return None


def _plain(time: datetime) -> np.datetime64:
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(time.replace(microsecond=0) + timedelta(seconds=round(time.microsecond / 1e6)), "s")


def reader_of(cells: Iterable[Any], day_first: bool | None, where: str) -> Callable[[Any], Any]:
    """Give what reads each cell of a column: whether the day comes first is seen in all of them. Raises DataError."""
    texts = [str(cell).strip() for cell in cells]
    if texts and all(map(COMPACT.fullmatch, texts)):
        return lambda cell: read_time(cell, compact=True)
    if texts and all(map(MIDNIGHT.fullmatch, texts)):  # days, wherever they are days
        return lambda cell: read_time(str(cell).strip()[:10])
    spoken = [found for text in texts if (found := SPOKEN.fullmatch(text)) and found[2] != "."]
    if day_first is None and spoken:
        day_first = any(int(one[1]) > 12 for one in spoken)
        if not day_first and not any(int(one[3]) > 12 for one in spoken):
            what, option = (
                f"{spoken[0][0]!r}: does the day come first, or the month?",
                "give --set day_first=true or false",
            )
            raise DataError(what, where=where, mend="write dates as 2026-11-21", option=option)
    return lambda cell: read_time(cell, day_first=day_first is not False)


def read_times(cells: Sequence[Any], where: Sequence[str], column: str, read: Callable[[Any], Any]) -> np.ndarray:
    """Read the times of a series. Raises DataError for a cell that is none, or another kind than those before."""
    times = [read(cell) for cell in cells]
    for place, time in enumerate(times):
        if time is None or type(time) is not type(times[0]):
            alike = "" if time is None else " like those before"
            what = f"{cells[place]!r} in the column {column!r} is no time{alike}"
            raise DataError(what, where=where[place], mend="write times as 2026-11-21, 2026-11, 2026Q4 or integers")
    return np.array(times, "datetime64[s]" if isinstance(times[0], np.datetime64) else np.int64)


def shown(time: Any) -> int | str:
    """Write a time as people do: no hours where it is midnight.

    >>> shown(np.datetime64("2026-11-01T00:00:00")), shown(np.int64(7))
    ('2026-11-01', 7)
    """
    return str(time).removesuffix("T00:00:00").replace("T", " ") if isinstance(time, np.datetime64) else int(time)
