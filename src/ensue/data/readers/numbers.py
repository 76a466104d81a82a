"""Numbers and times as they stand in files."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from math import isfinite, nan
from typing import Any

from ensue.errors import DataError

DAY = 86_400
"""Seconds."""


def number(value: Any, place: str, where: str, missing: str = "leave the cell empty") -> float:
    """Read a number, NaN where nothing stands. Raises DataError for text, NaN and infinity.

    >>> number(" 1e3", "column 'flux'", "a.csv:2"), number("", "column 'flux'", "a.csv:3")
    (1000.0, nan)
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return nan
    try:
        found = float(value)
    except (TypeError, ValueError):
        what = "is no number"
    else:
        if isfinite(found):
            return found
        what = "is not finite"
    mend = f"mend it, or {missing} where nothing was measured"
    raise DataError(f"{str(value)[:40]!r} in {place} {what}", where=where, mend=mend)


def moment(value: Any, place: str, where: str) -> float:
    """Read a time: a number of any unit, or a date as ISO 8601, with time of day or without, in days since 1970.

    Raises DataError for all else, and where nothing stands.

    >>> moment("1970-01-02 12:00", "column 'time'", "a.csv:2")
    1.5
    """
    if isinstance(value, str) and "-" in value.strip()[1:]:
        with suppress(ValueError):  # it may be a number such as 1e-3
            value = datetime.fromisoformat(value.strip())
    if isinstance(value, date):
        at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() / DAY
    found = number(value, place, where)
    if found != found:
        raise DataError(f"{place} has no time in this row", where=where, mend="give each row its time")
    return found
