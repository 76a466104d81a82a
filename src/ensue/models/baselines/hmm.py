"""Hidden Markov model of tags and words, estimated by counting (after TnT, Brants 2000).

Differences from the paper ("TnT: a statistical part-of-speech tagger"): inference is exact instead
of a beam. A known word may have a tag that it was not seen with, as probable as its suffix makes
it. With very many tags, transitions are bigrams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ensue.batch import Batch
from ensue.data.dataset import Examples
from ensue.heads.paths import Chain, ChainTags
from ensue.models.baselines.tag_counts import (
    Counts,
    TaggedSteps,
    mark_rare,
    normalise_rows,
    to_tensor,
)
from ensue.models.baselines.trigram_tags import TrigramTags
from ensue.models.contract import Predictor
from ensue.models.parameters import ArrayMixin
from ensue.settings import Settings

MAX_TRIGRAM_TAGS = 64
"""Maximum number of tags for trigram transitions; beyond, the table of triples is too large."""


class HMMSettings(Settings):
    """Settings of the hidden Markov model."""

    name: Literal["hmm"] = "hmm"
    max_count: int = Field(default=10, ge=1)
    """Words with at most this count teach the suffix model."""
    suffix_weight: float = Field(default=0.5, gt=0)
    """Pseudo-count of the suffix model's tag distribution for a known word."""

    def build(self, sizes: Mapping[str, int], vectors: np.ndarray | None = None) -> HMM:
        """Build empty tables for these numbers of ids."""
        return HMM(self, sizes)


class HMM(ArrayMixin, Predictor):
    """P(tags, words) = prod_t P(tag_t | tag_{t-2}, tag_{t-1}) P(word_t | tag_t).

    It reads the fields "surface", "suffix" and "capital". P(word | tag) is P(tag | word) / P(tag),
    up to a factor that is the same for all tags.
    """

    array_names = ("change", "prior", "lexicon", "root", "suffix", "trust")

    def __init__(self, settings: HMMSettings, sizes: Mapping[str, int]) -> None:
        self.settings, self.sizes = settings, sizes
        tags = sizes["target"]
        self.change = torch.zeros(tags + 1 if tags <= MAX_TRIGRAM_TAGS else 1, tags + 1, tags + 1)
        self.prior, self.root, self.trust = torch.zeros(tags), torch.zeros(2, tags), torch.zeros(())
        self.lexicon = torch.zeros(sizes["surface"], tags)
        self.suffix = torch.zeros(2 * sizes["suffix"], tags)

    def fit(self, train: Examples, validation: Examples | None = None) -> None:
        """Count the training part."""
        words = TaggedSteps.of(train, self.sizes)
        lexicon = words.table("surface")
        prior = normalise_rows(lexicon.sum(0))
        rare = mark_rare(words, lexicon, self.settings.max_count)
        root = words.pairs(words.capital[rare], words.target[rare], 2) + prior
        endings = 2 * words.suffix[rare].astype(np.int64) + words.capital[rare, None]
        each = np.repeat(words.target[rare], endings.shape[1])
        suffix = words.pairs(endings.ravel(), each, 2 * words.sizes["suffix"])
        with np.errstate(divide="ignore"):  # a sample of the training part may lack a tag
            log_prior = np.log(prior)
        change = _estimate_transitions(words)
        self.change, self.prior, self.lexicon = map(to_tensor, (change, log_prior, lexicon))
        # The weight of the shorter ending: the standard deviation of the tags' probabilities.
        self.trust = to_tensor(np.array(np.std(prior, ddof=1) if len(prior) > 1 else 1.0))
        self.root, self.suffix = to_tensor(normalise_rows(root)), to_tensor(suffix)

    @property
    def parameter_count(self) -> int:
        """Number of non-zero counts."""
        return sum(int(getattr(self, name).count_nonzero()) for name in self.array_names)

    def __call__(self, batch: Batch[Tensor]) -> ChainTags | TrigramTags:
        """Return the distribution of the tags of each sentence."""
        seen, weight = self.lexicon[batch["surface"]], self.settings.suffix_weight
        probabilities = (seen + weight * self._suffix_probabilities(batch)) / (
            seen.sum(-1, keepdim=True) + weight
        )
        scores = probabilities.log() - self.prior
        if len(self.change) > 1:
            return TrigramTags(scores, batch.lengths, self.change)
        pairs = self.change[0].log()
        return ChainTags(
            scores, batch.lengths, Chain(pairs[-1, :-1], pairs[:-1, :-1], pairs[:-1, -1])
        )

    def _suffix_probabilities(self, batch: Batch[Tensor]) -> Tensor:
        """Compute P(tag | suffix), (batch, time, tags).

        The distribution of each suffix is smoothed by that of the next shorter one.
        """
        capital = batch["capital"]
        probabilities = self.root[capital]
        for ids in batch["suffix"].unbind(-1):
            counts = self.suffix[2 * ids + capital]
            total = counts.sum(-1, keepdim=True)
            longer = (counts / total.clamp_min(1) + self.trust * probabilities) / (1 + self.trust)
            probabilities = torch.where((total > 0) & (ids > 0)[..., None], longer, probabilities)
        return probabilities


def _estimate_transitions(words: TaggedSteps) -> Counts:
    """Estimate P(c | a, b), or P(c | b), by deleted interpolation (Brants 2000, figure 1).

    P(c | a, b) = w1 * P(c) + w2 * P(c | b) + w3 * P(c | a, b) of the counts. The shape is (tags +
    1, tags + 1, tags + 1), or (1, tags + 1, tags + 1) for bigrams. The last id is the sentence
    boundary.
    """
    edge = words.sizes["target"]
    before = np.insert(words.target.astype(np.int64), words.offsets[:-1], edge)
    after = np.append(before[1:], edge)
    contexts = edge + 1 if edge <= MAX_TRIGRAM_TAGS else 1
    # What stands before a sentence has the edge before it too, and not the end of another sentence.
    earlier = (
        np.where(before == edge, edge, np.roll(before, 1))
        if contexts > 1
        else np.zeros_like(before)
    )
    places = (earlier * (edge + 1) + before) * (edge + 1) + after
    three = np.bincount(places, minlength=contexts * (edge + 1) ** 2).reshape(
        contexts, edge + 1, edge + 1
    )
    # What the last one, two or three tags say, as shares, and with one count of its own taken from
    # each.
    shares, left = [], []
    for counts in (three.sum((0, 1)), three.sum(0), three):
        sums = counts.sum(-1, keepdims=True)
        shares.append(counts / np.maximum(sums, 1))
        left.append(np.broadcast_to((counts - 1) / np.maximum(sums - 1, 1), three.shape))
    weights = np.bincount(np.argmax(left, 0).ravel(), three.ravel(), minlength=3) + np.array(
        [1, 0, 0]
    )
    one, two, three = (
        weight * share for weight, share in zip(weights / weights.sum(), shares, strict=True)
    )
    return three + two + one
