"""Numbers and times as they are written in files."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from math import inf, isfinite, nan
from typing import Any

from ensue.errors import DataError
from ensue.escape import shorten

LARGEST = 1e100
"""The largest number accepted: sums of squares of larger ones overflow to infinity."""
LARGER_UNIT = "write the column in a larger unit, for example divided by 1e50"
MAX_REPORTED = 60
"""Characters of a cell that a message shows."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_count(text: str) -> int | None:
    """Parse a count of up to 15 ASCII digits; None if the text is not one.

    >>> read_count("12"), read_count("²"), read_count("-1"), read_count("9" * 5000)
    (12, None, None, None)
    """
    # str.isdigit accepts "²", which int() does not; int() refuses more than 4,300 digits.
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else None


def as_float(value: Any) -> float | None:
    """Parse a number as Python does, infinite if too large for a float; None if it is not one.

    >>> as_float("1e3"), as_float(10**401), as_float("soon"), as_float(None)
    (1000.0, inf, None, None)
    """
    try:
        return float(value)
    except OverflowError:  # of an integer
        return inf if value > 0 else -inf
    except (TypeError, ValueError):
        return None


def format_cell(cell: Any) -> str:
    """Format a cell for a message, cut if it is long.

    >>> format_cell("1,5"), format_cell(None), len(format_cell("9" * 401))
    ("'1,5'", 'empty', 60)
    """
    return "empty" if cell is None else shorten(repr(cell), MAX_REPORTED)


def read_number(value: Any, place: str, where: str, missing: str = "leave the cell empty") -> float:
    """Parse a number, NaN for an empty cell.

    Raises DataError for text, NaN and numbers above LARGEST.

    >>> read_number(" 1e3", "column 'flux'", "a.csv:2"), read_number("", "column 'flux'", "a.csv:3")
    (1000.0, nan)
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return nan
    found = as_float(value)
    if found is not None and abs(found) <= LARGEST:
        return found
    what = "is not a number" if found is None else "is not finite"
    hint = f"correct it, or {missing} if nothing was measured"
    if found is not None and isfinite(found):
        what, hint = "is too large", LARGER_UNIT
    raise DataError(f"{str(value)[:40]!r} in {place} {what}", where=where, hint=hint)


def series_number_error(cell: Any, column: str, where: str, value: float | None) -> DataError:
    """Return the error for a cell of a series that was read as `value`, None for text."""
    large = value is not None and isfinite(value)
    what = f"too large: numbers go up to {LARGEST:g}" if large else "not a valid number"
    what = f"{format_cell(cell)} in the column {column!r} is {what}"
    hint, flag_hint = "correct it", "leave the cell empty and give --fill"
    if large:
        hint, flag_hint = LARGER_UNIT, None
    return DataError(what, where=where, hint=hint, flag_hint=flag_hint)


def read_moment(value: Any, place: str, where: str) -> float:
    """Parse a time: a number in any unit, or an ISO 8601 date or time, in days since 1970.

    Raises DataError for anything else, and for an empty cell.

    >>> read_moment("1970-01-02 12:00", "column 'time'", "a.csv:2")
    1.5
    """
    if isinstance(value, str) and "-" in value.strip()[1:]:
        with suppress(ValueError):  # it may be a number such as 1e-3
            value = datetime.fromisoformat(value.strip())
    if isinstance(value, date):
        at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) / timedelta(days=1)
    if isinstance(value, str) and value.strip() and as_float(value) is None:
        hint = "write a number, or a date as 2026-11-21 or 2026-11-21T12:30"
        raise DataError(f"{value[:40]!r} in {place} is not a time", where=where, hint=hint)
    found = read_number(value, place, where)
    if found != found:
        what = f"{place} has no time in this row"
        raise DataError(what, where=where, hint="give each row a time")
    return found
