"""Language modelling: train on text or on sequences of records, and generate more of them."""

from pydantic import Field

from ensue.decoding.sampling import SamplingSettings
from ensue.settings import Precision
from ensue.tasks.verb import Verb


class GenerateRequest(SamplingSettings):
    """Number and length of generated texts, their constraints, and sampling filters."""

    samples: int = Field(1, ge=1, le=10**9)
    """Number of samples."""
    length: int = Field(400, ge=1, le=10**9)
    """Maximum length in symbols, or in rows; records may end earlier."""
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


VERB = Verb(
    name="generate",
    description="learn what comes next in a text, and write more of it",
    request=GenerateRequest,
    help="Generate text from a trained model.",
    training_help="Train a language model on text.",
    training_data="Text files, folders, tables with a text column, or a demo (`ensue list demos`); "
    "by default the demo `text`.",
    demos=("text", "code", "names"),
)
