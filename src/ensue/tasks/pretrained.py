"""A run of `generate` that another training starts from: its codec, and the weights that fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ensue.batch import select_named
from ensue.data.codecs import TextContent, load_codec
from ensue.data.codecs.text import SYMBOL
from ensue.data.contract import Codec
from ensue.errors import RunError, SettingError
from ensue.models.classifier import Classifier, ClassifierSettings
from ensue.models.parameters import load_into
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC
from ensue.tasks.held import limit_model_size
from ensue.training.folder.run import WEIGHTS, Run

HINT = "name a run of `generate` that has a recurrent network"
COUNTERPARTS = {f"tables.{SYMBOL}.": "table.", "body.layer.": "body.", "next.": "head."}
"""Prefixes of a classifier's weights, and of the pretrained weights that they are copied from."""


@dataclass(frozen=True)
class Pretrained:
    """The network of a pretrained run, which may be a part of a mixture, and its codec."""

    run: Run
    settings: SequenceSettings
    codec: Codec

    @classmethod
    def open(cls, folder: str) -> Pretrained:
        """Open a run. Raises RunError if it has no network of `generate`."""
        run = Run.open(folder)
        model = run.about["settings"].get("model", {})
        if run.about.get("task") != "generate" or model.get("name") != "sequence":
            raise RunError("the run has no network of `generate`", where=folder, hint=HINT)
        settings = read_stored(SequenceSettings, model, f"{folder}/run.toml")
        return cls(run, settings, run.parse(CODEC, load_codec))

    def network(self) -> SequenceModel:
        """Load the network. Raises RunError if it is damaged."""
        with limit_model_size(self.run, training=True):
            network = self.settings.build(self.codec.size)
        arrays: Mapping[str, Any] = self.run.read_arrays()
        if self.run.read_note():
            # A run that holds its n-gram has the network in its checkpoint alone.
            checkpoint = self.run.checkpoint()
            arrays = select_named(arrays, "network.") or (checkpoint.best if checkpoint else {})
        load_into(network, arrays, str(self.run.path / WEIGHTS))
        return network.eval()


def refuse_pretrained(what: str) -> SettingError:
    """Make the error for data or a model that no pretrained run fits."""
    where = "--pretrained"
    return SettingError(f"{what} cannot use a pretrained run", where=where, hint="leave it out")


def match_pretrained(settings: ClassifierSettings, folder: str) -> ClassifierSettings:
    """Copy embedding and body from the pretrained network into settings, so that its weights fit.

    Raises RunError if it has no embedding.
    """
    pretrained = Pretrained.open(folder)
    model = pretrained.settings
    if not model.embedding:
        raise RunError("the network of the run has no embedding", where=folder, hint=HINT)
    pretrained.network()  # a damaged one is refused before the data is read
    return settings.model_copy(update={"embedding": model.embedding, "body": model.body})


def pretrained_codec(folder: str) -> TextContent:
    """Get the codec of the pretrained run as a codec of texts, which is case-sensitive."""
    return TextContent(Pretrained.open(folder).codec, lower=False)


@torch.no_grad()
def copy_pretrained(network: Classifier, folder: str) -> str:
    """Copy the pretrained weights whose shapes fit, and report which.

    Raises RunError if none fits.
    """
    pretrained = Pretrained.open(folder).network().arrays()
    own, copied = dict(network.named_parameters()), []
    for name, parameter in own.items():
        array = _get_counterpart(name, pretrained)
        # The embedding of `generate` has one more row, for the start of a text.
        array = (
            array[: len(parameter)] if array is not None and name.startswith("tables.") else array
        )
        if array is not None and array.shape == parameter.shape:
            parameter.copy_(torch.from_numpy(np.array(array)))
            copied.append(name)
    if not copied:
        what = "none of its weights fits this network"
        raise RunError(what, where=folder, hint="leave out --model")
    rest = [name for name in own if name not in copied]
    new = _name_modules(rest) or "none"
    return f"pretrained weights from {folder}: {_name_modules(copied)}; new weights: {new}"


def _get_counterpart(name: str, pretrained: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for prefix, other in COUNTERPARTS.items():
        if name.startswith(prefix):
            return pretrained.get(other + name.removeprefix(prefix))
    return None


def _name_modules(names: list[str]) -> str:
    """Name the modules that weights belong to.

    >>> _name_modules(["tables.symbol.weight", "body.layer.cells.0.bias", "body.layer.cells.0.x"])
    'embeddings, body'
    """
    parts = {"tables": "embeddings", "next": "next-step head"}
    return ", ".join(
        dict.fromkeys(parts.get(name.partition(".")[0], name.partition(".")[0]) for name in names)
    )
