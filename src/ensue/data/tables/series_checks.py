"""Check that the times of series fit a frequency, and fill gaps if requested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ensue.data.contract import Listener
from ensue.data.series.frequency import (
    Frequency,
    Times,
    count_steps,
    infer_frequency,
    read_frequency,
)
from ensue.data.series.panel import Series, SeriesSettings
from ensue.data.tables.times import format_time
from ensue.errors import DataError, SettingError
from ensue.escape import shorten

REPEATED = 3
"""This many successive gaps of about one size are another frequency."""
ALIKE = 1.2
"""Ratio up to which such gaps count as equal: months have 28 to 31 days."""
FILLS = "--fill previous or --fill zero"
SPARSE, ALWAYS = 100, 100_000
"""Limit of the steps of a filled series: SPARSE times its rows, or ALWAYS if that is more."""
NAMED = 5
"""Names that one line lists."""


@dataclass(frozen=True)
class Read:
    """A series as it was read, and the place of each of its rows, as "file:line"."""

    series: Series
    rows: Sequence[str]
    unordered: int = 0
    """Rows that came after a row of a later time; rows are sorted."""
    future: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    """The times of rows after the last step, which hold known covariates alone."""


def cut_to_values(
    found: Sequence[Read], channels: Sequence[str], where: str, listener: Listener, fill: str = ""
) -> list[Read]:
    """Cut each series to the steps from its first value to its last: empty ends are not gaps.

    With several channels, all must have begun and none have ended. With `fill` "previous", the
    covariates must have begun too. Raises DataError if nothing is left.
    """
    cut, none, short = [], [], []
    for one in found:
        values = one.series.values
        filled = [values, *([one.series.past, one.series.known] if fill == "previous" else [])]
        first, end = max(map(_find_begin, filled)), len(values) - _find_begin(values[::-1])
        if first >= end:
            places = np.flatnonzero(np.isnan(values).all(0))
            empty = [f" in {channels[int(channel)]!r}" for channel in places]
            none.append(repr(one.series.name) + (empty[0] if empty and len(channels) > 1 else ""))
        elif (first, end) == (0, len(values)):
            cut.append(one)
        else:
            times = one.series.times
            begin, last = format_time(times[first]), format_time(times[end - 1])
            short.append(f"{one.series.name!r} from {begin} to {last}")
            known = one.series.known.shape[1] > 0
            future = np.concatenate([times[end:], one.future]) if known else times[:0]
            cut.append(Read(_slice(one.series, first, end), one.rows[first:], future=future))
    if not cut:
        hint = "give numbers"
        if found[0].series.known.size:
            hint = "give the rows before them too, at least the last one"
        raise DataError(f"series without any value: {list_names(none)}", where=where, hint=hint)
    if none:
        listener.report(where, f"left out series without any value: {list_names(none)}")
    if short:
        what = "empty steps before the first and after the last value are left out"
        listener.report(where, f"{what}: {list_names(short)}")
    return cut


def _find_begin(values: np.ndarray) -> int:
    """Return the first row at which every column has begun; the row count if a column is empty."""
    there = ~np.isnan(values)
    if not values.shape[1]:
        return 0
    return int(there.argmax(0).max()) if there.any(0).all() else len(values)


def _slice(one: Series, first: int, end: int) -> Series:
    parts = {name: getattr(one, name)[first:end] for name in ("times", "values", "past", "filled")}
    return replace(one, **parts, known=one.known[first : None if one.known.shape[1] else end])


def list_names(names: Sequence[str]) -> str:
    """List the first few names, and count the others.

    >>> list_names(["a", "b"]), list_names(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(shorten, names[:NAMED])) + more


def find_frequency(found: Sequence[Read], settings: SeriesSettings) -> Frequency:
    """Return the frequency of all series: the setting, or the most common one.

    Raises DataError if there are two.
    """
    each = [infer_frequency(one.series.times) for one in found]
    if settings.freq:
        given = read_frequency(settings.freq)
        days = Counter(one.on for one in each if one is not None and one.base == "month")
        monthly = given.base == "month" and days
        return replace(given, on=days.most_common(1)[0][0]) if monthly else given
    known = Counter(one for one in each if one is not None)
    if not known:
        dated = found[0].series.times.dtype.kind == "M"
        return Frequency("second", 86_400) if dated else Frequency("step", 1)
    most = known.most_common(1)[0][0]
    for one, frequency in zip(found, each, strict=True):
        # The frequency of a series with few steps is unreliable: some may be missing.
        if frequency not in (None, most) and len(one.series) > REPEATED:
            raise _two_frequencies(one, one.series.times, len(one.series) - 1, most, frequency)  # type: ignore[arg-type]
    return most


def to_dates(times: Times, frequency: Frequency) -> Times:
    """Convert integers to years if the frequency is yearly. Raises SettingError."""
    if times.dtype.kind == "M":
        if frequency.base == "step":
            what = "the times are dates, not integers"
            raise SettingError(what, where="--freq", hint="give one such as day")
        return times
    if frequency.base == "step":
        return times
    if frequency.name != "year" or times.min() < 1 or times.max() > 9999:
        hint = "give --freq step, or write the times as dates"
        what = f"the times are integers, not {frequency.name}s"
        raise SettingError(what, where="--freq", hint=hint)
    return np.array([f"{year:04d}-01-01" for year in times], "datetime64[s]")


def check_steps(one: Read, frequency: Frequency, settings: SeriesSettings) -> Series:
    """Return a series with valid times, its gaps filled if requested.

    Raises DataError that names the first invalid row.
    """
    series = replace(one.series, times=to_dates(one.series.times, frequency))
    # Rows of the future hold known covariates: their times must follow the frequency too.
    times = series.times
    if len(one.future):
        times = np.concatenate([times, to_dates(one.future, frequency)])
    distances = count_steps(times, frequency)
    for row in np.flatnonzero(distances != 1):
        _refuse(one, times, int(row) + 1, distances, frequency, settings)
    if settings.fill:
        _refuse_far(one, times, distances, frequency)
        series = _fill_gaps(series, distances, frequency, settings.fill)
    else:
        _refuse_missing(one, series)
    return series


def _refuse(
    one: Read,
    times: Times,
    row: int,
    distances: np.ndarray,
    frequency: Frequency,
    settings: SeriesSettings,
) -> None:
    distance = distances[row - 1]
    what = f"{format_time(times[row])} of {one.series.name!r}"
    where = one.rows[row]
    if distance == 0 and times[row] == times[row - 1]:
        hint = "keep one of the rows, or, if clocks went back, write the offset: 02:00+01:00"
        name = None if settings.id else "name an --id"
        raise DataError(f"the time {what} occurs twice", where=where, hint=hint, flag_hint=name)
    if times[row] < times[row - 1]:
        hint = "sort the rows of each series by time"
        flag_hint = None if settings.id else "name the column of series ids with --id"
        what = f"the time {what} comes after {format_time(times[row - 1])}"
        raise DataError(what, where=where, hint=hint, flag_hint=flag_hint)
    following = distances[row - 1 : row - 1 + REPEATED]
    alike = (
        len(following) == REPEATED
        and following.min() > 1
        and following.max() <= ALIKE * following.min()
    )
    if distance != round(distance) or alike:
        raise _two_frequencies(one, times, row, frequency, None)
    if not settings.fill:
        gap = (
            f"a gap of {distance - 1:.0f} step{'s' * bool(distance > 2)} of {frequency.one} "
            f"before {what}"
        )
        raise DataError(gap, where=where, hint="add the rows", flag_hint=f"give {FILLS}")


def _refuse_far(one: Read, times: Times, distances: np.ndarray, frequency: Frequency) -> None:
    """Raise DataError if a filled series would be mostly gaps: then a time is probably wrong."""
    if distances.sum() > max(SPARSE * len(times), ALWAYS):
        row = int(distances.argmax()) + 1
        missing = f"{distances[row - 1] - 1:.0f} steps of {frequency.one}"
        at = f"{format_time(times[row])} of {one.series.name!r}"
        what = f"{missing} are missing before {at}, too many to fill"
        hint = "correct the time, or split the series into several files"
        raise DataError(what, where=one.rows[row], hint=hint)


def _two_frequencies(
    one: Read, times: Times, row: int, frequency: Frequency, other: Frequency | None
) -> DataError:
    found = f"from {format_time(times[row - 1])} to {format_time(times[row])}"
    found = f"a step of {other.one}" if other else found
    what = f"two frequencies: {found} in {one.series.name!r}, but the usual step is {frequency.one}"
    hint = "split the file, or, if irregular steps are intended, number them 1, 2, 3"
    return DataError(what, where=one.rows[row], hint=hint)


def _refuse_missing(one: Read, series: Series) -> None:
    for name, values in (("target", series.values), ("past", series.past)):
        if len(bad := np.argwhere(np.isnan(values))):
            row = bad[0][0]
            at = format_time(series.times[row])
            what = f"the {name} value at {at} of {series.name!r} is missing"
            raise DataError(what, where=one.rows[row], hint="fill it in", flag_hint=FILLS)


def _fill_gaps(series: Series, distances: np.ndarray, frequency: Frequency, how: str) -> Series:
    """Insert the missing steps, as zero or as the previous value."""
    at = np.concatenate([[0], np.cumsum(np.round(distances).astype(np.int64))])
    later = frequency.ahead(series.times[0], int(at[len(series) - 1]))
    times = np.concatenate([series.times[:1], later])

    def insert_gaps(values: np.ndarray) -> np.ndarray:
        places = at[: len(values)]
        whole = np.full((int(places[-1]) + 1, values.shape[1]), np.nan)
        whole[places] = values
        return whole

    def fill(values: np.ndarray) -> np.ndarray:
        whole = insert_gaps(values)
        if how == "zero":
            return np.nan_to_num(whole, nan=0.0)
        rows = np.where(np.isnan(whole), 0, np.arange(len(whole))[:, None])
        last = np.maximum.accumulate(rows, axis=0)
        # `cut_to_values` makes every column begin with a number.
        return np.take_along_axis(whole, last, axis=0)

    filled = np.isnan(insert_gaps(series.values))
    values, past, known = map(fill, (series.values, series.past, series.known))
    return replace(series, times=times, values=values, past=past, known=known, filled=filled)
