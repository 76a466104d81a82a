"""Inverse transform sampling: one symbol from a distribution and a uniform number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw(scores: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw one symbol per row of log-probabilities (rows, size), by inverting its distribution.

    `numbers` are uniform in [0, 1). Symbols with probability zero are never drawn.

    >>> draw(np.log([[0.5, 0.5], [0.1, 0.9]]), np.array([0.49, 0.2])).tolist()
    [0, 1]
    """
    cumulative = np.cumsum(np.exp(scores), axis=1)
    target = numbers[:, None] * cumulative[:, -1:]
    # If rounding lifts the target to the total, take the last symbol of non-zero probability.
    last = (cumulative < cumulative[:, -1:]).sum(axis=1)
    return np.minimum((cumulative <= target).sum(axis=1), last)
