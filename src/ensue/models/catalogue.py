"""The models by the names that a person uses, and the one dial for their size."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from ensue.cells import CELLS
from ensue.errors import SettingError, did_you_mean
from ensue.layers import LAYERS
from ensue.models.ngram import NgramSettings
from ensue.models.sequence import SequenceSettings
from ensue.settings import Settings, read

MODELS: dict[str, type[Settings]] = {"ngram": NgramSettings, "sequence": SequenceSettings}

ModelSettings: TypeAlias = NgramSettings | SequenceSettings

SizeName = Literal["tiny", "small", "base", "large"]


class Size(NamedTuple):
    """What a size means for a network."""

    embedding: int
    width: int
    depth: int


SIZES: dict[SizeName, Size] = {
    "tiny": Size(embedding=32, width=64, depth=1),
    "small": Size(embedding=128, width=256, depth=1),
    "base": Size(embedding=128, width=512, depth=2),
    "large": Size(embedding=256, width=1024, depth=3),
}


def model_names() -> list[str]:
    """Give every name that `model_settings` knows: the n-gram, each layer, each cell (in a recurrent layer)."""
    return ["ngram", *LAYERS, *CELLS]


def model_settings(name: str) -> ModelSettings:
    """Give the settings of the model that a person named; a path to a Python file names the cell in it.

    Raises SettingError that suggests the nearest name.

    >>> model_settings("ngram").name
    'ngram'
    >>> model_settings("window").body.name
    'window'
    """
    if name == "ngram":
        return NgramSettings()
    if name == "sequence":
        return SequenceSettings()
    if name in LAYERS:
        return SequenceSettings(body=LAYERS[name]())
    if name in CELLS or name.endswith(".py"):
        return SequenceSettings(body=read(LAYERS["recurrent"], {"cell": name}))
    raise SettingError(f"there is no model {name!r}", where="--model", mend=did_you_mean(name, model_names()))


def sized(settings: ModelSettings, size: SizeName) -> ModelSettings:
    """Give a network of a size; an n-gram takes its size from the data, and stays as it is.

    >>> sized(model_settings("window"), "tiny").body.width
    64
    """
    if not isinstance(settings, SequenceSettings):
        return settings
    embedding, width, depth = SIZES[size]
    body = settings.body.model_copy(update={"width": width, "depth": depth})
    return settings.model_copy(update={"embedding": embedding, "body": body})
