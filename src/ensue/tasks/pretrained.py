"""A run of `generate` that another training starts from: its codec, and the weights that fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch

from ensue.batch import select_named
from ensue.data.codecs import TextContent, load_codec
from ensue.data.codecs.grown import Grown
from ensue.data.codecs.text import SYMBOL
from ensue.data.contract import Codec
from ensue.data.text_parts import TextParts
from ensue.errors import RunError, SettingError
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.unigram import symbol_counts
from ensue.models.classifier import Classifier, ClassifierSettings
from ensue.models.parameters import load_into
from ensue.models.sequence import SequenceModel, SequenceSettings, grow_symbols
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC
from ensue.tasks.held import limit_model_size
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import WEIGHTS, Run

HINT = "name a run of `generate` that has a recurrent network"
COUNTERPARTS = {f"tables.{SYMBOL}.": "table.", "body.layer.": "body.", "next.": "head."}
"""Prefixes of a classifier's weights, and of the pretrained weights that they are copied from."""
SHOWN = 10
"""New symbols that a note names."""


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


def grow_codec(folder: str, settings: Any, known: Mapping[str, Any] | None) -> Grown:
    """Return what fits a codec with the symbols of the pretrained run, and more by `settings`.

    A run that has its codec (`known`) needs the pretrained one no more.
    """
    return Grown(load_codec(dict(known)) if known else Pretrained.open(folder).codec, settings)


def load_pretrained(
    folder: str, network: SequenceModel, data: TextParts, symbols: int, on_event: Callback
) -> dict[str, Any]:
    """Load the weights of a pretrained run, and return what the report says of it.

    New symbols begin as copies of the unknown symbol, and share its probability with it. So the
    network begins with the distribution that it had. About so many `symbols` of the validation part
    are scored before it is trained further.
    """
    pretrained, codec = Pretrained.open(folder), data.codec
    old = pretrained.codec
    first, count = codec.size if old.unknown is None else old.unknown, codec.size - old.size
    new = np.arange(first, first + count)  # they come before the unknown symbol
    sharing = np.arange(first, min(first + count + 1, codec.size))
    load_into(network, grow_symbols(pretrained.network().arrays(), network, new, sharing), folder)
    counts = symbol_counts(data.train.ids, codec.size)[new]
    share = float(counts.sum() / len(data.train))
    note = f"no symbol was added to those of {folder}"
    if count:
        names = [repr(codec.symbol(id)) for id in new[np.argsort(-counts, kind="stable")[:SHOWN]]]
        named = ", ".join(names) + f" and {count - SHOWN:,} more" * (count > SHOWN)
        note = f"new symbols, added to those of {folder}: {named}"
        note += f" ({count:,}, {share:.2%} of the training part)"
    on_event(Note(note))
    # As `ensue evaluate` scores its run: there new symbols are unknown, and cost their spelling.
    spelling = np.zeros(codec.size)
    spelling[sharing] = -log(count + 1)
    for id in new.tolist():
        spelling[id] += sum(nats for _, nats in old.unknowns(codec.symbol(id)))
    network.eval()
    before = ScoredText.of(data.validation, symbols).nats_per_character(network, spelling)
    network.train()
    return {"run": folder, "new": count, "share": share, "before": before}


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
