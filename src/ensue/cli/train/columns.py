"""Which columns of a table hold what, as flags."""

from __future__ import annotations

from ensue.settings import Settings


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
