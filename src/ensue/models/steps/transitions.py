"""Probabilities of a symbol after the one before it, from counted pairs: room for those seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Transitions:
    """p(b | a) = (pairs of a and b + p(b)) / (pairs of a + 1), with p(b) by Laplace.

    After the start, the id above all symbols, it is p(b).
    """

    rate: NDArray[np.float64]
    """p(b), (size,)."""
    keys: NDArray[np.int64]
    """Pairs that were seen, as a * size + b, in order."""
    counts: NDArray[np.float64]
    """How often each was seen."""

    @classmethod
    def fit(cls, ids: NDArray[np.int64], later: NDArray[np.int64], size: int) -> Transitions:
        """Count ids, and pairs that end at the places `later`."""
        rate = (np.bincount(ids, minlength=size) + 1.0) / (len(ids) + size)
        keys, counts = np.unique(ids[later - 1] * size + ids[later], return_counts=True)
        return cls(rate, keys.astype(np.int64), counts.astype(np.float64))

    @property
    def totals(self) -> NDArray[np.float64]:
        """Pairs that begin with each symbol, and none that begin with the start, (size + 1,)."""
        size = len(self.rate)
        return np.bincount(self.keys // size, self.counts, minlength=size + 1).astype(np.float64)

    def log_prob(self, before: Tensor, ids: Tensor) -> Tensor:
        """Return log p(id | before), of the same shape."""
        first, second = before.numpy(), ids.numpy()
        seen = np.zeros(first.shape)
        if len(self.keys):
            key = first * len(self.rate) + second
            place = np.searchsorted(self.keys, key).clip(max=len(self.keys) - 1)
            seen = np.where(self.keys[place] == key, self.counts[place], 0.0)
        return torch.from_numpy(np.log((seen + self.rate[second]) / (self.totals[first] + 1)))

    def scores(self, before: Tensor) -> Tensor:
        """Return log p(b | before) of all symbols b, (..., size)."""
        size, first = len(self.rate), before.flatten().numpy()
        chances = np.tile(self.rate, (len(first), 1))
        for row, id in enumerate(first):
            begin, end = np.searchsorted(self.keys, (id * size, (id + 1) * size))
            chances[row, self.keys[begin:end] - id * size] += self.counts[begin:end]
        chances /= self.totals[first][:, None] + 1
        return torch.from_numpy(np.log(chances)).unflatten(0, before.shape)

    def arrays(self, place: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of the field at `place`, by name."""
        return {f"symbol{place}.{name}": array for name, array in vars(self).items()}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], place: int, size: int) -> Transitions:
        """Restore from `arrays`. Raises ValueError if they are not of `size` symbols."""
        rate, keys, counts = (
            np.array(arrays[f"symbol{place}.{name}"]) for name in ("rate", "keys", "counts")
        )
        dtypes = (rate.dtype, keys.dtype, counts.dtype) == (np.float64, np.int64, np.float64)
        if not dtypes or rate.shape != (size,) or keys.ndim != 1 or keys.shape != counts.shape:
            raise ValueError("the pairs of symbols have another shape")
        ordered = (np.diff(keys) > 0).all() and (keys >= 0).all() and (keys < size * size).all()
        if not ordered or not (rate > 0).all() or not (counts > 0).all():
            raise ValueError("the pairs of symbols are invalid")
        return cls(rate, keys, counts)
