"""Predict, then learn, chunk after chunk: an honest score of a model that goes on learning
(Dawid 1984)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ensue.evaluation.likelihood import Likelihood

Chunk = TypeVar("Chunk")


@dataclass(frozen=True)
class Point:
    """One chunk, and all chunks up to it."""

    chunk: Likelihood
    total: Likelihood


def prequential(
    chunks: Iterable[Chunk], score: Callable[[Chunk], Likelihood], learn: Callable[[Chunk], object]
) -> Iterator[Point]:
    """Score each chunk before it is learned, so that no symbol is ever scored by a model that
    has seen it."""
    total = Likelihood(0.0, 0.0, 0, 0, 0, 0, 0)
    for chunk in chunks:
        likelihood = score(chunk)
        total += likelihood
        yield Point(likelihood, total)
        learn(chunk)
