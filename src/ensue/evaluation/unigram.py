"""Measures of a text for the comparison table, and the uniform and unigram baselines."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.intervals import Chunks, intervals
from ensue.evaluation.likelihood import Likelihood, Nats
from ensue.evaluation.scores import Measured

_PART = 1 << 20


def measure_text(text: Corpus, nats: Nats) -> Measured:
    """Measure a model by the nats of each symbol of a text.

    Symbols depend on their neighbours, so models are compared chunk by chunk.
    """
    likelihood, chunks = Likelihood.of(text, nats), Chunks.of(text, nats)
    return Measured(
        likelihood.metrics,
        intervals(chunks, likelihood),
        chunks.nats,
        "nats per character",
        sizes=chunks.symbols * (max(likelihood.characters, 1) / chunks.symbols.sum()),
        count=likelihood.symbols,
        totals=likelihood.totals,
    )


@dataclass(frozen=True)
class Frequencies:
    """A distribution of symbols that is the same at every step."""

    each: NDArray[np.float64]
    """Negative log-probability of each symbol, in nats."""
    parameter_count: int

    @staticmethod
    def uniform(size: int) -> Frequencies:
        """Make the uniform distribution."""
        return Frequencies(np.full(size, log(size)), 0)

    @staticmethod
    def unigram(counts: NDArray[np.int64]) -> Frequencies:
        """Make a unigram model with add-one smoothing (Laplace)."""
        smoothed = counts + 1.0
        return Frequencies(-np.log(smoothed / smoothed.sum()), len(counts))

    def nats(self, text: Corpus) -> Nats:
        """Return the nats of each symbol of a text."""
        return self.each[text.ids]


def symbol_counts(ids: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """Count each symbol, (size,)."""
    counts = np.zeros(size, np.int64)
    # In parts, because bincount would copy a memory map to wider integers.
    for begin in range(0, len(ids), _PART):
        counts += np.bincount(ids[begin : begin + _PART], minlength=size)
    return counts
