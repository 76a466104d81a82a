"""Places of highest surprisal in a text: errors, names, changes of subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.likelihood import Nats

_BEFORE = 40


@dataclass(frozen=True)
class SurprisingPlace:
    """A symbol of high surprisal, with the text before it."""

    position: int
    """In symbols, from 0."""
    line: int
    before: str
    symbol: str
    nats: float


def highest_surprisal(
    nats: Nats, lines: NDArray[np.int64], text: Callable[[int, int], str], *, count: int, apart: int
) -> list[SurprisingPlace]:
    """Return the places of highest surprisal, highest first.

    `text` returns the text between two positions. Places are more than `apart` symbols from each
    other, unless there are too few of these.
    """
    free, found = np.ones(len(nats), dtype=bool), []
    ranked = np.argsort(-nats, kind="stable")
    for position in ranked.tolist():
        if len(found) == count:
            break
        if free[position]:
            free[max(position - apart, 0) : position + apart + 1] = False
            found.append(position)
    found += ranked[~np.isin(ranked, found)][: count - len(found)].tolist()
    return [
        SurprisingPlace(
            position=position,
            line=int(lines[position]),
            before=text(max(position - _BEFORE, 0), position),
            symbol=text(position, position + 1),
            nats=float(nats[position]),
        )
        for position in sorted(found, key=lambda at: -nats[at])
    ]
