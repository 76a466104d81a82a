"""Taggers by the names that a person uses, and the one dial for their size."""

from __future__ import annotations

from ensue.cells import CELLS
from ensue.errors import SettingError, did_you_mean
from ensue.layers import ENCODERS, BidirectionalSettings, UnidirectionalSettings
from ensue.models.baselines.hmm import HMMSettings
from ensue.models.baselines.most_frequent_tag import MostFrequentTagSettings
from ensue.models.sizes import SizeName
from ensue.models.tagger import TaggerSettings
from ensue.settings import Settings, read_trusted

TAGGERS: dict[str, type[Settings]] = {
    "most-frequent-tag": MostFrequentTagSettings,
    "hmm": HMMSettings,
    "tagger": TaggerSettings,
}

WIDTHS: dict[SizeName, tuple[int, int, int]] = {
    "tiny": (32, 48, 24),
    "small": (64, 96, 48),
    "base": (100, 128, 64),
    "large": (200, 256, 128),
}
"""Features of a word, of each direction of the body, and of a word's spelling."""


def tagger_names() -> list[str]:
    """Give every name that `tagger_settings` knows."""
    return [*TAGGERS, *ENCODERS, *CELLS]


def tagger_settings(name: str) -> Settings:
    """Give the settings of the tagger that a person named; a cell, or a file with one, reads both
    ways.

    Raises SettingError that suggests the nearest name.
    """
    if name in TAGGERS:
        return TAGGERS[name]()
    if name in ENCODERS:
        return TaggerSettings(body=ENCODERS[name]())
    if name in CELLS or name.endswith(".py"):
        return TaggerSettings(
            body=read_trusted(BidirectionalSettings, {"cell": name, "width": WIDTHS["base"][1]})
        )
    hint = did_you_mean(name, tagger_names())
    raise SettingError(f"there is no model {name!r}", where="--model", hint=hint)


def sized_tagger(settings: Settings, size: SizeName) -> Settings:
    """Give a network of a size; what is counted takes its size from the data, and stays as it
    is."""
    if not isinstance(settings, TaggerSettings):
        return settings
    word, body, spelling = WIDTHS[size]
    changes = {
        "word": word,
        "body": _wide(settings.body, body),
        "spelling": _wide(settings.spelling, spelling),
    }
    return settings.model_copy(update=changes)


def _wide(encoder: Settings, width: int) -> Settings:
    if isinstance(encoder, UnidirectionalSettings):
        return encoder.model_copy(update={"layer": _wide(encoder.layer, width)})
    # Words by themselves have no units whose number could be chosen.
    return (
        encoder.model_copy(update={"width": width})
        if "width" in type(encoder).model_fields
        else encoder
    )
