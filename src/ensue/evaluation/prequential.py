"""Prequential evaluation of online learning: predict each chunk, then learn it (Dawid 1984)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ensue.evaluation.likelihood import Likelihood

Chunk = TypeVar("Chunk")


@dataclass(frozen=True)
class Point:
    """Likelihood of one chunk, and of all chunks up to it."""

    chunk: Likelihood
    total: Likelihood


def prequential(
    chunks: Iterable[Chunk], score: Callable[[Chunk], Likelihood], learn: Callable[[Chunk], object]
) -> Iterator[Point]:
    """Score each chunk before it is learned, so that no model scores symbols that it has seen."""
    total = Likelihood(0.0, 0.0, 0, 0, 0, 0, 0)
    for chunk in chunks:
        likelihood = score(chunk)
        total += likelihood
        yield Point(likelihood, total)
        learn(chunk)
