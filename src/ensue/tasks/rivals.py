"""The best n-gram on the same data: what every network has to beat, and is mixed with."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus, Ids
from ensue.data.prepare import Prepared
from ensue.models.ngram import Ngram, NgramSettings, estimate

Counted = tuple[Ids, NDArray[np.int64]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True)
class Rivals:
    """The n-gram: `tuned` was counted on the training part alone, `best` on the tune part too, in the same order."""

    tuned: Ngram
    best: Ngram
    seconds: float


def count_rivals(parts: Prepared, settings: NgramSettings, most: int) -> Rivals:
    """Choose the order on the tune part, then count that too, so that the rival gets all that the choice has used."""
    began = perf_counter()
    train = last_of(parts.train, most)
    tuned = estimate(*train, parts.codec.size, settings, tune=(parts.tune.ids, parts.tune.offsets))
    best = estimate(*joined(train, parts.tune), parts.codec.size, settings.model_copy(update={"order": tuned.order}))
    return Rivals(tuned, best, perf_counter() - began)


def last_of(corpus: Corpus, most: int) -> Counted:
    """Give the last `most` symbols; of records only whole ones."""
    if len(corpus) <= most:
        return corpus.ids, corpus.offsets
    if len(corpus.offsets) == 2:
        return corpus.ids[-most:], np.array([0, most])
    first = int(np.searchsorted(corpus.offsets, len(corpus) - most))
    return corpus.ids[corpus.offsets[first] :], corpus.offsets[first:] - corpus.offsets[first]


def joined(train: Counted, tune: Corpus) -> Counted:
    """Put the tune part behind the training part; of one long text it is the continuation."""
    ids, offsets = train
    both = np.concatenate([ids, tune.ids])
    if len(offsets) == 2 and len(tune.offsets) == 2:
        return both, np.array([0, len(both)])
    return both, np.concatenate([offsets, tune.offsets[1:] + offsets[-1]])
