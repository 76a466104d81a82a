"""Flags shared by all of `ensue train VERB`, and flags that name columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from ensue.settings import Settings
from ensue.training.settings import TrainingOptions


class TrainOptions(TrainingOptions):
    """Flags of every training; a flag that is None was not given."""

    out: Path | None = None
    """Run folder to write; by default run-1, run-2, ..."""
    assignments: Annotated[tuple[str, ...], Parameter(name="--set")] = ()
    """Any setting, such as --set body.width=512; may be repeated."""
    show_settings: bool = False
    """Print all settings and exit without training."""
    as_json: Annotated[bool, Parameter(name="--json")] = False
    """Print JSON Lines."""


Flags: TypeAlias = Annotated[TrainOptions, Parameter(name="*")]
DEFAULTS = TrainOptions()
Several: TypeAlias = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)]


class ColumnOptions(Settings):
    """Columns of labelled data; a column that is not given is guessed where only one fits."""

    text: str | None = None
    """Text column."""
    label: str | None = None
    """Label column."""
    label_file: str | None = None
    """Table of sequence ids and labels, for data without labels."""
    group: str | None = None
    """Group column: examples of one group stay in one part of the data."""
    id: str | None = None
    """Sequence id column of a long table (one row per step)."""
    time: str | None = None
    """Time column of a long table."""
    value: tuple[str, ...] | None = None
    """Value columns of a long table; may be repeated."""
    channel: str | None = None
    """Channel column of a long table, such as the photometric band."""
    standard_error: str | None = None
    """Column of the values' standard errors in a long table."""


class NewColumnOptions(Settings):
    """Columns of new data whose names differ from those in training."""

    text: str | None = None
    """Text column, if its name differs from that in training."""
    id: str | None = None
    """Sequence id column, if its name differs from that in training."""
    time: str | None = None
    """Time column, if its name differs from that in training."""
    value: tuple[str, ...] | None = None
    """Value columns in the order of training; may be repeated."""
    channel: str | None = None
    """Channel column, if its name differs from that in training."""
    standard_error: str | None = None
    """Column of standard errors, if its name differs from that in training."""

    @property
    def given(self) -> dict[str, Any]:
        """The columns that were given."""
        return {name: column for name, column in dict(self).items() if column is not None}


class LabelledColumnOptions(NewColumnOptions):
    """Columns of new data that has labels."""

    label: str | None = None
    """Label column, if its name differs from that in training."""
    label_file: str | None = None
    """Table of sequence ids and labels, for data without labels."""


class SeriesOptions(Settings):
    """Columns of a table of series; a column that is not given is guessed where only one fits."""

    id: str | None = None
    """Series id column."""
    time: str | None = None
    """Time column: dates, months, quarters or integers."""
    target: Several = None
    """Target column; several make a multivariate series, such as x and y."""
    known_covariates: Several = None
    """Covariates whose future values are known when a forecast is made."""
    past_covariates: Several = None
    """Covariates of which only past values are known."""
    static_covariates: Several = None
    """Covariates that are constant in a series."""
    freq: str | None = None
    """Frequency: year, quarter, month, week, day, workday, hour, '15 minutes' or step."""
    fill: Literal["previous", "zero"] | None = None
    """Fill method for missing steps and empty cells, which are refused otherwise."""
