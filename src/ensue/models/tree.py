"""Recursive networks: a tree's nodes are computed from their children, all trees of a batch
level by level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.heads import LABEL_HEADS
from ensue.models.contract import Loss, Predictor
from ensue.models.parameters import ParameterMixin, tables_of
from ensue.models.tree_levels import Level, levels_of
from ensue.settings import Settings
from ensue.state import State

BLOCKS = {"binary": (4, 2, 5), "child_sum": (4, 1, 4), "plain": (1, 2, 1)}
"""Of each cell, how many products there are of a word, how many children go into one product,
and how many of those."""


class TreeSettings(Settings):
    """Settings of a network over trees."""

    name: Literal["tree"] = "tree"
    cell: Literal["auto", "binary", "child_sum", "plain"] = "auto"
    """binary: the tree-LSTM with a forget gate for each of two children; child_sum: for any number
    of them, in any order (both Tai et al. 2015); plain: tanh of a linear map of two children
    (Socher et al. 2011). auto takes binary where no node has more than two, and child_sum
    otherwise."""
    embedding: int = Field(default=200, ge=1)
    """Features that stand for a word: the sum of those of its name, its beginning and its
    ending."""
    width: int = Field(default=150, ge=1)
    """Units of a node."""
    input_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of a word's features dropped in training."""
    output_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of a node's units dropped on their way to its label, in training."""
    inner: float = Field(default=1.0, ge=0)
    """What the nats of an inner node's label count in training beside those of the root's."""

    def resolved(self, shape: Fields) -> TreeSettings:
        """Fill in the cell. Raises SettingError if steps of that shape are no nodes, or too many
        for it."""
        if not shape.children:
            hint = "give --format trees, or another model"
            raise SettingError("the model tree reads trees", where="--model", hint=hint)
        if self.cell in ("binary", "plain") and shape.children > 2:
            what = f"a node has up to {shape.children} children, and the cell {self.cell} takes two"
            raise SettingError(
                what, where="model.cell", hint="choose with --set model.cell=child_sum"
            )
        auto = "binary" if shape.children == 2 else "child_sum"
        return self.model_copy(update={"cell": auto}) if self.cell == "auto" else self

    def build(self, shape: Fields, kind: LabelKind, size: int) -> TreeModel:
        """Make the network for trees with such words, and `size` labels. Raises SettingError as
        `resolved` does."""
        return TreeModel(self.resolved(shape), shape, kind, size)


class TreeModel(ParameterMixin, Predictor):
    """p(label of a node | its words) = head(h), h from its word and its children.

    A batch has the fields "symbol", the word of each node or 0, others of that shape that tell more
    of it, and "parent", its parent's place or -1, all (batch, time); "target" of the root, which is
    the last node; and where inner nodes are learned "label", from 1, or 0 for a node without one.

    >>> model = TreeSettings(embedding=4, width=3).build(Fields({"symbol": 9}, children=2),
    ...     "multiclass", 5)
    >>> fields = {"symbol": torch.tensor([[1, 2, 0]]), "parent": torch.tensor([[2, 2, -1]])}
    >>> model(Batch(fields, torch.tensor([3]), torch.ones(1), torch.ones(1))).probs.shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, settings: TreeSettings, shape: Fields, kind: LabelKind, size: int) -> None:
        super().__init__()
        self.settings = settings
        self.tables = tables_of(shape.symbols, settings.embedding)
        of_word, children, of_children = BLOCKS[settings.cell]
        width = settings.width
        self.word = nn.Linear(settings.embedding, of_word * width)
        self.child = nn.Linear(children * width, of_children * width, bias=False)
        self.head = LABEL_HEADS[kind](width, size)
        self._tick: Callable[[Tensor, Tensor, Level], Tensor] = getattr(self, f"_{settings.cell}")

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Give the distribution of the label of every node, (batch, time); past a row's length
        it means nothing."""
        return self.head(self.units(batch))

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Give the nats of each root, and as `extra` those of the inner nodes that have a label,
        while training."""
        rows = torch.arange(len(batch.lengths), device=batch.lengths.device)
        inner = self._learned_beside(batch)
        row, node = torch.cat([torch.stack([rows, batch.lengths - 1]), inner], 1)
        known = F.dropout(self.units(batch)[row, node], self.settings.output_dropout, self.training)
        nats = self.head.nats(known[: len(rows)], batch["target"])
        if not inner.numel():
            return Loss(nats, batch.counts), ()
        beside = self.head.nats(known[len(rows) :], batch["label"][*inner] - 1)
        extra = torch.zeros_like(nats).index_add(0, inner[0], beside)
        return Loss(nats, batch.counts, self.settings.inner * extra), ()

    def _learned_beside(self, batch: Batch[Tensor]) -> Tensor:
        """Give row and place of each node but the roots whose label is learned, (2, nodes)."""
        if self.training and self.settings.inner and "label" in batch.fields:
            return torch.nonzero((batch["label"] > 0) & (batch["parent"] >= 0)).T
        return batch.lengths.new_zeros(2, 0)

    def units(self, batch: Batch[Tensor]) -> Tensor:
        """Give what is known of every node, (batch, time, width); zero past a row's length."""
        symbol = batch["symbol"]
        levels = levels_of(batch["parent"].cpu().numpy(), batch.lengths.cpu().numpy())
        width, like = self.settings.width, self.word.weight
        nothing = like.new_zeros(1, width if self.settings.cell == "plain" else 2 * width)
        found: list[Tensor] = []
        waiting: defaultdict[int, list[Tensor]] = defaultdict(lambda: [nothing])
        for number, level in enumerate(levels):
            new = self._tick(
                self._words(batch, level), torch.cat(waiting.pop(number, [nothing])), level
            )
            found.append(new[:, :width])
            for to, piece in zip(level.pieces, new.split(list(level.pieces.values())), strict=True):
                waiting[to].append(piece)
        places = np.concatenate([level.nodes for level in levels])
        every = like.new_zeros(symbol.numel(), width)
        return every.index_copy_(0, _on(symbol, places), torch.cat(found)).view(
            *symbol.shape, width
        )

    def _words(self, batch: Batch[Tensor], level: Level) -> Tensor:
        """Give what the words of a level's nodes add to their gates, (nodes, ...); without a
        word that is the bias."""
        nodes = _on(batch["symbol"], level.nodes)
        there = batch["symbol"].flatten()[nodes] > 0
        if not there.any():
            return self.word.bias.expand(len(nodes), -1)
        features = torch.stack(
            [table(batch[name].flatten()[nodes]) for name, table in self.tables.items()]
        ).sum(0)
        return self.word(
            F.dropout(features, self.settings.input_dropout, self.training) * there[:, None]
        )

    def _products(self, level: Level, *children: Tensor) -> Tensor:
        """Multiply the units of all children of each node, (nodes, width) each; leaves have
        none, and get zeros."""
        if not len(level.owner):
            return self.child.weight.new_zeros(len(level.nodes), self.child.out_features)
        return self.child(torch.cat(children, 1))

    def _binary(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        left, right = block[_on(block, level.left)], block[_on(block, level.right)]
        width = self.settings.width
        products = self._products(level, left[:, :width], right[:, :width])
        keep_left, keep_right, *others = products.chunk(5, 1)
        # A word forgets nothing, for it has no children: one gate of it stands for both.
        word_keep, *of_word = word.chunk(4, 1)
        write, new, show = (a + b for a, b in zip(others, of_word, strict=True))
        c = torch.sigmoid(write) * torch.tanh(new)
        c = c + torch.sigmoid(keep_left + word_keep) * left[:, width:]
        c = c + torch.sigmoid(keep_right + word_keep) * right[:, width:]
        return torch.cat([torch.sigmoid(show) * torch.tanh(c), c], 1)

    def _child_sum(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        width, owner, below = self.settings.width, _on(block, level.owner), block[1:]
        together = word.new_zeros(len(word), width).index_add(0, owner, below[:, :width])
        of_keep, of_others = self.child.weight[:width], self.child.weight[width:]
        word_keep, *of_word = word.chunk(4, 1)
        write, new, show = (
            a + b for a, b in zip(F.linear(together, of_others).chunk(3, 1), of_word, strict=True)
        )
        keep = torch.sigmoid(F.linear(below[:, :width], of_keep) + word_keep[owner])
        c = (torch.sigmoid(write) * torch.tanh(new)).index_add(0, owner, keep * below[:, width:])
        return torch.cat([torch.sigmoid(show) * torch.tanh(c), c], 1)

    def _plain(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        return torch.tanh(
            word
            + self._products(level, block[_on(block, level.left)], block[_on(block, level.right)])
        )


def _on(like: Tensor, index: np.ndarray) -> Tensor:
    return torch.from_numpy(index).to(like.device)
