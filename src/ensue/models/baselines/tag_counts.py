"""What counted taggers are counted on: arrays of all words of the training part, one sentence
after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Counts = NDArray[np.float32]


@dataclass(frozen=True)
class TaggedSteps:
    """Fields of all words, and how many ids each has; word 0 is one that was never seen, suffix
    0 none at all."""

    surface: NDArray[np.integer]
    suffix: NDArray[np.integer]
    """(words, lengths), the shortest first."""
    capital: NDArray[np.integer]
    target: NDArray[np.integer]
    offsets: NDArray[np.int64]
    """Where each sentence begins, and the end of the last."""
    sizes: Mapping[str, int]
    """How many ids the fields "surface", "suffix" and "target" have."""

    def table(self, field: str, chosen: NDArray[np.bool_] | slice = slice(None)) -> Counts:
        """Count each tag with each id of a field, (ids, tags)."""
        return self.pairs(getattr(self, field)[chosen], self.target[chosen], self.sizes[field])

    def pairs(self, ids: NDArray[np.integer], tags: NDArray[np.integer], size: int) -> Counts:
        """Count pairs of an id and a tag, (size, tags)."""
        count = self.sizes["target"]
        flat = np.bincount(ids.astype(np.int64) * count + tags, minlength=size * count)
        return flat.reshape(size, count).astype(np.float32)


def shares(counts: Counts) -> Counts:
    """Give the share of each tag in each row; zeros for a row without any."""
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def seen_once(words: TaggedSteps, lexicon: Counts, most: int = 1) -> NDArray[np.bool_]:
    """Say which words stand in the training part at most so often: what never was in it is most
    like them."""
    return lexicon.sum(1)[words.surface] <= most


def table(counts: NDArray[np.floating]) -> Tensor:
    """Give what was counted as a model keeps it."""
    return torch.from_numpy(np.array(counts, np.float32))
