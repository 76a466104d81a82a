"""Names of models: what `--model NAME` stands for in each verb, and what `--size` changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from ensue.cells import CELLS
from ensue.errors import SettingError, did_you_mean
from ensue.layers import (
    ENCODERS,
    LAYERS,
    RecurrentSettings,
    TCNSettings,
    TransformerSettings,
    WaveNetSettings,
)
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.baselines.lm_bayes import LMBayesSettings
from ensue.models.classifier import ClassifierSettings
from ensue.models.direct import LinearSettings, MLPSettings
from ensue.models.sequence import SequenceSettings
from ensue.models.steps.network import StepNetworkSettings
from ensue.models.tagger import TaggerSettings
from ensue.models.tree import TreeSettings
from ensue.settings import Settings, SizeName, read_trusted

S = TypeVar("S", bound=Settings)

LABELS = {"embedding": (50, 100, 200, 300), "width": (64, 128, 256, 384), "depth": (1, 1, 1, 2)}
SIZES: dict[type[Settings], Mapping[str, tuple[int, int, int, int]]] = {
    SequenceSettings: {
        "embedding": (32, 128, 128, 256),
        "width": (128, 384, 512, 1024),
        "depth": (1, 1, 2, 3),
    },
    ClassifierSettings: LABELS,
    LMBayesSettings: LABELS,
    TreeSettings: LABELS,
    StepNetworkSettings: {
        "embedding": (16, 32, 64, 128),
        "width": (64, 128, 256, 512),
        "depth": (1, 1, 2, 2),
    },
    TaggerSettings: {
        "word": (32, 64, 100, 200),
        "spelling": (24, 48, 64, 128),
        "width": (48, 96, 128, 256),
    },
    AutoregressiveSettings: {"width": (16, 32, 64, 128)},
    LinearSettings: {},
    MLPSettings: {"width": (64, 128, 256, 512)},
}
"""Every network, and its dimensions in the sizes tiny, small, base and large."""

LAYER_SIZES: dict[type[Settings], Mapping[str, tuple[int, int, int, int]]] = {
    TCNSettings: {"width": (64, 128, 256, 512), "depth": (4, 6, 6, 8)},
    WaveNetSettings: {
        "width": (64, 128, 256, 512),
        "residual": (32, 64, 96, 128),
        "depth": (8, 10, 20, 30),
    },
    TransformerSettings: {"width": (64, 128, 256, 512), "depth": (2, 4, 6, 8)},
}
"""Layers that need other dimensions than recurrent ones: more depth, less width."""


def is_network(model: Settings) -> bool:
    """Whether a model is a network, trained by gradient; others are fitted in closed form."""
    return type(model) in SIZES


def name_model(model: Settings) -> str:
    """Name a model for tables: a network by its cell or layer, its size, and the head of a tagger.

    >>> name_model(TaggerSettings(body=RecurrentSettings(cell="lstm", width=8, depth=2)))
    'lstm 2 x 8, crf'
    """
    if isinstance(model, TreeSettings):
        return f"{model.cell} tree {model.width}"
    if isinstance(model, MLPSettings):
        return f"mlp {model.depth} x {model.width}"
    part: Any = model
    if not hasattr(part, "body"):
        return part.name
    body = "embedding-bag" if part.body.name == "none" else _name_layer(part.body)
    return f"{body}, {part.head.name}" if isinstance(model, TaggerSettings) else body


def _name_layer(body: Any) -> str:
    cell = RecurrentSettings(cell=body.cell).program().name if hasattr(body, "cell") else ""
    ways = "" if cell and isinstance(body, RecurrentSettings) else body.name
    width, depth = getattr(body, "width", ""), getattr(body, "depth", 1)
    return " ".join(filter(None, (ways, Path(cell).stem, f"{depth} x" * (depth > 1), str(width))))


def resize(model: S, size: SizeName) -> S:
    """Set the dimensions of a network and of the layers in it.

    Models fitted in closed form take their size from the data, and are returned unchanged.

    >>> resize(ClassifierSettings(body=RecurrentSettings()), "large").body.depth
    2
    """
    return _resize(model, get_args(SizeName).index(size), SIZES.get(type(model), {}))


def _resize(part: Any, at: int, sizes: Mapping[str, tuple[int, int, int, int]]) -> Any:
    changes: dict[str, Any] = {}
    for name, value in part:
        if name in ("sequence", "body"):
            changes[name] = _resize(value, at, LAYER_SIZES.get(type(value), sizes))
        elif name in sizes and isinstance(value, Settings):
            changes[name] = _resize(value, at, {"width": sizes[name]})
        elif name in sizes:
            changes[name] = sizes[name][at]
    return part.model_copy(update=changes)


@dataclass(frozen=True)
class Models:
    """The models that a verb takes, and the network that it makes of a layer or a cell."""

    verb: str
    parts: Mapping[str, type[Settings]]
    """Settings of each model by name."""
    layers: Mapping[str, type[Settings]]
    """Layers that its network takes: LAYERS, or ENCODERS where it may look ahead."""
    network: Callable[[Any], Settings]
    """Builds the settings of its network around a layer."""
    cell: type[Settings] = RecurrentSettings
    """The layer that runs a cell."""
    others: Mapping[str, Settings] = field(default_factory=dict)
    """Further names, of models with other defaults."""
    size: SizeName | None = None
    """Size of a network that is chosen by its layer or cell; None for the layer's own."""

    @property
    def names(self) -> list[str]:
        """Every name that `resolve` knows."""
        return [*self.others, *self.parts, *self.layers, *CELLS]

    @property
    def closed_form(self) -> dict[str, Any]:
        """The models that are fitted in closed form or by counting, with their defaults."""
        made = {name: kind() for name, kind in self.parts.items()}
        return {name: one for name, one in made.items() if not is_network(one)}

    def resolve(self, name: str) -> Any:
        """Look up a model by name, or by the path of a Python file that defines a cell.

        The file is executed. Raises SettingError that suggests the nearest name.
        """
        if name in self.others:
            return self.others[name]
        if name in self.parts:
            return self.parts[name]()
        if name in self.layers:
            layer = self.layers[name]()
        elif name in CELLS or name.endswith(".py"):
            layer = read_trusted(self.cell, {"cell": name})
        elif name in ENCODERS:
            what = f"{self.verb} takes causal layers only, and {name} may look ahead"
            raise SettingError(what, where="--model", hint=did_you_mean("", {*LAYERS, *CELLS}))
        else:
            hint = did_you_mean(name, self.names)
            raise SettingError(
                f"there is no model {name!r} for {self.verb}", where="--model", hint=hint
            )
        made = self.network(layer)
        return made if self.size is None else resize(made, self.size)
