"""Transfer from a pretrained run of `generate`: its codec, and its weights where they fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ensue.data.codecs import TextContent, load_codec
from ensue.data.codecs.text import SYMBOL
from ensue.errors import RunError
from ensue.models.classifier import Classifier, ClassifierSettings
from ensue.models.sequence import SequenceSettings
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC, limit_model_size
from ensue.training.folder.run import Run

HINT = "name a run of `generate` that has a recurrent network"

COUNTERPARTS = {f"tables.{SYMBOL}.": "table.", "body.layer.": "body.", "next.": "head."}
"""Prefixes of a classifier's weights, and of the pretrained weights that they are copied from."""


def open_pretrained(folder: str) -> tuple[Run, SequenceSettings]:
    """Open a pretrained run, with the settings of its network.

    Raises RunError if it has no recurrent network.
    """
    run = Run.open(folder)
    model = run.about["settings"].get("model", {})
    if run.about.get("task") != "generate" or model.get("name") != "sequence":
        raise RunError("the run has no network of `generate`", where=folder, hint=HINT)
    return run, read_stored(SequenceSettings, model, f"{folder}/run.toml")


def match_pretrained(settings: ClassifierSettings, folder: str) -> ClassifierSettings:
    """Copy embedding and body from the pretrained network into settings, so that its weights fit.

    Raises RunError if it has no embedding.
    """
    run, model = open_pretrained(folder)
    if not model.embedding:
        raise RunError("the network of the run has no embedding", where=folder, hint=HINT)
    with limit_model_size(run):
        model.build(run.parse(CODEC, load_codec).size)
    return settings.model_copy(update={"embedding": model.embedding, "body": model.body})


def pretrained_codec(folder: str) -> TextContent:
    """Get the codec of the pretrained run as a codec of texts, which is case-sensitive."""
    run, _ = open_pretrained(folder)
    return TextContent(run.parse(CODEC, load_codec), lower=False)


@torch.no_grad()
def copy_pretrained(network: Classifier, folder: str) -> str:
    """Copy the pretrained weights whose shapes fit, and report which.

    Raises RunError if none fits.
    """
    pretrained = open_pretrained(folder)[0].read_arrays()
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
        raise RunError(
            "none of its weights fits this network", where=folder, hint="leave out --model"
        )
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
