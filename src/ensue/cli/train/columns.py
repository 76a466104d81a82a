"""Which columns of a table hold what, as flags."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from ensue.settings import Settings

Several = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)]


class Columns(Settings):
    """Columns by name; what is not said is guessed where one is meant without doubt."""

    text: str | None = None
    """The column that holds the text."""
    label: str | None = None
    """The column that holds the label."""
    group: str | None = None
    """The column of groups: examples of one group stay in one part of the data."""
    id: str | None = None
    """A row for each step: the column that says to which sequence it belongs."""
    time: str | None = None
    """A row for each step: the column of times."""
    value: tuple[str, ...] | None = None
    """A row for each step: the columns of its numbers. May be repeated."""
    band: str | None = None
    """A row for each step: the column of bands, or channels, that values were measured in."""
    error: str | None = None
    """A row for each step: the column of the values' standard errors."""


class SeriesColumns(Settings):
    """How a table of series is read; what is not said is guessed where one is meant without doubt."""

    id: str | None = None
    """The column that tells series apart."""
    time: str | None = None
    """The column of times: dates, months, quarters or integers."""
    target: Several = None
    """The column to forecast; several are several numbers of each step, such as x and y."""
    known: Several = None
    """Columns whose future is known when a forecast is made."""
    past: Several = None
    """Columns of which only the past is known."""
    static: Several = None
    """Columns that are the same at all steps of a series."""
    freq: str | None = None
    """The distance of two steps: year, quarter, month, week, day, workday, hour, '15 minutes', step."""
    fill: Literal["previous", "zero"] | None = None
    """What missing steps and empty cells become; they are refused otherwise."""
