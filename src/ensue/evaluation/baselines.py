"""The cheap alternatives beside the model, on the same text, and the sentence that says which to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.intervals import Chunks, Interval, difference, intervals
from ensue.evaluation.likelihood import Likelihood, Nats

_PART = 1 << 20

Role = Literal["baseline", "network", "mixture"]


@dataclass(frozen=True)
class Row:
    """One line of the table: a model, what the text costs under it, and what the model itself cost."""

    name: str
    role: Role
    likelihood: Likelihood
    chunks: Chunks
    seconds: float
    """How long it took to train."""
    parameters: int
    """How many numbers it has learned."""

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % intervals of its figures."""
        return intervals(self.chunks, self.likelihood)

    def to_json(self) -> dict[str, Any]:
        """Give the row as plain JSON values."""
        facts = {"name": self.name, "role": self.role, "seconds": self.seconds, "parameters": self.parameters}
        return facts | self.likelihood.to_json(self.intervals)


def row(name: str, role: Role, text: Corpus, nats: Nats, *, seconds: float, parameters: int) -> Row:
    """Make a line of the table from the nats of each symbol of the text."""
    return Row(name, role, Likelihood.of(text, nats), Chunks.of(text, nats), seconds, parameters)


def uniform_nats(text: Corpus, size: int) -> Nats:
    """Score a text when all symbols are equally likely at any place."""
    return np.full(len(text.ids), log(size))


def symbol_counts(ids: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """Count each symbol, (size,)."""
    counts = np.zeros(size, np.int64)
    for begin in range(0, len(ids), _PART):  # in parts, since counting makes wide copies of a memory map
        counts += np.bincount(ids[begin : begin + _PART], minlength=size)
    return counts


def unigram_nats(text: Corpus, counts: NDArray[np.int64]) -> Nats:
    """Score a text when each symbol is as likely as it was frequent, (size,), plus one (Laplace)."""
    smoothed = counts + 1.0
    return -np.log(smoothed / smoothed.sum())[text.ids]


def recommended(rows: Sequence[Row]) -> Row:
    """Give the best model, or, of those that do not differ from it, the one that trains faster.

    A difference counts if its 95 % interval, of the two on the same chunks of the text, does not contain zero.
    """
    best = min(rows, key=_cost)
    tied = [other for other in rows if other is best or difference(other.chunks, best.chunks, _size(best))[1][0] <= 0]
    return min(tied, key=lambda other: other.seconds)


def verdict(rows: Sequence[Row]) -> str:
    """Say which model to use, and whether the network earns what it costs."""
    best, chosen = min(rows, key=_cost), recommended(rows)
    sentence = f"use {chosen.name}: {_cost(chosen):.3f} nats per character"
    if chosen is not best:
        sentence += f" ({best.name}, {_cost(best):.3f}, does not differ beyond chance and takes longer to train)"
    networks = [other for other in rows if other.role == "network"]
    baselines = [other for other in rows if other.role == "baseline"]
    if not networks or not baselines:
        return sentence
    return f"{sentence}; {_earnings(min(networks, key=_cost), min(baselines, key=_cost))}"


def _earnings(network: Row, baseline: Row) -> str:
    saved, (low, high) = difference(baseline.chunks, network.chunks, _size(network))
    if low > 0:
        what = f"earns its cost: it saves {saved:.3f} nats per character [{low:.3f}, {high:.3f}] over {baseline.name}"
    elif high < 0:
        what = f"does not earn its cost: {baseline.name} is better by {-saved:.3f} nats per character"
        what += f" [{-high:.3f}, {-low:.3f}]"
    else:
        what = f"does not earn its cost: its difference from {baseline.name}, {saved:+.3f} nats per character"
        what += f" [{low:+.3f}, {high:+.3f}], may be chance"
    times = f"{_time(network.seconds)} of training against {_time(baseline.seconds)}"
    return f"the network ({network.name}) {what}, with {times}"


def _cost(row: Row) -> float:
    return row.likelihood.nats_per_character


def _size(row: Row) -> int:
    return row.likelihood.characters


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
