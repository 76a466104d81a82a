"""The flags that all of `ensue train VERB` have, and those that say which columns hold what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from ensue.settings import Settings


class TrainOptions(Settings):
    """What a person may say of any training."""

    out: Path | None = None
    """Folder of the run that is written; run-1, run-2, ... if not given."""
    size: Literal["tiny", "small", "base", "large"] | None = None
    """One dial for the size of the network."""
    minutes: float | None = None
    """Time for the whole command; 3 if neither this nor epochs is given."""
    epochs: int | None = None
    """Passes over the training data, instead of minutes."""
    seed: int | None = None
    """What every random choice follows from."""
    device: str | None = None
    """Where to compute: cpu, cuda, cuda:1, mps or auto."""
    valid: Path | None = None
    """A file to choose on (early stopping, order, weights), instead of a part of the data."""
    test: Path | None = None
    """A file to report on, instead of a part of the data."""
    assignments: Annotated[tuple[str, ...], Parameter(name="--set")] = ()
    """Change any setting: --set body.width=512. May be repeated."""
    config: Path | None = None
    """A TOML file of settings, as --show-settings prints them, or the run.toml of a run."""
    show_settings: bool = False
    """Print every setting, filled in, and train nothing."""
    as_json: Annotated[bool, Parameter(name="--json")] = False
    """Print one JSON object a line, for programs."""


Flags: TypeAlias = Annotated[TrainOptions, Parameter(name="*")]
DEFAULTS = TrainOptions()
Several: TypeAlias = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)]


class ColumnOptions(Settings):
    """Columns by name; what is not said is guessed where one is meant without doubt."""

    text: str | None = None
    """The column that holds the text."""
    label: str | None = None
    """The column that holds the label."""
    label_file: str | None = None
    """A table with a row for each sequence, its id and its label, where the data itself has no
    labels."""
    group: str | None = None
    """The column of groups: examples of one group stay in one part of the data."""
    id: str | None = None
    """A row for each step: the column that says to which sequence it belongs."""
    time: str | None = None
    """A row for each step: the column of times."""
    value: tuple[str, ...] | None = None
    """A row for each step: the columns of its numbers. May be repeated."""
    channel: str | None = None
    """A row for each step: the column of bands, or channels, that values were measured in."""
    standard_error: str | None = None
    """A row for each step: the column of the values' standard errors."""


class NewColumnOptions(Settings):
    """Columns of new data that are called otherwise than in training."""

    text: str | None = None
    """The column that holds the text, if it is called otherwise than in training."""
    id: str | None = None
    """A row for each step: the column that says to which sequence it belongs, likewise."""
    time: str | None = None
    """The column of times, likewise."""
    value: tuple[str, ...] | None = None
    """The columns of numbers, in the order that they had in training. May be repeated."""
    channel: str | None = None
    """The column of bands, likewise."""
    standard_error: str | None = None
    """The column of the values' standard errors, likewise."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that were named."""
        return {name: column for name, column in dict(self).items() if column is not None}


class LabelledColumnOptions(NewColumnOptions):
    """The same, with labels."""

    label: str | None = None
    """The column that holds the label, likewise."""
    label_file: str | None = None
    """A table with a row for each sequence, its id and its label, where the data itself has no
    labels."""


class SeriesOptions(Settings):
    """How a table of series is read; what is not said is guessed where one is meant without
    doubt."""

    id: str | None = None
    """The column that tells series apart."""
    time: str | None = None
    """The column of times: dates, months, quarters or integers."""
    target: Several = None
    """The column to forecast; several are several numbers of each step, such as x and y."""
    known_covariates: Several = None
    """Columns whose future is known when a forecast is made."""
    past_covariates: Several = None
    """Columns of which only the past is known."""
    static_covariates: Several = None
    """Columns that are the same at all steps of a series."""
    freq: str | None = None
    """The distance of two steps: year, quarter, month, week, day, workday, hour, '15 minutes',
    step."""
    fill: Literal["previous", "zero"] | None = None
    """What missing steps and empty cells become; they are refused otherwise."""
