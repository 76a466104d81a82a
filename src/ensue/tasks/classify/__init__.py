"""The verb `classify`: one label per sequence, with calibrated probabilities."""

from __future__ import annotations

from typing import Any

from ensue.settings import Settings
from ensue.tasks.verb import Verb


class ClassifyRequest(Settings):
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


VERB = Verb(
    name="classify",
    description="predict one label for a sequence",
    request=ClassifyRequest,
    help="Predict labels of texts and other sequences.",
    training_help="Train a classifier of texts, sequences of numbers or trees, with calibrated "
    "probabilities and prediction sets.\n\nLabels may be multiclass, multilabel, ordinal or "
    "numeric.",
    training_data="Labelled tables (CSV, TSV, JSONL, Parquet), a folder per class, fastText files, "
    "or a demo; by default the demo `modules`.",
    demos=("modules", "ast"),
    data="File or folder in the format of training (labels may be missing), a text, or - for "
    "standard input.",
    activity="classifying",
)
