"""The cheap alternatives beside the model, on the same text."""

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
    """One line of the table: a model, what the text costs under it, and what the model itself
    cost."""

    name: str
    role: Role
    likelihood: Likelihood
    chunks: Chunks
    seconds: float
    """How long it took to train."""
    parameters: int
    """How many numbers it has learned."""

    @property
    def unit(self) -> str:
        """What its cost is counted in."""
        return "nats per character"

    @property
    def higher(self) -> bool:
        """Whether a person is told 1 - cost."""
        return False

    @property
    def cost(self) -> float:
        """What models are compared by: nats per character."""
        return self.likelihood.nats_per_character

    @property
    def count(self) -> int:
        """How many chunks of text its cost is the mean of."""
        return len(self.chunks.nats)

    def paired_difference(self, other: TextScore) -> tuple[float, Interval]:
        """Give by how much this one costs more than the other, and the 95 % interval, on the
        same chunks of text."""
        return difference(self.chunks, other.chunks, self.likelihood.characters)

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals of its figures."""
        return intervals(self.chunks, self.likelihood)

    def to_json(self) -> dict[str, Any]:
        """Give the row as plain JSON values."""
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
    """Make a line of the table from the nats of each symbol of the text."""
    return TextScore(
        name, role, Likelihood.of(text, nats), Chunks.of(text, nats), seconds, parameters
    )


def uniform_nats(text: Corpus, size: int) -> Nats:
    """Score a text when all symbols are equally likely at any place."""
    return np.full(len(text.ids), log(size))


def symbol_counts(ids: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """Count each symbol, (size,)."""
    counts = np.zeros(size, np.int64)
    for begin in range(
        0, len(ids), _PART
    ):  # in parts, since counting makes wide copies of a memory map
        counts += np.bincount(ids[begin : begin + _PART], minlength=size)
    return counts


def unigram_nats(text: Corpus, counts: NDArray[np.int64]) -> Nats:
    """Score a text when each symbol is as likely as it was frequent, (size,), plus one
    (Laplace)."""
    smoothed = counts + 1.0
    return -np.log(smoothed / smoothed.sum())[text.ids]
