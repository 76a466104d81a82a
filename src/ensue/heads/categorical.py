"""Categorical head: a linear layer and a softmax."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Categorical as Choice
from torch.nn import functional as F

from ensue.heads.contract import Head, compute_nats
from ensue.heads.paths import to_float32
from ensue.settings import Settings


class CategoricalSettings(Settings):
    """Settings of the categorical head."""

    name: Literal["categorical"] = "categorical"
    tied: bool = False
    """Tie output weights to the input embeddings (Press & Wolf 2017); needs embedded input."""

    def build(self, features: int, size: int, table: nn.Embedding | None = None) -> Categorical:
        """Build the head for `size` symbols; the first `size` rows of `table` embed them."""
        return Categorical(features, size, table if self.tied else None)


class Categorical(Head):
    """P(y) = softmax(W f + b)_y.

    With a `table` of input embeddings, W is tied to its rows. If widths differ, a linear layer maps
    the features first.

    >>> head = CategoricalSettings().build(8, 5)
    >>> head(torch.zeros(2, 3, 8)).probs.shape
    torch.Size([2, 3, 5])
    """

    def __init__(self, features: int, size: int, table: nn.Embedding | None = None) -> None:
        super().__init__()
        self.features, self.size = features, size
        self.table, self.change = table, None
        if table is None:
            self.linear = nn.Linear(features, size)
        else:
            self.bias = nn.Parameter(torch.zeros(size))
            if table.embedding_dim != features:
                self.change = nn.Linear(features, table.embedding_dim, bias=False)

    def forward(self, features: Tensor) -> Choice:
        """Map features (..., features) to a distribution over ids."""
        return Choice(logits=self.scores(features), validate_args=False)

    def scores(self, features: Tensor) -> Tensor:
        """Return logits (..., size)."""
        if self.table is None:
            scores = self.linear(features)
        else:
            features = features if self.change is None else self.change(features)
            scores = F.linear(features, self.table.weight[: self.size], self.bias)
        # A softmax in half precision loses the tail, which dominates the likelihood.
        return to_float32(scores)

    def nats(self, features: Tensor, target: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target, in nats, by a fused softmax."""
        return compute_nats(self.scores(features), target)
