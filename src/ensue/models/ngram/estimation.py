"""Estimation of n-gram models: count, select, smooth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram.counts import count
from ensue.models.ngram.held_out import Part, choose_order
from ensue.models.ngram.levels import Counts, Ids
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.settings import NgramSettings
from ensue.models.ngram.smoothing import Smoothing
from ensue.models.ngram.table import OrderTable, Table, unigram_table
from ensue.models.ngram.tuned_discounts import choose_discounts


def estimate(
    ids: Ids,
    offsets: NDArray[np.integer],
    size: int,
    settings: NgramSettings,
    validation: Part | None = None,
) -> Ngram:
    """Estimate a model from records `ids[offsets[r]:offsets[r + 1]]` of ids below `size`.

    Each record includes its end symbol. Open settings are selected on `validation` (ids and offsets
    of another part). Without one, the last tenth is held out for the selection, and the model is
    then estimated from all. `model.with_choices_of(settings)` repeats the selection.

    >>> model = estimate(np.array([0, 1, 0, 1, 0]), np.array([0, 5]), 2, NgramSettings(order=2))
    >>> model.order
    2
    """
    if not settings.open:
        order = settings.highest_order
        return fit(count(ids, offsets, size, order, settings.memory), settings.smooth(), order)
    counted, held_out = ((ids, offsets), validation) if validation else split_held_out(ids, offsets)
    counts = count(*counted, size, settings.highest_order, settings.memory)
    order, smoothing = choose(counts, held_out, settings)
    return fit(
        counts if validation else count(ids, offsets, size, order, settings.memory),
        smoothing,
        order,
    )


def split_held_out(ids: Ids, offsets: NDArray[np.integer]) -> tuple[Part, Part]:
    """Split off the last tenth: of the records, or of a single long text.

    >>> split_held_out(np.arange(20), np.array([0, 20]))[1][1].tolist()
    [18, 20]
    """
    if len(offsets) > 2:
        middle = len(offsets) - 1 - max(1, (len(offsets) - 1) // 10)
        return (ids, offsets[: middle + 1]), (ids, offsets[middle:])
    begin, end = int(offsets[0]), int(offsets[-1])
    cut = end - (end - begin) // 10
    return (ids, np.array([begin, cut])), (ids, np.array([cut, end]))


def choose(counts: Counts, held_out: Part, settings: NgramSettings) -> tuple[int, Smoothing]:
    """Select the order, and the discounts, on a held-out part."""
    smoothing = settings.smooth()
    order = (
        choose_order(counts, held_out, smoothing) if settings.order == "auto" else settings.order
    )
    if not settings.tuned:
        return order, smoothing
    return choose_discounts(counts, held_out, range(order, settings.highest_order + 1))


def fit(counts: Counts, smoothing: Smoothing, order: int) -> Ngram:
    """Smooth counts into the model of an order."""
    orders: list[OrderTable] = []
    below = np.full(1, 1 / counts.size)
    nothing = np.zeros(0)
    for n, level in enumerate(counts.levels[:order], 1):
        below, rest, children = smoothing.smooth(counts, n, n == order, below)
        if n == 1:
            orders.append(unigram_table(below, nothing))
            continue
        orders[-1] = replace(orders[-1], backoff=rest)
        orders.append(OrderTable(level.symbol, children, below, nothing, counts.size))
    return Ngram(Table(counts.size, orders), np.array(smoothing.given).reshape(-1, 3))
