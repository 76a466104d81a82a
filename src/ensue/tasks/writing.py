"""What a person may ask of a text that a model is to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ensue.decoding.filters import FilterSettings
from ensue.settings import Settings, read


class WritingSettings(Settings):
    """How much to write, where to stop, and what is allowed."""

    length: int = Field(400, ge=1)
    """The most symbols to write; records may end before."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """The same seed writes the same text."""
    stop: str = ""
    """Stop once this was written."""
    allow: str = ""
    """Write these characters only."""
    pattern: str = ""
    """A regular expression that the whole of what is written must match."""
    weights: Literal["fp32", "bf16", "int8"] = "fp32"
    """How the network's weights are kept while it writes: bf16 and int8 are faster, and a little worse."""
    filters: FilterSettings = FilterSettings()
    """How the model's distribution is reshaped before a symbol is drawn."""


def writing(**asked: Any) -> WritingSettings:
    """Make the settings of plain keywords; those of the filters stand beside the others.

    Raises SettingError for one that does not exist, or a value that it cannot take.

    >>> writing(temperature=0.5, length=10).filters.temperature
    0.5
    """
    return read(WritingSettings, nest(asked), where="writing")


def nest(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Put what belongs to the filters below `filters`."""
    filters = {name: value for name, value in asked.items() if name in FilterSettings.model_fields}
    return {name: value for name, value in asked.items() if name not in filters} | {"filters": filters}
