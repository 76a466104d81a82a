"""What each verb accepts: flags of `ensue VERB`, keywords in Python, schema of a server or form.

Nothing here loads torch: the command line's help is made from these classes.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from ensue.decoding.sampling import SamplingSettings
from ensue.settings import Precision, Settings


class GenerateRequest(SamplingSettings):
    """Number and length of generated texts, their constraints, and sampling filters."""

    samples: int = Field(1, ge=1, le=10**9)
    """Number of samples."""
    length: int = Field(400, ge=1, le=10**9)
    """Maximum length in symbols; records may end earlier."""
    stop: str = ""
    """Stop string: generation ends after it."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    allowed_characters: str = ""
    """Characters that samples may contain; empty for all."""
    regex: str = ""
    """Regular expression that the whole sample must match."""
    precision: Precision = "fp32"
    """Precision of the network's weights; bf16 and int8 are faster and slightly less accurate."""
    novelty: bool = False
    """Report how much of each sample is copied from the training data."""


class ForecastRequest(Settings):
    """Horizon and seed of a forecast."""

    horizon: int | None = Field(None, ge=1, lt=1 << 31)
    """Steps to forecast; by default the horizon of training."""
    seed: int | None = Field(None, ge=0, lt=1 << 63)
    """Random seed of sample paths; by default that of training."""


InputFormat: TypeAlias = Literal["auto", "text", "lines", "conllu", "columns", "tsv", "jsonl"]


class TagRequest(Settings):
    """How a text to tag is read."""

    read: InputFormat = "auto"
    """Format of the input; auto recognises and prints it."""


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


REQUESTS: dict[str, type[Settings]] = {
    "generate": GenerateRequest,
    "classify": ClassifyRequest,
    "tag": TagRequest,
    "forecast": ForecastRequest,
}
"""The request of each verb."""
