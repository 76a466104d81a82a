"""Flags shared by all of `ensue train VERB`, and flags that name columns of new data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from ensue.tasks.classify import ClassifyRequest
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


class LabelledColumnOptions(ClassifyRequest):
    """Columns of new data that has labels."""

    label: str | None = None
    """Label column, if its name differs from that in training."""
    label_file: str | None = None
    """Table of sequence ids and labels, for data without labels."""
