"""Arrays of all tagged words of the training part, which tagging baselines count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.data.dataset import Examples

Counts = NDArray[np.float32]


@dataclass(frozen=True)
class TaggedSteps:
    """Fields of all words, sentence after sentence.

    Word 0 stands for an unseen word, suffix 0 for none.
    """

    surface: NDArray[np.integer]
    suffix: NDArray[np.integer]
    """(words, lengths), shortest first."""
    capital: NDArray[np.integer]
    target: NDArray[np.integer]
    offsets: NDArray[np.int64]
    """Start of each sentence, and the end of the last."""
    sizes: Mapping[str, int]
    """Number of ids of the fields "surface", "suffix" and "target"."""

    @classmethod
    def of(cls, examples: Examples, sizes: Mapping[str, int]) -> TaggedSteps:
        """Take the fields of encoded sentences."""
        names = ("surface", "suffix", "capital", "target")
        fields = (np.asarray(examples.steps[name]) for name in names)
        return cls(*fields, offsets=examples.offsets, sizes=sizes)

    def table(self, field: str, chosen: NDArray[np.bool_] | slice = slice(None)) -> Counts:
        """Count each tag with each id of a field, (ids, tags)."""
        return self.pairs(getattr(self, field)[chosen], self.target[chosen], self.sizes[field])

    def pairs(self, ids: NDArray[np.integer], tags: NDArray[np.integer], size: int) -> Counts:
        """Count pairs of an id and a tag, (size, tags)."""
        count = self.sizes["target"]
        flat = np.bincount(ids.astype(np.int64) * count + tags, minlength=size * count)
        return flat.reshape(size, count).astype(np.float32)


def normalise_rows(counts: Counts) -> Counts:
    """Normalise each row to sum to 1; empty rows stay zero."""
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def mark_rare(words: TaggedSteps, lexicon: Counts, most: int = 1) -> NDArray[np.bool_]:
    """Mark words with a training count of at most `most`; unseen words resemble them most."""
    return lexicon.sum(1)[words.surface] <= most


def to_tensor(counts: NDArray[np.floating]) -> Tensor:
    """Convert counts to a tensor that a model stores."""
    return torch.from_numpy(np.array(counts, np.float32))
