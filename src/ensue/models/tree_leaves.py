"""Sequence models over trees: they read the words of the leaves in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelCodec
from ensue.data.dataset import Examples
from ensue.data.labelled import Fields
from ensue.models.contract import Loss, Predictor
from ensue.models.parameters import WrapperMixin
from ensue.models.tree import TreeSettings
from ensue.state import State


def build_classifier(settings: Any, shape: Fields, labels: LabelCodec) -> Predictor:
    """Build a classifier; a sequence model reads the leaves of trees.

    Raises SettingError for settings that do not fit the data.
    """
    if not shape.children or isinstance(settings, TreeSettings):
        return settings.build(shape, labels.kind, labels.size)
    return LeavesOnly(settings.build(leaf_fields(shape), labels.kind, labels.size))


class LeavesOnly(nn.Module, WrapperMixin, Predictor):
    """p(label of the root | words) by a sequence model; labels of inner nodes are not used."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def fit(self, train: Examples, validation: Examples) -> tuple[str, ...] | None:
        """Fit on the words of the training part, and select on those of the validation part."""
        return self.model.fit(_select_leaves(train), _select_leaves(validation))

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        return self.model(select_words(batch))

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of the sequence model."""
        return self.model.loss(select_words(batch), state)


def leaf_fields(shape: Fields) -> Fields:
    """Return the fields that a sequence model reads: for trees, the words by name alone."""
    return Fields({"symbol": shape.symbols["symbol"]}) if shape.children else shape


def select_words(batch: Batch[Tensor]) -> Batch[Tensor]:
    """Keep the symbols of the nodes that have a word, in order.

    >>> fields = {"symbol": torch.tensor([[0, 5, 0, 3]]), "parent": torch.tensor([[2, 2, 3, -1]])}
    >>> words = select_words(Batch(fields, torch.tensor([4]), torch.ones(1)))
    >>> words["symbol"].tolist(), words.lengths.tolist()
    ([[5, 3]], [2])
    """
    symbol = batch["symbol"]
    has_word = (symbol > 0) & (
        torch.arange(symbol.shape[1], device=symbol.device) < batch.lengths[:, None]
    )
    lengths = has_word.sum(1)
    first = torch.argsort(has_word.int(), dim=1, descending=True, stable=True)[
        :, : int(lengths.max())
    ]
    return replace(
        batch,
        fields={**batch.fields, "symbol": (symbol * has_word).gather(1, first)},
        lengths=lengths,
    )


def _select_leaves(examples: Examples) -> Examples:
    symbol = np.asarray(examples.steps["symbol"])
    offsets = np.concatenate([[0], np.cumsum(symbol > 0)])[examples.offsets]
    return Examples(offsets, {"symbol": symbol[symbol > 0]}, examples.static)
