"""Flags shared by all of `ensue train VERB`, and flags that name columns of new data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

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
