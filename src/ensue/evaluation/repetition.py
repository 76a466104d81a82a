"""Whether samples repeat themselves: the symptom of a model that has collapsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RUN = 20
_REPEATED = 0.5
_GRAM = 8


@dataclass(frozen=True)
class Repetition:
    """How much of the samples has been said before in the same sample."""

    distinct: dict[int, float]
    """For each n, different n-grams of symbols in a sample among all of it (Li et al. 2016), over all samples."""
    longest_run: int
    """The longest stretch of one symbol."""

    @property
    def collapsed(self) -> bool:
        """True where more than half of all 8-grams came before, or one symbol follows itself 20 times."""
        return self.longest_run >= _RUN or self.distinct.get(_GRAM, 1.0) < 1 - _REPEATED

    def __str__(self) -> str:
        shares = ", ".join(f"{1 - share:.0%} of {length}-grams" for length, share in self.distinct.items())
        repeated = f"repeated within a sample: {shares}; " if shares else ""
        return f"{repeated}longest run of one symbol: {self.longest_run}"


def repetition(samples: Sequence[NDArray[np.integer]], lengths: Sequence[int] = (1, 2, 4, _GRAM)) -> Repetition:
    """Count repetitions within each sample.

    >>> repetition([np.array([1, 2, 1, 2, 1])], lengths=[2]).distinct
    {2: 0.5}
    """
    distinct = {}
    for length in lengths:
        grams = [np.lib.stride_tricks.sliding_window_view(ids, length) for ids in samples if len(ids) >= length]
        if grams:
            distinct[length] = sum(len(np.unique(each, axis=0)) for each in grams) / sum(map(len, grams))
    return Repetition(distinct, max((_longest_run(ids) for ids in samples if len(ids)), default=0))


def _longest_run(ids: NDArray[np.integer]) -> int:
    changes = np.flatnonzero(np.diff(ids)) + 1
    return int(np.diff(np.concatenate([[0], changes, [len(ids)]])).max())
