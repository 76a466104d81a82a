"""Log-likelihood of held-out text under n-gram counts, and selection of the order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram.levels import Counts, Ids, Level, add_starts
from ensue.models.ngram.smoothing import Smoothing
from ensue.models.ngram.table import Follow, Nodes

Part = tuple[Ids, NDArray[np.integer]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True)
class Step:
    """The n-grams of one length at each step of a text: places of contexts and whole n-grams.

    A place is -1 where the n-gram is unseen.
    """

    level: Level
    contexts: int
    context: Nodes
    whole: Nodes


def find_steps(counts: Counts, part: Part) -> Iterator[Step]:
    """Look up all n-grams of a part among the counts, from length 1 to the longest."""
    text = add_starts(*part, counts.size)
    scored = np.flatnonzero(text != counts.size)
    place = text.astype(np.int64)
    yield Step(counts.levels[0], 1, np.zeros(len(scored), np.int64), place[scored])
    for below, level in zip(counts.levels, counts.levels[1:], strict=False):
        contexts = len(below.symbol)
        context = place[scored - 1]
        place = np.full(len(text), -1)
        place[scored] = Follow(level.context, level.symbol, contexts, counts.size)(
            context, text[scored]
        )
        yield Step(level, contexts, context, place[scored])


def nats_by_order(counts: Counts, part: Part, smoothing: Smoothing) -> NDArray[np.float64]:
    """Compute the nats of a part under the model of each order, from 1.

    A model counts differently at its top order than below. So all share the chain of lower orders,
    and each order adds its own top.
    """
    lower: NDArray[np.float64] | float = 1 / counts.size
    nats = []
    for n, step in enumerate(find_steps(counts, part), 1):
        top = _mix(smoothing.shares(counts, n, True), step, lower)
        nats.append(-np.log(top).sum())
        if n < len(counts.levels):
            lower = _mix(smoothing.shares(counts, n, False), step, lower)
    return np.array(nats)


def _mix(
    shares: tuple[NDArray, NDArray], step: Step, lower: NDArray | float
) -> NDArray[np.float64]:
    own, rest = np.append(shares[0], 0.0), np.append(shares[1], 1.0)
    return own[step.whole] + rest[step.context] * lower


def compute_nats(counts: Counts, steps: Sequence[Step], smoothing: Smoothing) -> float:
    """Compute the nats under the model whose order is the number of lengths in `steps`."""
    probability: NDArray[np.float64] | float = 1 / counts.size
    for n, step in enumerate(steps, 1):
        probability = _mix(smoothing.shares(counts, n, n == len(steps)), step, probability)
    return -np.log(probability).sum()


def choose_order(counts: Counts, part: Part, smoothing: Smoothing) -> int:
    """Select the order with the highest held-out likelihood; the smallest of equals."""
    return int(np.argmin(nats_by_order(counts, part, smoothing))) + 1
