"""Text scores for the comparison table, and the uniform and unigram baselines."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.intervals import Chunks, Interval, difference, intervals
from ensue.evaluation.likelihood import Likelihood, Nats
from ensue.evaluation.ranking import Role

_PART = 1 << 20


@dataclass(frozen=True)
class TextScore:
    """Score of one language model: likelihood of the text, training time and parameters."""

    name: str
    role: Role
    likelihood: Likelihood
    chunks: Chunks
    seconds: float
    """Training time."""
    parameters: int
    """Number of trained parameters."""

    @property
    def unit(self) -> str:
        """Unit of the cost."""
        return "nats per character"

    @property
    def higher(self) -> bool:
        """Whether 1 - cost is shown."""
        return False

    @property
    def cost(self) -> float:
        """Nats per character, by which models are compared."""
        return self.likelihood.nats_per_character

    @property
    def count(self) -> int:
        """Number of chunks of text that the cost is the mean of."""
        return len(self.chunks.nats)

    def paired_difference(self, other: TextScore) -> tuple[float, Interval]:
        """Return the cost of this model - that of the other, and its 95 % interval, paired."""
        return difference(self.chunks, other.chunks, self.likelihood.characters)

    @property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of the metrics."""
        return intervals(self.chunks, self.likelihood)

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        facts = {
            "name": self.name,
            "role": self.role,
            "seconds": self.seconds,
            "parameters": self.parameters,
        }
        return facts | self.likelihood.to_json(self.intervals)


def text_score(
    name: str, role: Role, text: Corpus, nats: Nats, *, seconds: float, parameters: int
) -> TextScore:
    """Make a row of the table from the nats of each symbol of the text."""
    return TextScore(
        name, role, Likelihood.of(text, nats), Chunks.of(text, nats), seconds, parameters
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
