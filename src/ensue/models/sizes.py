"""Catalogue of language models by name, and their sizes."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from ensue.cells import CELLS
from ensue.errors import SettingError, did_you_mean
from ensue.layers import LAYERS
from ensue.models.ngram import NgramSettings
from ensue.models.sequence import SequenceSettings
from ensue.settings import Settings, read_trusted

MODELS: dict[str, type[Settings]] = {"ngram": NgramSettings, "sequence": SequenceSettings}

ModelSettings: TypeAlias = NgramSettings | SequenceSettings

SizeName = Literal["tiny", "small", "base", "large"]


class Size(NamedTuple):
    """Dimensions and learning rate of a network of a named size."""

    embedding: int
    width: int
    depth: int
    learning_rate: float
    """Learning rate at which gated networks learn fastest, by a few trials on characters."""


UNGATED = ("tanh", "irnn", "jordan")

SIZES: dict[SizeName, Size] = {
    "tiny": Size(embedding=32, width=128, depth=1, learning_rate=0.012),
    "small": Size(embedding=128, width=384, depth=1, learning_rate=0.012),
    "base": Size(embedding=128, width=512, depth=2, learning_rate=0.006),
    "large": Size(embedding=256, width=1024, depth=3, learning_rate=0.003),
}


def model_names() -> list[str]:
    """List every name that `model_settings` knows: the n-gram, each layer, each cell."""
    return ["ngram", *LAYERS, *CELLS]


def model_settings(name: str) -> ModelSettings:
    """Look up the settings of a language model by name; the path of a Python file names its cell.

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
        return SequenceSettings(body=read_trusted(LAYERS["recurrent"], {"cell": name}))
    raise SettingError(
        f"there is no model {name!r}", where="--model", hint=did_you_mean(name, model_names())
    )


def resize_model(settings: ModelSettings, size: SizeName) -> ModelSettings:
    """Set the size of a network; an n-gram takes its size from the data and is returned unchanged.

    >>> resize_model(model_settings("window"), "tiny").body.width
    128
    """
    if not isinstance(settings, SequenceSettings):
        return settings
    chosen = SIZES[size]
    body = settings.body.model_copy(update={"width": chosen.width, "depth": chosen.depth})
    return settings.model_copy(update={"embedding": chosen.embedding, "body": body})


def default_learning_rate(settings: ModelSettings, size: SizeName) -> float:
    """Return the default learning rate; cells without gates diverge at that of gated ones.

    >>> [default_learning_rate(model_settings(name), "small") for name in ("lstm", "irnn")]
    [0.012, 0.0015]
    """
    body = getattr(settings, "body", None)
    return SIZES[size].learning_rate / (8 if getattr(body, "cell", None) in UNGATED else 1)
