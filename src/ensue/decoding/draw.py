"""One symbol from a distribution and one uniform number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw(scores: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Invert the cumulative distribution of each row of log-probabilities (rows, size) at its
    number in [0, 1).

    What has probability zero is never drawn.

    >>> draw(np.log([[0.5, 0.5], [0.1, 0.9]]), np.array([0.49, 0.2])).tolist()
    [0, 1]
    """
    cumulative = np.cumsum(np.exp(scores), axis=1)
    target = numbers[:, None] * cumulative[:, -1:]
    # Where rounding lifts the target to the total, the last symbol that has any probability is
    # meant.
    last = (cumulative < cumulative[:, -1:]).sum(axis=1)
    return np.minimum((cumulative <= target).sum(axis=1), last)
