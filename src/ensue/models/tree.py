"""Recursive networks over trees: each node is computed from its children, level by level."""

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
from ensue.models.parameters import ParameterMixin, build_embeddings
from ensue.models.tree_levels import Level, plan_levels
from ensue.settings import Settings
from ensue.state import State

BLOCKS = {"binary": (4, 2, 5), "child_sum": (4, 1, 4), "plain": (1, 2, 1)}
"""Of each cell: word products, children per child product, and outputs of a child product."""


class TreeSettings(Settings):
    """Settings of a recursive network over trees."""

    name: Literal["tree"] = "tree"
    cell: Literal["auto", "binary", "child_sum", "plain"] = "auto"
    """Tree cell: binary, child_sum (both Tai et al. 2015) or plain (Socher et al. 2011).

    auto is binary for at most two children, else child_sum.
    """
    embedding: int = Field(default=200, ge=1)
    """Features of a word: the sum of the embeddings of its name, prefix and suffix."""
    width: int = Field(default=150, ge=1)
    """Units of a node."""
    input_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout of a word's features."""
    output_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Dropout of a node's units before the head."""
    inner: float = Field(default=1.0, ge=0)
    """Weight of the inner nodes' loss, relative to the root's."""

    def resolved(self, shape: Fields) -> TreeSettings:
        """Fill in the cell.

        Raises SettingError if the data are no trees, or have too many children for the cell.
        """
        if not shape.children:
            hint = "give --format trees, or choose another model"
            raise SettingError("the model tree needs trees", where="--model", hint=hint)
        if self.cell in ("binary", "plain") and shape.children > 2:
            what = f"a node has up to {shape.children} children, and the cell {self.cell} takes two"
            raise SettingError(
                what, where="model.cell", hint="choose with --set model.cell=child_sum"
            )
        auto = "binary" if shape.children == 2 else "child_sum"
        return self.model_copy(update={"cell": auto}) if self.cell == "auto" else self

    def build(self, shape: Fields, kind: LabelKind, size: int) -> TreeModel:
        """Build the network for `size` labels. Raises SettingError as `resolved` does."""
        return TreeModel(self.resolved(shape), shape, kind, size)


class TreeModel(ParameterMixin, Predictor):
    """p(label of a node | its words) = head(h), with h computed from its word and its children.

    A batch has the fields "symbol" (the word of each node, or 0), further word features, and
    "parent" (the parent's place, or -1), all (batch, time). "target" is the label of the root,
    which is the last node. Where labels of inner nodes are trained, "label" has them from 1, and 0
    for none.

    >>> model = TreeSettings(embedding=4, width=3).build(Fields({"symbol": 9}, children=2),
    ...     "multiclass", 5)
    >>> fields = {"symbol": torch.tensor([[1, 2, 0]]), "parent": torch.tensor([[2, 2, -1]])}
    >>> model(Batch(fields, torch.tensor([3]), torch.ones(1))).probs.shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, settings: TreeSettings, shape: Fields, kind: LabelKind, size: int) -> None:
        super().__init__()
        self.settings = settings
        self.tables = build_embeddings(shape.symbols, settings.embedding)
        word_terms, children, child_outputs = BLOCKS[settings.cell]
        width = settings.width
        self.word = nn.Linear(settings.embedding, word_terms * width)
        self.child = nn.Linear(children * width, child_outputs * width, bias=False)
        self.head = LABEL_HEADS[kind](width, size)
        self._compute_nodes: Callable[[Tensor, Tensor, Level], Tensor] = getattr(
            self, f"_{settings.cell}"
        )

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of every node's label, (batch, time).

        Past a row's length it is undefined.
        """
        return self.head(self.units(batch))

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each root; that of labelled inner nodes is a penalty."""
        rows = torch.arange(len(batch.lengths), device=batch.lengths.device)
        inner = self._find_labelled_inner(batch)
        row, node = torch.cat([torch.stack([rows, batch.lengths - 1]), inner], 1)
        known = F.dropout(self.units(batch)[row, node], self.settings.output_dropout, self.training)
        nats = self.head.nats(known[: len(rows)], batch["target"])
        if not inner.numel():
            return Loss(nats, batch.counts), ()
        inner_nats = self.head.nats(known[len(rows) :], batch["label"][*inner] - 1)
        summed = torch.zeros_like(nats).index_add(0, inner[0], inner_nats)
        penalties = {"inner nodes": self.settings.inner * summed}
        return Loss(nats, batch.counts, penalties=penalties), ()

    def _find_labelled_inner(self, batch: Batch[Tensor]) -> Tensor:
        """Return row and place of each labelled inner node to train on, (2, nodes)."""
        if self.training and self.settings.inner and "label" in batch.fields:
            return torch.nonzero((batch["label"] > 0) & (batch["parent"] >= 0)).T
        return batch.lengths.new_zeros(2, 0)

    def units(self, batch: Batch[Tensor]) -> Tensor:
        """Compute the units of every node, (batch, time, width); zero past a row's length."""
        symbol = batch["symbol"]
        levels = plan_levels(batch["parent"].cpu().numpy(), batch.lengths.cpu().numpy())
        width, like = self.settings.width, self.word.weight
        missing = like.new_zeros(1, width if self.settings.cell == "plain" else 2 * width)
        outputs: list[Tensor] = []
        pending: defaultdict[int, list[Tensor]] = defaultdict(lambda: [missing])
        for number, level in enumerate(levels):
            new = self._compute_nodes(
                self._words(batch, level), torch.cat(pending.pop(number, [missing])), level
            )
            outputs.append(new[:, :width])
            for to, piece in zip(level.pieces, new.split(list(level.pieces.values())), strict=True):
                pending[to].append(piece)
        places = np.concatenate([level.nodes for level in levels])
        every = like.new_zeros(symbol.numel(), width)
        return every.index_copy_(0, _to_index(symbol, places), torch.cat(outputs)).view(
            *symbol.shape, width
        )

    def _words(self, batch: Batch[Tensor], level: Level) -> Tensor:
        """Return the word terms of the gates of a level's nodes, (nodes, ...).

        Without a word this is the bias.
        """
        nodes = _to_index(batch["symbol"], level.nodes)
        has_word = batch["symbol"].flatten()[nodes] > 0
        if not has_word.any():
            return self.word.bias.expand(len(nodes), -1)
        features = torch.stack(
            [table(batch[name].flatten()[nodes]) for name, table in self.tables.items()]
        ).sum(0)
        return self.word(
            F.dropout(features, self.settings.input_dropout, self.training) * has_word[:, None]
        )

    def _products(self, level: Level, *children: Tensor) -> Tensor:
        """Multiply the units of each node's children, (nodes, width) each.

        Leaves have no children, and get zeros.
        """
        if not len(level.owner):
            return self.child.weight.new_zeros(len(level.nodes), self.child.out_features)
        return self.child(torch.cat(children, 1))

    def _binary(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        left, right = block[_to_index(block, level.left)], block[_to_index(block, level.right)]
        width = self.settings.width
        products = self._products(level, left[:, :width], right[:, :width])
        forget_left, forget_right, *others = products.chunk(5, 1)
        # A word forgets nothing, for it has no children: one gate of it stands for both.
        word_forget, *word_terms = word.chunk(4, 1)
        input_gate, candidate, output_gate = (
            a + b for a, b in zip(others, word_terms, strict=True)
        )
        c = torch.sigmoid(input_gate) * torch.tanh(candidate)
        c = c + torch.sigmoid(forget_left + word_forget) * left[:, width:]
        c = c + torch.sigmoid(forget_right + word_forget) * right[:, width:]
        return torch.cat([torch.sigmoid(output_gate) * torch.tanh(c), c], 1)

    def _child_sum(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        width, owner, below = self.settings.width, _to_index(block, level.owner), block[1:]
        child_sum = word.new_zeros(len(word), width).index_add(0, owner, below[:, :width])
        forget_weight, other_weights = self.child.weight[:width], self.child.weight[width:]
        word_forget, *word_terms = word.chunk(4, 1)
        input_gate, candidate, output_gate = (
            a + b
            for a, b in zip(F.linear(child_sum, other_weights).chunk(3, 1), word_terms, strict=True)
        )
        forget = torch.sigmoid(F.linear(below[:, :width], forget_weight) + word_forget[owner])
        c = (torch.sigmoid(input_gate) * torch.tanh(candidate)).index_add(
            0, owner, forget * below[:, width:]
        )
        return torch.cat([torch.sigmoid(output_gate) * torch.tanh(c), c], 1)

    def _plain(self, word: Tensor, block: Tensor, level: Level) -> Tensor:
        return torch.tanh(
            word
            + self._products(
                level, block[_to_index(block, level.left)], block[_to_index(block, level.right)]
            )
        )


def _to_index(like: Tensor, index: np.ndarray) -> Tensor:
    return torch.from_numpy(index).to(like.device)
