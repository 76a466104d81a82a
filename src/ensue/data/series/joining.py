"""Series that go on from others: rows that came later are put after what was learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.series.frequency import Frequency
from ensue.data.series.panel import Panel, Series, SeriesSettings
from ensue.data.tables.series_checks import Read
from ensue.errors import SettingError, UserError


def append(learned: Panel, later: Panel) -> tuple[Panel, list[int]]:
    """Put what was learned before series that go on from it, and give where what was not learned
    begins in each.

    A series goes on where its first step is one of the learned ones, or the next; its own rows go
    before learned ones of the same time. A single series goes on from a single one, whatever their
    names, if it has the same values where both have some.
    """
    before = {one.name: one for one in learned.series}
    single = len(before) == len(later.series) == 1
    series, first = [], []
    for one in later.series:
        old = next(iter(before.values())) if single else same_id(one.name, before, later.series)
        if single and old is not None and old.name != one.name:
            old = replace(old, name=one.name) if _agrees(old, one, learned.frequency) else None
        joined = one if old is None else _join(old, one, learned.frequency)
        series.append(joined)
        first.append(0 if old is None else int((joined.times <= old.times[-1]).sum()))
    return replace(later, series=tuple(series), frequency=learned.frequency), first


def after_last_step(found: Sequence[Read], learned: Panel) -> list[Read]:
    """Put the last step that was learned before rows of the future alone: they tell what is
    known after it."""
    before = {one.name: one for one in learned.series}
    series = [one.series for one in found]
    whole = []
    for one in found:
        old = (
            next(iter(before.values()))
            if len(before) == len(found) == 1
            else same_id(one.series.name, before, series)
        )
        if old is None or len(one.series) or old.times.dtype.kind != one.future.dtype.kind:
            whole.append(one)
            continue
        last = {name: getattr(old, name)[-1:] for name in ("times", "values", "past", "filled")}
        known = np.concatenate([old.known[len(old) - 1 : len(old)], one.series.known])
        rows = ["what was learned", *one.rows]
        whole.append(replace(one, series=replace(one.series, **last, known=known), rows=rows))
    return whole


def continued_times(learned: Panel, later: Panel) -> Panel:
    """Let steps that are counted anew in each table, as in the files of M4, go on where the learned
    ones end.

    That is so where all series begin with the number of the learned ones, and have other values
    there.
    """
    before = {one.name: one for one in learned.series}
    series = []
    for one in later.series:
        old = before.get(one.name)
        if (
            later.reading.get("time")
            or old is None
            or one.times.dtype.kind == "M"
            or one.times[0] != old.times[0]
        ):
            return later
        if _agrees(old, one, learned.frequency):
            return later
        begin = learned.frequency.ahead(old.times[-1], 1)[0]
        series.append(replace(one, times=one.times - one.times[0] + begin))
    return later.with_series(series)


def read_as(
    learned: Panel, settings: SeriesSettings, read: Callable[[SeriesSettings], Panel]
) -> Panel:
    """Read series that have the frequency of learned ones: a few new rows would not tell it.
    Raises DataError."""
    try:
        panel = read(settings.model_copy(update={"freq": settings.freq or learned.frequency.name}))
    except UserError as error:
        try:
            other = read(settings)
        except UserError:
            raise error from None
        refuse_unlike(learned, other)  # says better why, where they have a frequency of their own
        raise
    refuse_unlike(learned, panel)
    return panel


def refuse_unlike(panel: Panel, other: Panel) -> None:
    """Let a panel pass that has the columns and the frequency of another. Raises SettingError."""
    if len(panel.channels) != len(other.channels):
        what = (
            f"there are {len(other.channels)} numbers to forecast, and {len(panel.channels)} "
            f"were learned"
        )
        raise SettingError(what, hint="give a file like the one that was learned")
    kinds = [
        "dates" if one.series[0].times.dtype.kind == "M" else "integers" for one in (other, panel)
    ]
    if kinds[0] != kinds[1]:
        what = f"the times are {kinds[0]}, and {kinds[1]} in what was learned"
        raise SettingError(what, hint="give a file like the one that was learned")
    if panel.frequency != other.frequency and other.steps > len(other.series):
        what = f"a step is {other.frequency.one}, and {panel.frequency.one} in what was learned"
        raise SettingError(what, hint="give a file like the one that was learned")


def same_id(name: str, before: Mapping[str, Series], later: Iterable[Series]) -> Series | None:
    """Give the series of the same id: of the same name, or of the same number, so 1, 1.0 and 001
    are one.

    Where two ids, among the learned or the later ones, are the same number, only names count.
    """
    if name in before or (number := _number(name)) is None:
        return before.get(name)
    alike = [old for other, old in before.items() if _number(other) == number]
    others = [one for one in later if _number(one.name) == number]
    return alike[0] if len(alike) == len(others) == 1 else None


def _number(name: str) -> float | None:
    try:
        found = float(name)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _place(old: Series, one: Series, frequency: Frequency) -> int | None:
    """Give how many steps of the old series stand before the first of the other, None if it does
    not go on from it."""
    # Steps of months that are on days that vary are the same if the month is.
    unit = "datetime64[M]" if frequency.base == "month" and not frequency.on else old.times.dtype
    begin = one.times[0].astype(unit)
    at = np.flatnonzero(old.times.astype(unit) == begin)
    if len(at):
        return int(at[0])
    return len(old) if frequency.ahead(old.times[-1], 1)[0].astype(unit) == begin else None


def _agrees(old: Series, one: Series, frequency: Frequency) -> bool:
    common, there, here = np.intersect1d(old.times, one.times, return_indices=True)
    if not len(common):
        return _place(old, one, frequency) is not None
    return bool(np.isclose(old.values[there], one.values[here]).all())


def _join(old: Series, one: Series, frequency: Frequency) -> Series:
    """Put the steps of the old series before those of the other, under the name of the old one."""
    place = _place(old, one, frequency)
    if not place:
        return replace(one, name=old.name)

    def both(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(old, name)[:place], getattr(one, name)])

    columns = {"values": both("values"), "past": both("past"), "known": both("known")}
    return replace(old, times=both("times"), **columns, filled=both("filled"))
