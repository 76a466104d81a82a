"""From a corpus to an n-gram model: count, choose the order, smooth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram.counts import Counts, Ids, count, with_starts
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.settings import NgramSettings
from ensue.models.ngram.smoothing import Smoothing
from ensue.models.ngram.table import Follow, Rung, Table, first_rung

Offsets = NDArray[np.integer]
Part = tuple[Ids, Offsets]


def estimate(ids: Ids, offsets: Offsets, size: int, settings: NgramSettings, tune: Part | None = None) -> Ngram:
    """Estimate a model from records `ids[offsets[r]:offsets[r + 1]]`, each with its end, of ids below `size`.

    `tune` (ids and offsets of another part) is what an order of "auto" is chosen on; without one the last tenth is
    set aside for the choice, and the model is then estimated from all.

    >>> model = estimate(np.array([0, 1, 0, 1, 0]), np.array([0, 5]), 2, NgramSettings(order=2))
    >>> model.order
    2
    """
    if settings.order == "auto" and tune is None:
        head, tail = set_aside(ids, offsets)
        order = choose_order(count(*head, size, settings.max_order), tail, settings.smooth())
        return estimate(ids, offsets, size, settings.model_copy(update={"order": order}))
    if isinstance(settings.order, int):
        return fit(count(ids, offsets, size, settings.order), settings.smooth(), settings.order)
    assert tune is not None
    counts = count(ids, offsets, size, settings.max_order)
    return fit(counts, settings.smooth(), choose_order(counts, tune, settings.smooth()))


def set_aside(ids: Ids, offsets: Offsets) -> tuple[Part, Part]:
    """Cut off the last tenth: of the records, or of the one long text."""
    if len(offsets) > 2:
        middle = len(offsets) - 1 - max(1, (len(offsets) - 1) // 10)
        return (ids, offsets[: middle + 1]), (ids, offsets[middle:])
    begin, end = int(offsets[0]), int(offsets[-1])
    cut = end - (end - begin) // 10
    return (ids, np.array([begin, cut])), (ids, np.array([cut, end]))


def choose_order(counts: Counts, tune: Part, smoothing: Smoothing) -> int:
    """Give the order with which a part that was not counted is likeliest; the smaller one of equals."""
    return int(np.argmin(nats_by_order(counts, tune, smoothing))) + 1


def nats_by_order(counts: Counts, tune: Part, smoothing: Smoothing) -> NDArray[np.float64]:
    """Give the nats of a part under the model of each order that the counts allow, from 1.

    A model counts otherwise at its top order than below; so the chain of lower orders is shared by all, and each
    order puts its own top on it.
    """
    text = with_starts(*tune, counts.size)
    scored = np.flatnonzero(text != counts.size)
    place = text.astype(np.int64)
    lower = np.full(len(scored), 1 / counts.size)
    nats = []
    for n, level in enumerate(counts.levels, 1):
        context = np.zeros(len(scored), np.int64) if n == 1 else place[scored - 1]
        if n > 1:
            contexts = len(counts.levels[n - 2].symbol)
            place = np.full(len(text), -1)
            place[scored] = Follow(level.context, level.symbol, contexts, counts.size)(context, text[scored])
        nats.append(-np.log(_step(smoothing.shares(counts, n, True), context, place[scored], lower)).sum())
        if n < len(counts.levels):
            lower = _step(smoothing.shares(counts, n, False), context, place[scored], lower)
    return np.array(nats)


def _step(shares: tuple[NDArray, NDArray], context: NDArray, place: NDArray, lower: NDArray) -> NDArray[np.float64]:
    own, rest = (np.append(values, otherwise) for values, otherwise in zip(shares, (0.0, 1.0), strict=True))
    return own[place] + rest[context] * lower


def fit(counts: Counts, smoothing: Smoothing, order: int) -> Ngram:
    """Smooth counts into the model of an order that they allow."""
    rungs: list[Rung] = []
    below = np.full(1, 1 / counts.size)
    nothing = np.zeros(0)
    for n, level in enumerate(counts.levels[:order], 1):
        own, rest = smoothing.shares(counts, n, n == order)
        below = own + rest[level.context] * below[level.suffix]
        if n == 1:
            rungs.append(first_rung(below, nothing))
            continue
        rungs[-1] = replace(rungs[-1], backoff=rest)
        children = np.bincount(level.context, minlength=len(counts.levels[n - 2].symbol))
        rungs.append(Rung(level.symbol, children, below, nothing, counts.size))
    return Ngram(Table(counts.size, rungs))
