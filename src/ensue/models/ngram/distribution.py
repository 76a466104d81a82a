"""The lazily computed distribution of the next symbol under an n-gram model."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.types import _size

from ensue.models.ngram.packed import PackedTable, check
from ensue.models.ngram.table import Nodes, Table


class NextSymbol(Distribution):
    """P(symbol | history) for each step (batch, time), in float64.

    `log_prob` looks up the given symbols only; `probs` is the full distribution.
    """

    # it is made of a table, not of parameters
    arg_constraints: ClassVar = {}  # type: ignore[bad-override]

    def __init__(self, table: Table | PackedTable, sequence: Tensor, time: int) -> None:
        """Take the symbols read, (batch, order - 1 + time), earlier steps first.

        -1 stands for none.
        """
        self.table, self.device = table, sequence.device
        self.sequence = sequence.cpu().numpy()
        super().__init__(torch.Size((len(sequence), time)), validate_args=False)

    @cached_property
    def _contexts(self) -> list[Nodes]:
        """Places of the last n = 1 to order - 1 symbols read at each step, (batch * time,)."""
        places = self.table.places(self.sequence, self.table.order - 1)
        return [
            place[:, self.table.order - 1 :].ravel() for place in places[: self.table.order - 1]
        ]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability, in nats, of symbols (..., batch, time).

        Raises ValueError for ids that are no symbols.
        """
        value = value.expand(torch.broadcast_shapes(value.shape, self.batch_shape))
        symbols = value.cpu().numpy()
        if symbols.size and not 0 <= int(symbols.min()) <= int(symbols.max()) < self.table.size:
            raise ValueError(
                f"symbols go from {symbols.min()} to {symbols.max()}, not from 0 to "
                f"{self.table.size - 1}"
            )
        if symbols.ndim == 2 and np.array_equal(
            symbols[:, :-1], self.sequence[:, self.table.order :]
        ):
            probability = self.table.score(
                np.concatenate([self.sequence, symbols[:, -1:]], 1), self.table.order
            )
        else:
            contexts = [
                np.broadcast_to(place.reshape(self.batch_shape), symbols.shape)
                for place in self._contexts
            ]
            probability = self.table.query(
                [context.ravel() for context in contexts], symbols.ravel()
            )
        # Smoothing leaves a probability to each symbol: only a damaged model has none.
        check(bool((probability > 0).all()), "it gives a symbol no probability")
        return torch.from_numpy(np.log(probability)).reshape(value.shape).to(self.device)

    def at(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of every symbol and the depth at some steps only.

        They are (chosen, size) and (chosen,); `steps` is a mask (batch, time). The other steps cost
        nothing: with a large vocabulary, all distributions of a text do not fit in memory.
        """
        chosen = steps.cpu().numpy().ravel()
        contexts = [context[chosen] for context in self._contexts]
        probabilities = torch.from_numpy(self.table.probabilities(contexts, int(chosen.sum())))
        return probabilities.to(self.device), self.depth.to(steps.device)[steps].to(self.device)

    @cached_property
    def probs(self) -> Tensor:
        """The probability of every symbol, (batch, time, size)."""
        probabilities = self.table.probabilities(self._contexts, self.batch_shape.numel())
        return (
            torch.from_numpy(probabilities).view(*self.batch_shape, self.table.size).to(self.device)
        )

    @cached_property
    def depth(self) -> Tensor:
        """Length of the longest known context at each step, (batch, time): 0 to order - 1."""
        longest = np.zeros(self.batch_shape.numel(), np.int64)
        for n, context in enumerate(self._contexts, 1):
            known = np.flatnonzero(context >= 0)
            longest[known[self.table.continued(n, context[known])]] = n
        return torch.from_numpy(longest).view(self.batch_shape).to(self.device)

    def sample(self, sample_shape: _size = ()) -> Tensor:
        """Sample symbols (*sample_shape, batch, time)."""
        shape = torch.Size(sample_shape)
        rows = self.probs.view(-1, self.table.size)
        drawn = torch.multinomial(rows, shape.numel(), replacement=True)
        return drawn.T.reshape(*shape, *self.batch_shape)
