"""Series from tables: a row per step (long), a column per series (wide), or a row per series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.contract import SILENT, Listener
from ensue.data.series.joining import prepend_last_step
from ensue.data.series.panel import Panel, Series, SeriesSettings
from ensue.data.tables.number_format import NumberFormat
from ensue.data.tables.numbers import format_cell
from ensue.data.tables.roles import Roles, find_roles
from ensue.data.tables.series_checks import (
    Read,
    check_steps,
    cut_to_values,
    find_frequency,
    list_names,
)
from ensue.data.tables.sources import Source, read_sources
from ensue.data.tables.times import TimeFormat, is_filled, read_times
from ensue.errors import DataError


def read_panel(
    data: Sequence[Path],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> Panel:
    """Read the series of files and folders, as those of a panel `like` them. Raises DataError."""
    return build_panel(read_sources(data, settings, listener, like), settings, listener, like)


def build_panel(
    sources: Sequence[Source],
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> Panel:
    """Build a panel from rows: read, checked, and filled if requested. Raises DataError."""
    found, roles = read_series(sources, settings, listener, like.roles if like else {})
    return check_panel(found, roles, sources[0].name, settings, listener, like)


def check_panel(
    found: Sequence[Read],
    roles: Roles,
    where: str,
    settings: SeriesSettings,
    listener: Listener = SILENT,
    like: Panel | None = None,
) -> Panel:
    """Build a panel from series with unchecked times. Raises DataError."""
    found = prepend_last_step(found, like) if like is not None else found
    for place, name in enumerate(settings.past_covariates if like is None else ()):
        if all(np.isnan(one.series.past[:, place]).all() for one in found):
            hint = "do not name it, or give its numbers"
            raise DataError(f"the column {name!r} has no value", where=where, hint=hint)
    found = cut_to_values(found, roles.channels, where, listener, settings.fill)
    frequency = find_frequency(found, settings)
    if like is not None and frequency == like.frequency:
        # Only the panel knows the day of the month of its steps; a few rows do not show it.
        frequency = like.frequency
    series = tuple(check_steps(one, frequency, settings) for one in found)
    if gaps := [f"{int(one.filled.sum()):,} of {one.name!r}" for one in series if one.filled.any()]:
        value = "the previous value" if settings.fill == "previous" else "zero"
        what = f"filled with {value}: {list_names(gaps)}"
        listener.report(where, f"{what}; metrics exclude these steps")
    if beside := _count_filled_covariates(found, series, settings):
        listener.report(where, f"filled in the same way, in covariates: {list_names(beside)}")
    columns = (
        roles.channels,
        settings.known_covariates,
        settings.past_covariates,
        settings.static_covariates,
    )
    return Panel(series, frequency, *columns, roles=roles.to_json())


def _count_filled_covariates(
    found: Sequence[Read], series: Sequence[Series], settings: SeriesSettings
) -> list[str]:
    """Count the filled values of each covariate, missing rows included."""
    counts: Counter[str] = Counter()
    for one, whole in zip(found, series, strict=True):
        for name in ("known", "past"):
            there = (~np.isnan(getattr(one.series, name))).sum(0)
            filled = (len(getattr(whole, name)) - there).tolist()
            columns = getattr(settings, f"{name}_covariates")
            counts.update(dict(zip(columns, filled, strict=True)))
    return [f"{count:,} of {name!r}" for name, count in counts.items() if count]


def read_series(
    sources: Sequence[Source], settings: SeriesSettings, listener: Listener, like: Mapping[str, Any]
) -> tuple[list[Read], Roles]:
    """Return the series with unchecked times, and the roles of the columns.

    `like` is the `roles` of a panel that these series may continue. Raises DataError.
    """
    found: list[Read] = []
    first: Roles | None = None
    for source in sources:
        if source.series:
            found += source.series
            continue
        if not len(source.places):
            raise DataError("there are no rows", where=source.name, hint="give a row for each step")
        roles = find_roles(source, settings, listener, like)
        first = first or roles
        read = list(_split_series(source, roles, settings, several=len(sources) > 1))
        if (moved := sum(one.unordered > 0 for one in read)) > 0:
            what = f"the rows of {moved:,} series are not in order of time, and were sorted"
            listener.report(source.name, what)
        found += read
    counts = Counter(one.series.name for one in found)
    if twice := next((name for name, count in counts.items() if count > 1), None):
        where = "in two files" if len(sources) > 1 else "twice"
        hint = "merge it into one file" if len(sources) > 1 else "give each row a name of its own"
        hint += ", or choose it with --id" * (len(sources) == 1 and not settings.id)
        raise DataError(f"the series {twice!r} occurs {where}", where=sources[-1].name, hint=hint)
    return found, first or Roles("", "", ("value",), False, TimeFormat(), {})


def _split_series(
    source: Source, roles: Roles, settings: SeriesSettings, *, several: bool
) -> Iterator[Read]:
    """Yield each series of a source, with the place of each of its rows."""
    stem = Path(source.name).name.split(".")[0]
    for name, order in _group_rows(source, roles.id, stem):
        own = source.take(order)
        times = read_times(own.cells[roles.time], own.places, roles.time, roles.times)
        if unordered := int((np.diff(times).astype(np.int64) < 0).sum()):
            order = np.argsort(times, kind="stable")
            times, own = times[order], own.take(order)
        whole = not settings.fill
        known = _read_numbers(own, settings.known_covariates, roles.numbers, whole=whole)
        past = _read_numbers(own, settings.past_covariates, roles.numbers)
        static = tuple(
            _read_static(own, column, roles.numbers[column], name)
            for column in settings.static_covariates
        )
        sets = [(column,) for column in roles.target] if roles.wide else [roles.target]
        for target in sets:
            values = _read_numbers(own, target, roles.numbers)
            end = len(times)
            # Rows with an empty target at the end hold the known covariates of the future.
            if settings.known_covariates:
                there = np.flatnonzero(~np.isnan(values).all(1))
                end = int(there[-1]) + 1 if len(there) else 0
            title = (f"{stem}/{target[0]}" if several else target[0]) if roles.wide else name
            series = Series(title, times[:end], values[:end], known, past[:end], static)
            yield Read(series, own.places, unordered, times[end:])


def _group_rows(source: Source, id: str, stem: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each series, and the rows that hold it."""
    if not id:
        yield stem, np.arange(len(source.places))
        return
    names: dict[str, int] = {}
    numbers = [names.setdefault(str(cell), len(names)) for cell in source.cells[id]]
    if (empty := next((name for name in names if not is_filled(name)), None)) is not None:
        what, hint = f"column {id!r} is empty in this row", "fill it in, or remove the row"
        raise DataError(what, where=source.places[numbers.index(names[empty])], hint=hint)
    rows = np.argsort(numbers, kind="stable")
    yield from zip(names, np.split(rows, np.cumsum(np.bincount(numbers))[:-1]), strict=True)


def _read_numbers(
    rows: Source, columns: Sequence[str], forms: Mapping[str, NumberFormat], *, whole: bool = False
) -> np.ndarray:
    """Return the numbers of some columns (rows, columns), NaN for an empty cell.

    Raises DataError for text, and with `whole` for an empty cell.
    """
    values = np.full((len(rows.places), len(columns)), np.nan)
    for channel, column in enumerate(columns):
        form, plain = forms[column], forms[column].read_plain(rows.cells[column])
        if plain is not None and not (whole and np.isnan(plain).any()):
            values[:, channel] = plain
            continue
        for place, cell in enumerate(rows.cells[column]):
            values[place, channel] = form.read_cell(cell, column, rows.places[place])
            if whole and not is_filled(cell):
                what = f"the known covariate {column!r} has no value in this row"
                flag_hint = "name the column with --past-covariates instead"
                where = rows.places[place]
                raise DataError(what, where=where, hint="fill it in", flag_hint=flag_hint)
    return values


def _read_static(rows: Source, column: str, form: NumberFormat, name: str) -> Any:
    first = rows.cells[column][0]
    for place, cell in enumerate(rows.cells[column]):
        if cell != first:
            what = (
                f"the static column {column!r} is {format_cell(cell)} here, but "
                f"{format_cell(first)} in the first row of {name!r}"
            )
            flag_hint = "name the column with --past-covariates or --known-covariates"
            where = rows.places[place]
            raise DataError(what, where=where, hint="correct it", flag_hint=flag_hint)
    number = form.read(first)
    return str(first) if number is None or not np.isfinite(number) else number
