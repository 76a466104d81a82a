"""A back-off table: the conditional probabilities of an n-gram model, for vectorised queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.integer]
Symbols = NDArray[np.integer]

DENSE = 1 << 21
"""Maximum combinations of context and symbol for a direct look-up; larger levels are searched."""
SPARSE = 64
"""Maximum combinations per n-gram for a direct look-up.

A classifier may hold a table for each of a thousand labels, where megabytes of places for a dozen
n-grams would add up.
"""


@dataclass(frozen=True)
class Follow:
    """Finds the n-gram of a context and a symbol; n-grams are sorted by context, then by symbol."""

    context: Nodes
    symbol: Symbols
    contexts: int
    size: int

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """One ascending number for each n-gram."""
        return self.context.astype(np.int64) * (self.size + 1) + self.symbol

    @cached_property
    def dense(self) -> NDArray[np.int32] | None:
        """The place of every combination, -1 where unseen; None if they are too many."""
        combinations = self.contexts * (self.size + 1)
        if combinations > min(DENSE, SPARSE * len(self.symbol)):
            return None
        places = np.full(combinations, -1, np.int32)
        places[self.keys] = np.arange(len(self.keys), dtype=np.int32)
        return places

    def __call__(self, contexts: Nodes, symbols: Symbols) -> NDArray[np.int64]:
        """Return the places of n-grams; -1 for unseen ones and for contexts of -1."""
        found = np.full(len(contexts), -1, np.int64)
        known = np.flatnonzero(contexts >= 0)
        sought = contexts[known].astype(np.int64) * (self.size + 1) + symbols[known]
        if self.dense is not None:
            found[known] = self.dense[sought]
        elif len(self.keys):
            place = np.minimum(np.searchsorted(self.keys, sought), len(self.keys) - 1)
            found[known] = np.where(self.keys[place] == sought, place, -1)
        return found


@dataclass(frozen=True)
class OrderTable:
    """The n-grams of one length: last symbols, continuations, probabilities, weights.

    `children` is the number of continuations of each context, `probability` is P(last | context).
    `backoff`, empty in the top order, is the weight of shorter contexts where the whole n-gram is
    the context.
    """

    symbol: Symbols
    children: NDArray[np.integer]
    probability: NDArray[np.float64]
    backoff: NDArray[np.float64]
    size: int

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Where each context's n-grams begin; the last entry is the number of all."""
        return np.concatenate([[0], np.cumsum(self.children, dtype=np.int64)])

    @cached_property
    def follow(self) -> Follow:
        """The look-up of n-grams by context and symbol."""
        contexts = len(self.children)
        return Follow(
            np.repeat(np.arange(contexts), self.children), self.symbol, contexts, self.size
        )


class Table:
    """P(w | h) = P(longest known n-gram h' w), times the back-off weights of longer contexts.

    `orders[n - 1]` holds length n. The first holds every id in order and the start symbol, so
    places in it are ids.
    """

    def __init__(self, size: int, orders: list[OrderTable]) -> None:
        self.size, self.orders = size, orders

    @property
    def order(self) -> int:
        """The model's order: a symbol and its order - 1 predecessors."""
        return len(self.orders)

    @property
    def lengths(self) -> list[int]:
        """Number of n-grams of each length."""
        return [len(level.symbol) for level in self.orders]

    def places(self, sequence: Symbols, longest: int) -> list[Nodes]:
        """Find the n-gram that ends at each step of sequence (rows, time), for n = 1 to `longest`.

        Unseen ones are -1. A sequence may be padded with -1 on the left.
        """
        found: list[Nodes] = [sequence]
        for n in range(2, longest + 1):
            context = np.full(sequence.shape, -1, np.int64)
            context[:, 1:] = found[-1][:, :-1]
            place = self.orders[n - 1].follow(context.ravel(), sequence.ravel())
            found.append(place.reshape(sequence.shape))
        return found

    def probability(
        self, contexts: Sequence[Nodes], wholes: Sequence[Nodes], symbols: Symbols
    ) -> NDArray[np.float64]:
        """Return the probability of one symbol (rows,) after each history.

        `contexts` are the places of the last n = 1 to order - 1 symbols of the history; `wholes`
        those of these with the symbol after them.
        """
        result = self.orders[0].probability[symbols]
        for n, (context, whole) in enumerate(zip(contexts, wholes, strict=True), 1):
            backed_off = result * _at(self.orders[n - 1].backoff, context, np.ones(len(result)))
            result = _at(self.orders[n].probability, whole, backed_off)
        return result

    def query(self, contexts: Sequence[Nodes], symbols: Symbols) -> NDArray[np.float64]:
        """Return the probability of one symbol (rows,) after each history.

        `contexts` are as in `probability`.
        """
        wholes = [self.orders[n].follow(context, symbols) for n, context in enumerate(contexts, 1)]
        return self.probability(contexts, wholes, symbols)

    def score(self, text: Symbols, first: int) -> NDArray[np.float64]:
        """Return the probabilities of a text (rows, width), from column `first` on.

        Each n-gram found is also the context of the next step, which halves the work. At least
        order - 1 symbols stand before the first; rows may be padded with -1 on the left.
        """
        places = self.places(text, self.order)
        contexts = [place[:, first - 1 : -1].ravel() for place in places[:-1]]
        wholes = [place[:, first:].ravel() for place in places[1:]]
        symbols = text[:, first:]
        return self.probability(contexts, wholes, symbols.ravel()).reshape(symbols.shape)

    def continued(self, n: int, contexts: Nodes) -> NDArray[np.bool_]:
        """Mark the n-grams of length n, by place, that have continuations."""
        return self.orders[n].children[contexts] > 0

    def probabilities(self, contexts: Sequence[Nodes], rows: int) -> NDArray[np.float64]:
        """Return the probabilities of all symbols (rows, size) after each history."""
        result = np.tile(self.orders[0].probability[: self.size], (rows, 1))
        for n, context in enumerate(contexts, 1):
            level = self.orders[n]
            reached = np.flatnonzero(context >= 0)
            known = context[reached]
            result *= _at(self.orders[n - 1].backoff, context, np.ones(rows))[:, None]
            counts = level.first[known + 1] - level.first[known]
            # The n-grams of each context stand together: count through each block from its
            # beginning.
            ends = np.cumsum(counts)
            which = np.arange(counts.sum()) + np.repeat(level.first[known] - ends + counts, counts)
            result[np.repeat(reached, counts), level.symbol[which]] = level.probability[which]
        return result


def _at(
    values: NDArray[np.float64], places: Nodes, otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Look values up; `otherwise` where a place is -1."""
    known = places >= 0
    otherwise[known] = values[places[known]]
    return otherwise


def uniform(size: int) -> Table:
    """Build the table of the uniform distribution."""
    probability = np.full(size + 1, 1 / size)
    return Table(size, [unigram_table(probability, probability[:0])])


def unigram_table(probability: NDArray[np.float64], backoff: NDArray[np.float64]) -> OrderTable:
    """Build the table of single symbols, from values for each id and the start symbol."""
    size = len(probability) - 1
    return OrderTable(np.arange(size + 1), np.array([size + 1]), probability, backoff, size)
