"""Frequency of a series: the calendar-aware distance between steps.

A step is a number of whole months, of seconds, of workdays, or of plain integers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ensue.errors import SettingError

Times: TypeAlias = "NDArray[Any]"
"""(steps,), datetime64[s] or int64."""

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
NAMES: dict[tuple[str, int], str] = {
    ("month", 12): "year",
    ("month", 3): "quarter",
    ("month", 1): "month",
    ("second", WEEK): "week",
    ("second", DAY): "day",
    ("second", HOUR): "hour",
    ("second", MINUTE): "minute",
    ("second", 1): "second",
    ("workday", 1): "workday",
    ("step", 1): "step",
}
ALIASES = {"y": "year", "a": "year", "q": "quarter", "m": "month", "ms": "month", "me": "month"}
ALIASES |= {"w": "week", "d": "day", "b": "workday", "h": "hour"}
ALIASES |= {"min": "minute", "t": "minute", "s": "second"}
WORKDAY, MOSTLY = -1, 0.75
EACH = 6
"""Months with exactly one time each from which on steps are months, whatever their days."""
SEASONS = {"quarter": 4, "month": 12, "week": 52, "day": 7, "workday": 5, "hour": 24}


@dataclass(frozen=True)
class Frequency:
    """The distance from one step to the next: `every` times the unit `base`.

    A workday is a day from Monday to Friday; a step is a unit of plain integers.

    >>> Frequency("month", 3).name, Frequency("second", 900).name, Frequency("second", 900).season
    ('quarter', '15 minutes', 96)
    """

    base: Literal["month", "second", "workday", "step"]
    every: int
    on: int = field(default=0, compare=False)
    """Day of the month of each step; WORKDAY for the last workday, 0 if it varies."""

    @property
    def name(self) -> str:
        """The name of the frequency, as `--freq` accepts it."""
        if (self.base, self.every) in NAMES:
            return NAMES[self.base, self.every]
        if self.base != "second":
            return f"{self.every} {self.base}s"
        unit = next(size for size in (DAY, HOUR, MINUTE, 1) if self.every % size == 0)
        return f"{self.every // unit} {NAMES['second', unit]}s"

    @property
    def one(self) -> str:
        """One step in words: "an hour", "15 minutes"."""
        if self.name[0].isdigit():
            return self.name
        return f"{'an' if self.name == 'hour' else 'a'} {self.name}"

    @property
    def season(self) -> int:
        """The usual season length: a year of months, a week of days, a day of hours; else 1."""
        if self.base == "second" and self.every < DAY and DAY % self.every == 0:
            return DAY // self.every if self.every >= MINUTE else 1
        return SEASONS.get(self.name, 1)

    def ahead(self, last: Any, steps: int) -> Times:
        """Return the times of the steps after `last`; in shorter months, the last day.

        >>> Frequency("month", 1).ahead(np.datetime64("2024-01-31T00:00:00"),
        ...     2).astype("datetime64[D]").tolist()
        [datetime.date(2024, 2, 29), datetime.date(2024, 3, 31)]
        """
        counts = np.arange(1, steps + 1) * self.every
        if self.base == "step":
            return np.int64(last) + counts
        if self.base == "second":
            return np.datetime64(last, "s") + counts
        time = np.datetime64(last, "s")
        of_day = time - time.astype("datetime64[D]")
        if self.base == "workday":
            days = np.busday_offset(time.astype("datetime64[D]"), counts, roll="backward")
            return days.astype("datetime64[s]") + of_day
        months = time.astype("datetime64[M]") + counts
        if self.on == WORKDAY:
            return _find_last_workdays(months) + of_day
        own = np.array([time])
        day = self.on or (31 if _ends_month(own)[0] else _get_day(own)[0])
        first = months.astype("datetime64[D]")
        return first + (np.minimum(day, _count_days(months)) - 1) + of_day


def read_frequency(name: str) -> Frequency:
    """Parse the value of `--freq`. Raises SettingError.

    >>> read_frequency("15min") == read_frequency("15 minutes") == Frequency("second", 900)
    True
    """
    found = re.fullmatch(r"([0-9]{0,6})\s*([a-z]+?)(?:s)?", name.strip().lower())
    unit = ALIASES.get(found[2], found[2]) if found else ""
    if found and unit in (known := {value: key for key, value in NAMES.items()}):
        base, every = known[unit]
        return Frequency(base, every * int(found[1] or 1))  # type: ignore[arg-type]
    hint = "give one such as year, quarter, month, week, day, workday, hour, '15 minutes' or step"
    raise SettingError(f"{name!r} is not a frequency", where="--freq", hint=hint)


def infer_frequency(times: Times) -> Frequency | None:
    """Return the most common frequency of a series; None if it has too few steps."""
    if len(times) < 2:
        return None
    if times.dtype.kind != "M":
        return _find_most_common("step", np.diff(times))
    months = np.diff(times.astype("datetime64[M]").astype(np.int64))
    on = 0 if (on := _find_day(times)) is None and _is_monthly(times, months) else on
    if on is not None and np.median(months) >= 1:
        most = _find_most_common("month", months)
        return None if most is None else replace(most, on=on)
    found = _find_most_common("second", np.diff(times).astype(np.int64))
    days = times.astype("datetime64[D]")
    # Without a weekend in between, the steps may be days as well.
    if (
        found == Frequency("second", DAY)
        and np.is_busday(days).all()
        and days[-1] - days[0] >= np.busday_count(days[0], days[-1]) + 2
    ):
        return Frequency("workday", 1)
    return found


def _find_day(times: Times) -> int | None:
    """Return the day of the month that all times share; None if their steps are not months.

    >>> _find_day(np.array(["2015-01-30", "2015-02-28", "2015-03-30"], "datetime64[s]"))
    30
    """
    of_day = times - times.astype("datetime64[D]")
    if not (of_day == of_day[0]).all():
        return None
    days = _get_day(times)
    if _ends_month(times).all():
        return 31
    if (np.minimum(days.max(), _count_days(times)) == days).all():
        return int(days.max())
    last = _find_last_workdays(times.astype("datetime64[M]"))
    early = (last - times.astype("datetime64[D]")).astype(np.int64) // DAY
    # If the last workday is a holiday, the series has the one before it.
    near = early.min() >= 0 and early.max() <= 4
    return WORKDAY if near and (early == 0).mean() >= MOSTLY else None


def _is_monthly(times: Times, months: NDArray[np.int64]) -> bool:
    """Whether there is one time in each month, or in each third month, on days that vary.

    Examples are the first workday and the last Friday; a constant number of days is no such step.
    """
    alike = len(months) >= EACH and months.min() >= 1 and np.ptp(months) == 0
    return bool(
        alike
        and len(np.unique(np.diff(times))) > 1
        and len(np.unique(times - times.astype("datetime64[D]"))) == 1
    )


def _get_day(times: Times) -> NDArray[np.int64]:
    first = times.astype("datetime64[M]").astype("datetime64[D]")
    return (times.astype("datetime64[D]") - first).astype(np.int64) + 1


def _count_days(times: Times) -> NDArray[np.int64]:
    """Count the days of the month of each time."""
    months = times.astype("datetime64[M]")
    return ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)


def _find_last_workdays(months: NDArray[Any]) -> NDArray[Any]:
    """Return the last day from Monday to Friday of each month, at midnight."""
    following = (months + 1).astype("datetime64[D]")
    return np.busday_offset(following, -1, roll="forward").astype("datetime64[s]")


def _ends_month(times: Times) -> NDArray[np.bool_]:
    days = times.astype("datetime64[D]")
    return (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")


def _find_most_common(
    base: Literal["month", "second", "step"], differences: NDArray[np.int64]
) -> Frequency | None:
    sizes, counts = np.unique(differences[differences > 0], return_counts=True)
    return Frequency(base, int(sizes[counts.argmax()])) if len(sizes) else None


def count_steps(times: Times, frequency: Frequency) -> NDArray[np.float64]:
    """Count the steps between successive times; whole numbers if the times fit the frequency."""
    if frequency.base == "month":
        months = np.diff(times.astype("datetime64[M]").astype(np.int64)) / frequency.every
        # Two times in one month do not fit a step of months, unless all share a day of the month.
        return months if _find_day(times) is not None else np.where(months == 0, 0.5, months)
    if frequency.base == "workday":
        days = times.astype("datetime64[D]")
        fits = np.is_busday(days[1:]) & ((times - days)[1:] == (times - days)[:-1])
        return np.busday_count(days[:-1], days[1:]) / frequency.every + np.where(fits, 0.0, 0.5)
    return np.diff(times).astype(np.int64) / frequency.every


def compute_calendar(times: Times, frequency: Frequency) -> NDArray[np.float32]:
    """Compute calendar features: harmonics of day, week and year.

    The shape is (steps, features); integers have no features.

    >>> times = np.array(["2020-01", "2020-07"], "datetime64[s]")
    >>> compute_calendar(times, Frequency("month", 1))[:, 1].round(3).tolist()
    [1.0, -1.0]
    """
    if times.dtype.kind != "M" or frequency.name == "year":
        return np.zeros((len(times), 0), np.float32)
    seconds = times.astype(np.int64)
    year = times.astype("datetime64[Y]")
    if frequency.base == "month":
        months = (times.astype("datetime64[M]") - year).astype(np.int64)
        cycles = [(months / 12, 3 if frequency.every == 1 else 1)]
    elif frequency.base == "second" and frequency.every < DAY:
        # Hourly series rarely span more than a year or two, too few to learn a yearly cycle.
        cycles = []
    else:
        cycles = [((times - year.astype("datetime64[s]")).astype(np.int64) / (365.2425 * DAY), 2)]
    if frequency.base == "workday" or (frequency.base == "second" and frequency.every <= DAY):
        cycles.append((seconds / WEEK, 3))
    if frequency.base == "second" and frequency.every < DAY:
        cycles.append((seconds / DAY, 3))
    parts = [(place, harmonic) for place, count in cycles for harmonic in range(1, count + 1)]
    angles = [2 * np.pi * harmonic * place for place, harmonic in parts]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.stack(waves, 1).astype(np.float32)
