"""Append later rows to the series of a training panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.series.frequency import Frequency
from ensue.data.series.panel import Panel, Series, SeriesSettings
from ensue.data.tables.numbers import as_float
from ensue.data.tables.series_checks import Read
from ensue.errors import SettingError, UserError

LIKE_TRAINING = "give a file like the training file"


def append(train: Panel, later: Panel) -> tuple[Panel, list[int]]:
    """Append later series to those of training, and return where the new steps of each begin.

    A series continues if its first step is one of the training steps, or the next one. Its own rows
    replace training rows of the same time. If both panels have a single series, their names may
    differ, provided that their values agree wherever both have some.
    """
    before = {one.name: one for one in train.series}
    single = len(before) == len(later.series) == 1
    series, first = [], []
    for one in later.series:
        old = find_same_id(one.name, before, later.series)
        if single and old is not None and old.name != one.name:
            old = replace(old, name=one.name) if _agrees(old, one, train.frequency) else None
        merged = one if old is None else _join(old, one, train.frequency)
        series.append(merged)
        first.append(0 if old is None else int((merged.times <= old.times[-1]).sum()))
    return replace(later, series=tuple(series), frequency=train.frequency), first


def prepend_last_step(found: Sequence[Read], train: Panel) -> list[Read]:
    """Prepend the last training step to series that have only rows of the future."""
    before = {one.name: one for one in train.series}
    series = [one.series for one in found]
    extended = []
    for one in found:
        old = find_same_id(one.series.name, before, series)
        if old is None or len(one.series) or old.times.dtype.kind != one.future.dtype.kind:
            extended.append(one)
            continue
        last = {name: getattr(old, name)[-1:] for name in ("times", "values", "past", "filled")}
        known = np.concatenate([old.known[len(old) - 1 : len(old)], one.series.known])
        rows = ["training data", *one.rows]
        extended.append(replace(one, series=replace(one.series, **last, known=known), rows=rows))
    return extended


def continue_times(train: Panel, later: Panel) -> Panel:
    """Shift step numbers that restart in each table, to follow the training steps.

    The files of M4 are numbered so. This applies if all series begin with the first training
    number, and have other values there.
    """
    before = {one.name: one for one in train.series}
    series = []
    for one in later.series:
        old = before.get(one.name)
        if later.roles.get("time") or old is None or one.times.dtype.kind == "M":
            return later
        if one.times[0] != old.times[0] or _agrees(old, one, train.frequency):
            return later
        begin = train.frequency.ahead(old.times[-1], 1)[0]
        series.append(replace(one, times=one.times - one.times[0] + begin))
    return later.with_series(series)


def read_like(
    train: Panel, settings: SeriesSettings, read: Callable[[SeriesSettings], Panel]
) -> Panel:
    """Read series with the frequency of a training panel, which a few new rows would not show.

    Raises DataError, SettingError.
    """
    try:
        panel = read(settings.model_copy(update={"freq": settings.freq or train.frequency.name}))
    except UserError as error:
        try:
            other = read(settings)
        except UserError:
            raise error from None
        refuse_unlike(train, other)  # its message is clearer if the rows have another frequency
        raise
    refuse_unlike(train, panel)
    return panel


def refuse_unlike(panel: Panel, other: Panel) -> None:
    """Raise SettingError if columns or frequency differ from those of the training panel."""
    if len(panel.channels) != len(other.channels):
        what = f"{len(other.channels)} target columns, but {len(panel.channels)} in training"
        raise SettingError(what, hint=LIKE_TRAINING)
    dated = other.series[0].times.dtype.kind == "M"
    if dated != (panel.series[0].times.dtype.kind == "M"):
        kinds = ("dates", "integers") if dated else ("integers", "dates")
        what = f"the times are {kinds[0]}, but {kinds[1]} in training"
        raise SettingError(what, hint=LIKE_TRAINING)
    if panel.frequency != other.frequency and other.steps > len(other.series):
        what = f"a step is {other.frequency.one}, but {panel.frequency.one} in training"
        raise SettingError(what, hint=LIKE_TRAINING)


def find_same_id(name: str, before: Mapping[str, Series], later: Sequence[Series]) -> Series | None:
    """Return the training series of the same name or number: 1, 1.0 and 001 are one id.

    If two ids of either panel are the same number, only names count. A single series is the only
    one of training, whatever its name.
    """
    if len(before) == len(later) == 1:
        return next(iter(before.values()))
    if name in before or (number := _read_number(name)) is None:
        return before.get(name)
    alike = [old for other, old in before.items() if _read_number(other) == number]
    others = [one for one in later if _read_number(one.name) == number]
    return alike[0] if len(alike) == len(others) == 1 else None


def _read_number(name: str) -> float | None:
    found = as_float(name)
    return found if found is not None and np.isfinite(found) else None


def _find_place(old: Series, one: Series, frequency: Frequency) -> int | None:
    """Count the training steps before the first step of a later series; None if there is a gap."""
    # Monthly steps on varying days are the same step if they are in the same month.
    unit = "datetime64[M]" if frequency.base == "month" and not frequency.on else old.times.dtype
    begin = one.times[0].astype(unit)
    at = np.flatnonzero(old.times.astype(unit) == begin)
    if len(at):
        return int(at[0])
    return len(old) if frequency.ahead(old.times[-1], 1)[0].astype(unit) == begin else None


def _agrees(old: Series, one: Series, frequency: Frequency) -> bool:
    common, there, here = np.intersect1d(old.times, one.times, return_indices=True)
    if not len(common):
        return _find_place(old, one, frequency) is not None
    return bool(np.isclose(old.values[there], one.values[here]).all())


def _join(old: Series, one: Series, frequency: Frequency) -> Series:
    """Put the training steps before those of the later series, under the training name."""
    place = _find_place(old, one, frequency)
    if not place:
        return replace(one, name=old.name)

    def both(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(old, name)[:place], getattr(one, name)])

    columns = {"values": both("values"), "past": both("past"), "known": both("known")}
    return replace(old, times=both("times"), **columns, filled=both("filled"))
