"""Where a text is least what the model expects: errors in it, names, changes of subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensue.evaluation.likelihood import Nats

_BEFORE = 40


@dataclass(frozen=True)
class Surprise:
    """One surprising symbol, and what stood before it."""

    position: int
    """In symbols, from 0."""
    line: int
    before: str
    symbol: str
    nats: float


def most_surprising(
    ids: NDArray[np.integer],
    nats: Nats,
    lines: NDArray[np.int64],
    decode: Callable[[Sequence[int]], str],
    *,
    count: int,
    apart: int,
) -> list[Surprise]:
    """Give the most surprising places, the worst first, no two of them within `apart` symbols of each other."""
    free, found = np.ones(len(nats), dtype=bool), []
    for position in np.argsort(-nats, kind="stable").tolist():
        if len(found) == count:
            break
        if free[position]:
            free[max(position - apart, 0) : position + apart + 1] = False
            found.append(position)
    return [
        Surprise(
            position=position,
            line=int(lines[position]),
            before=decode(ids[max(position - _BEFORE, 0) : position].tolist()),
            symbol=decode(ids[position : position + 1].tolist()),
            nats=float(nats[position]),
        )
        for position in found
    ]
