"""A hidden Markov model of tags and words, counted (after TnT: Brants 2000, "A statistical part-of-speech tagger").

Differences from the paper: tags depend on one tag before them instead of two, and a known word may have tags that it
was not seen with, as likely as its ending makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ensue.batch import Batch
from ensue.heads.paths import Chain, ChainTags
from ensue.models.contract import Predictor
from ensue.models.tagging.counts import Counts, TaggedSteps, seen_once, shares, taken_over
from ensue.settings import Settings


class HMMSettings(Settings):
    """Settings of the hidden Markov model."""

    name: Literal["hmm"] = "hmm"
    rare: int = Field(default=10, ge=1)
    """Words that stand so often or less in the training part teach what endings say of the tag."""
    doubt: float = Field(default=0.5, gt=0)
    """How often what the ending says counts beside what a word was seen with."""

    def build(self, sizes: Mapping[str, int], vectors: np.ndarray | None = None) -> HMM:
        """Make empty tables for these numbers of ids."""
        return HMM(self, sizes)


class HMM(Predictor):
    """P(tags, words) = prod_t P(tag_t | tag_{t-1}) P(word_t | tag_t), and so, given the words, a chain over the tags.

    It reads the fields "surface", "suffix" and "capital". P(word | tag) is P(tag | word) / P(tag), but for a factor
    that is the same for all tags.
    """

    def __init__(self, settings: HMMSettings, sizes: Mapping[str, int]) -> None:
        self.settings = settings
        tags = sizes["target"]
        shapes = {
            "first": (tags,),
            "change": (tags, tags),
            "last": (tags,),
            "prior": (tags,),
            "lexicon": (sizes["surface"], tags),
            "root": (2, tags),
            "suffix": (2 * sizes["suffix"], tags),
            "trust": (),
        }
        self._tables = {name: torch.zeros(shape) for name, shape in shapes.items()}

    def fit(self, words: TaggedSteps) -> HMM:
        """Count the training part."""
        lexicon = words.table("surface")
        prior = shares(lexicon.sum(0))
        rare = seen_once(words, lexicon, self.settings.rare)
        root = words.pairs(words.capital[rare], words.target[rare], 2) + prior
        endings = 2 * words.suffix[rare].astype(np.int64) + words.capital[rare, None]
        each = np.repeat(words.target[rare], endings.shape[1])
        suffix = words.pairs(endings.ravel(), each, 2 * words.sizes["suffix"])
        first, change, last = _transitions(words)
        tables = {"first": first, "change": change, "last": last, "prior": np.log(prior), "lexicon": lexicon}
        # The weight of the shorter ending: the standard deviation of the tags' probabilities.
        trust = np.std(prior, ddof=1) if len(prior) > 1 else 1.0
        tables |= {"root": shares(root), "suffix": suffix, "trust": np.array(trust)}
        self._tables = {name: torch.from_numpy(np.array(table, np.float32)) for name, table in tables.items()}
        return self

    def __call__(self, batch: Batch[Tensor]) -> ChainTags:
        """Give the distribution of the tags of each sentence."""
        tables = self._tables
        seen, doubt = tables["lexicon"][batch["surface"]], self.settings.doubt
        chances = (seen + doubt * self._by_ending(batch)) / (seen.sum(-1, keepdim=True) + doubt)
        chain = Chain(tables["first"], tables["change"], tables["last"])
        return ChainTags(chances.log() - tables["prior"], batch.lengths, chain)

    def _by_ending(self, batch: Batch[Tensor]) -> Tensor:
        """Give P(tag | ending), (batch, time, tags): of each ending the shares of tags, smoothed by the shorter one."""
        trust, capital = self._tables["trust"], batch["capital"]
        chances = self._tables["root"][capital]
        for ids in batch["suffix"].unbind(-1):
            counts = self._tables["suffix"][2 * ids + capital]
            total = counts.sum(-1, keepdim=True)
            longer = (counts / total.clamp_min(1) + trust * chances) / (1 + trust)
            chances = torch.where((total > 0) & (ids > 0)[..., None], longer, chances)
        return chances

    @property
    def parameter_count(self) -> int:
        """How many numbers were counted that are not zero."""
        return sum(int(table.count_nonzero()) for table in self._tables.values())

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give all tables."""
        return {name: table.numpy() for name, table in self._tables.items()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over all tables."""
        self._tables = taken_over(self._tables, arrays)


def _transitions(words: TaggedSteps) -> tuple[Counts, Counts, Counts]:
    """Give the logarithms of P(tag | beginning), P(tag | tag before) and P(end | tag).

    P(b | a) = weight of one * P(b) + weight of two * P(b | a), by deleted interpolation (Brants 2000, figure 1).
    """
    tags = words.sizes["target"]
    before, after = _neighbours(words.target, words.offsets, tags)
    both = np.bincount(before * (tags + 1) + after, minlength=(tags + 1) ** 2).reshape(tags + 1, tags + 1)
    one, total = both.sum(0), both.sum()
    left_two = (both - 1) / np.maximum(both.sum(1, keepdims=True) - 1, 1)
    left_one = np.broadcast_to((one - 1) / max(total - 1, 1), both.shape)
    weights = np.array([both[left_one > left_two].sum() + 1, both[left_two >= left_one].sum()]) / (total + 1)
    chances = np.log(weights[0] * one / total + weights[1] * both / np.maximum(both.sum(1, keepdims=True), 1))
    return chances[tags, :tags], chances[:tags, :tags], chances[:tags, tags]


def _neighbours(
    target: NDArray[np.integer], offsets: NDArray[np.int64], edge: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give every tag with that before it; `edge` stands before the first of a sentence and after the last."""
    whole = np.insert(target.astype(np.int64), offsets[:-1], edge)
    return whole, np.append(whole[1:], edge)
