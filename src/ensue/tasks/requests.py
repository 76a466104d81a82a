"""What each verb accepts: flags of `ensue VERB`, keywords in Python, schema of a server or form.

Nothing here loads torch: the command line's help is made from these classes.
"""

from __future__ import annotations

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


REQUESTS: dict[str, type[Settings]] = {"generate": GenerateRequest, "forecast": ForecastRequest}
"""The request of each verb."""
