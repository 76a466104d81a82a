"""The best n-gram on the same data: what every network has to beat, and is mixed with."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus, Ids
from ensue.data.prepare import Prepared
from ensue.models.ngram import Ngram, NgramSettings, choose, count, fit

Counted = tuple[Ids, NDArray[np.int64]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True)
class Rivals:
    """The n-gram: `tuned` was counted on the training part alone, `best` on the tune part too, in the same order."""

    tuned: Ngram
    best: Ngram
    seconds: float


def count_rivals(parts: Prepared, settings: NgramSettings, most: int) -> Rivals:
    """Choose order and discounts on the tune part, then count that too, so that the rival knows all there is.

    Of the training part the last `most` symbols are counted, or all of it, where a limit of memory is set.
    """
    began = perf_counter()
    train = (parts.train.ids, parts.train.offsets) if settings.memory else last_of(parts.train, most)
    tune = (parts.tune.ids, parts.tune.offsets)
    size = parts.codec.size
    counts = count(*train, size, settings.highest_order, settings.memory)
    order, smoothing = settings.highest_order, settings.smooth()
    if settings.open:
        order, smoothing = choose(counts, tune, settings)
    tuned = fit(counts, smoothing, order).packed()
    best = fit(count(*joined(train, tune), size, order, settings.memory), smoothing, order).packed()
    return Rivals(tuned, best, perf_counter() - began)


def last_of(corpus: Corpus, most: int) -> Counted:
    """Give the last `most` symbols; of records only whole ones."""
    if len(corpus) <= most:
        return corpus.ids, corpus.offsets
    if len(corpus.offsets) == 2:
        return corpus.ids[-most:], np.array([0, most])
    first = int(np.searchsorted(corpus.offsets, len(corpus) - most))
    return corpus.ids[corpus.offsets[first] :], corpus.offsets[first:] - corpus.offsets[first]


def joined(first: Counted, second: Counted) -> Counted:
    """Put two texts beside each other, each with its own beginning."""
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1][1:] + first[1][-1]])
