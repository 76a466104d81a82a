"""What an n-gram model answers: the distribution of the next symbol after each step, computed when asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from ensue.models.ngram.table import Nodes, Table


class NextSymbol(Distribution):
    """P(symbol | history) for each step (batch, time), in float64.

    `log_prob` looks up the symbols asked for and nothing else; `probs` is the whole distribution.
    """

    def __init__(self, table: Table, sequence: Tensor, time: int) -> None:
        """Take what was read, (batch, order - 1 + time), earlier steps first; -1 stands for nothing."""
        self.table, self.device = table, sequence.device
        self.sequence = sequence.cpu().numpy()
        super().__init__(torch.Size((len(sequence), time)), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None: it is made of a table, not of parameters."""
        return {}

    @cached_property
    def _contexts(self) -> list[Nodes]:
        """Places of the last n = 1 to order - 1 symbols read at each step, (batch * time,)."""
        places = self.table.places(self.sequence, self.table.order - 1)
        return [place[:, self.table.order - 1 :].ravel() for place in places[: self.table.order - 1]]

    def log_prob(self, value: Tensor) -> Tensor:
        """Give the log-probability, in nats, of symbols (..., batch, time)."""
        value = value.expand(torch.broadcast_shapes(value.shape, self.batch_shape))
        symbols = value.cpu().numpy()
        if symbols.ndim == 2 and np.array_equal(symbols[:, :-1], self.sequence[:, self.table.order :]):
            probability = self._of_what_followed(symbols)
        else:
            contexts = [np.broadcast_to(place.reshape(self.batch_shape), symbols.shape) for place in self._contexts]
            flat = [context.ravel() for context in contexts]
            wholes = self.table.follow(flat, symbols.ravel())
            probability = self.table.probability(flat, wholes, symbols.ravel())
        return torch.from_numpy(np.log(probability)).reshape(value.shape).to(self.device)

    def _of_what_followed(self, symbols: np.ndarray) -> np.ndarray:
        """Score a text by itself: each n-gram found is also the context of the next step, which halves the work."""
        order = self.table.order
        places = self.table.places(np.concatenate([self.sequence, symbols[:, -1:]], 1), order)
        contexts = [place[:, order - 1 : -1].ravel() for place in places[:-1]]
        wholes = [place[:, order:].ravel() for place in places[1:]]
        return self.table.probability(contexts, wholes, symbols.ravel())

    @cached_property
    def probs(self) -> Tensor:
        """The probability of every symbol, (batch, time, size)."""
        probabilities = self.table.probabilities(self._contexts, self.batch_shape.numel())
        return torch.from_numpy(probabilities).view(*self.batch_shape, self.table.size).to(self.device)

    @cached_property
    def depth(self) -> Tensor:
        """How many of the last symbols read make a context that something followed, (batch, time): 0 to order - 1."""
        longest = np.zeros(self.batch_shape.numel(), np.int64)
        for n, context in enumerate(self._contexts, 1):
            longest[(context >= 0) & (self.table.rungs[n].children[context] > 0)] = n
        return torch.from_numpy(longest).view(self.batch_shape).to(self.device)

    def sample(self, sample_shape: _size = ()) -> Tensor:
        """Draw symbols (*sample_shape, batch, time)."""
        shape = torch.Size(sample_shape)
        rows = self.probs.view(-1, self.table.size)
        drawn = torch.multinomial(rows, shape.numel(), replacement=True)
        return drawn.T.reshape(*shape, *self.batch_shape)
