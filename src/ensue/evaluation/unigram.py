"""Text scores for the comparison table, and the uniform and unigram baselines."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.intervals import Chunks, intervals
from ensue.evaluation.likelihood import Likelihood, Nats
from ensue.evaluation.scores import Role, Score

_PART = 1 << 20


def text_score(
    name: str, role: Role, text: Corpus, nats: Nats, *, seconds: float, parameters: int
) -> Score:
    """Make a row of the table from the nats of each symbol of the text.

    Symbols depend on their neighbours, so models are compared chunk by chunk.
    """
    likelihood, chunks = Likelihood.of(text, nats), Chunks.of(text, nats)
    return Score(
        name,
        role,
        likelihood.metrics,
        intervals(chunks, likelihood),
        chunks.nats,
        "nats per character",
        seconds,
        parameters,
        sizes=chunks.symbols * (max(likelihood.characters, 1) / chunks.symbols.sum()),
        count=likelihood.symbols,
        totals=likelihood.totals,
    )


def uniform_nats(text: Corpus, size: int) -> Nats:
    """Return the nats of each symbol under the uniform distribution."""
    return np.full(len(text.ids), log(size))


def symbol_counts(ids: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """Count each symbol, (size,)."""
    counts = np.zeros(size, np.int64)
    # In parts, because bincount would copy a memory map to wider integers.
    for begin in range(0, len(ids), _PART):
        counts += np.bincount(ids[begin : begin + _PART], minlength=size)
    return counts


def unigram_nats(text: Corpus, counts: NDArray[np.int64]) -> Nats:
    """Return the nats of each symbol under a unigram model with add-one smoothing (Laplace)."""
    smoothed = counts + 1.0
    return -np.log(smoothed / smoothed.sum())[text.ids]
