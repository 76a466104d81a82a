"""Starting from a run of `generate`: its codec, and its weights where they fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ensue.data.codecs import TextContent, load_codec
from ensue.data.codecs.text import SYMBOL
from ensue.errors import RunError
from ensue.layers import UnidirectionalSettings
from ensue.models.classifier import Classifier, ClassifierSettings
from ensue.models.sequence import SequenceSettings
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC, limit_model_size
from ensue.training.folder.run import Run

HINT = "name a run of `generate` that has a recurrent network"

OF_GENERATE = {f"tables.{SYMBOL}.": "table.", "body.layer.": "body.", "next.": "head."}
"""How the names of a classifier's weights begin, and those of the network of `generate` that
they are taken from."""


def open_pretrained(folder: str) -> tuple[Run, SequenceSettings]:
    """Open the run, with the settings of its network. Raises RunError if it has none."""
    run = Run.open(folder)
    model = run.about["settings"].get("model", {})
    if run.about.get("task") != "generate" or model.get("name") != "sequence":
        raise RunError(
            "there is no network in it that could be taken over", where=folder, hint=HINT
        )
    return run, read_stored(SequenceSettings, model, f"{folder}/run.toml")


def like_pretrained(settings: ClassifierSettings, folder: str) -> ClassifierSettings:
    """Give a network the embedding and the body of that of the run, so that its weights fit."""
    run, model = open_pretrained(folder)
    if not model.embedding:
        raise RunError(
            "its symbols have no embeddings that could be taken over", where=folder, hint=HINT
        )
    with limit_model_size(run):
        model.build(run.parse(CODEC, load_codec).size)
    return settings.model_copy(
        update={"embedding": model.embedding, "body": UnidirectionalSettings(layer=model.body)}
    )


def pretrained_codec(folder: str) -> TextContent:
    """Give the codec of the run, for whole texts; it tells capital letters from small ones."""
    run, _ = open_pretrained(folder)
    return TextContent(run.parse(CODEC, load_codec), lower=False)


@torch.no_grad()
def take_over(network: Classifier, folder: str) -> str:
    """Copy the weights that fit, and say which. Raises RunError if none does."""
    theirs = open_pretrained(folder)[0].read_arrays()
    own, taken = dict(network.named_parameters()), []
    for name, parameter in own.items():
        array = _counterpart(name, theirs)
        # Their table has the start of a text as one symbol more.
        array = (
            array[: len(parameter)] if array is not None and name.startswith("tables.") else array
        )
        if array is not None and array.shape == parameter.shape:
            parameter.copy_(torch.from_numpy(np.array(array)))
            taken.append(name)
    if not taken:
        raise RunError(
            "none of its weights fit this network",
            where=folder,
            hint="leave the model to be chosen",
        )
    rest = [name for name in own if name not in taken]
    return f"weights taken over from {folder}: {_groups(taken)}; new: {_groups(rest) or 'none'}"


def _counterpart(name: str, theirs: Mapping[str, np.ndarray]) -> np.ndarray | None:
    for beginning, other in OF_GENERATE.items():
        if name.startswith(beginning):
            return theirs.get(other + name.removeprefix(beginning))
    return None


def _groups(names: list[str]) -> str:
    """Name weights by the parts that they are of.

    >>> _groups(["tables.symbol.weight", "body.layer.cells.0.bias", "body.layer.cells.0.recurrent"])
    'embeddings, body'
    """
    parts = {"tables": "embeddings", "next": "next-step head"}
    return ", ".join(
        dict.fromkeys(parts.get(name.partition(".")[0], name.partition(".")[0]) for name in names)
    )
