"""Catalogue of taggers by name, and their sizes."""

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
"""Features of a word, units of each direction of the body, and features of a word's spelling."""


def tagger_names() -> list[str]:
    """List every name that `tagger_settings` knows."""
    return [*TAGGERS, *ENCODERS, *CELLS]


def tagger_settings(name: str) -> Settings:
    """Look up the settings of a tagger by name.

    A cell, or a file with one, reads in both directions. Raises SettingError that suggests the
    nearest name.
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


def resize_tagger(settings: Settings, size: SizeName) -> Settings:
    """Set the size of a network; models fitted by counting take their size from the data."""
    if not isinstance(settings, TaggerSettings):
        return settings
    word, body, spelling = WIDTHS[size]
    changes = {
        "word": word,
        "body": _set_width(settings.body, body),
        "spelling": _set_width(settings.spelling, spelling),
    }
    return settings.model_copy(update=changes)


def _set_width(encoder: Settings, width: int) -> Settings:
    if isinstance(encoder, UnidirectionalSettings):
        return encoder.model_copy(update={"layer": _set_width(encoder.layer, width)})
    # Words by themselves have no units whose number could be chosen.
    return (
        encoder.model_copy(update={"width": width})
        if "width" in type(encoder).model_fields
        else encoder
    )
