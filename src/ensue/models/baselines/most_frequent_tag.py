"""The most frequent tag of each word: the baseline of every tagger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ensue.batch import Batch
from ensue.data.dataset import Examples
from ensue.heads.paths import StepTags
from ensue.models.baselines.tag_counts import TaggedSteps, mark_rare, normalise_rows, to_tensor
from ensue.models.contract import Predictor
from ensue.models.parameters import ArrayMixin
from ensue.settings import Settings

SUFFIX_WEIGHT = 0.5
"""Pseudo-count of the tags of rare words; below 1, it cannot displace a word's most frequent tag.
"""


class MostFrequentTagSettings(Settings):
    """Settings of the most-frequent-tag baseline."""

    name: Literal["most-frequent-tag"] = "most-frequent-tag"

    def build(self, sizes: Mapping[str, int], vectors: np.ndarray | None = None) -> MostFrequentTag:
        """Build empty tables for these numbers of ids."""
        return MostFrequentTag(self, sizes)


class MostFrequentTag(ArrayMixin, Predictor):
    """P(tag | word) by counts; an unseen word has the distribution of words seen once.

    It reads the field "surface".
    """

    array_names = ("scores",)

    def __init__(self, settings: MostFrequentTagSettings, sizes: Mapping[str, int]) -> None:
        self.settings, self.sizes = settings, sizes
        self.scores = torch.zeros(sizes["surface"], sizes["target"])

    def fit(self, train: Examples, validation: Examples | None = None) -> None:
        """Count the training part."""
        words = TaggedSteps.of(train, self.sizes)
        lexicon = words.table("surface")
        rare = normalise_rows(words.table("surface", mark_rare(words, lexicon)).sum(0) + 1e-3)
        counts = lexicon + SUFFIX_WEIGHT * rare
        self.scores = to_tensor(np.log(counts / counts.sum(1, keepdims=True)))

    def __call__(self, batch: Batch[Tensor]) -> StepTags:
        """Return the distribution of the tags of each sentence."""
        return StepTags(self.scores[batch["surface"]], batch.lengths)

    @property
    def parameter_count(self) -> int:
        """Number of non-zero counts."""
        return int(self.scores.count_nonzero())
