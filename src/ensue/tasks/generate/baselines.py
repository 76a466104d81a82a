"""The best n-gram on the same data: what every network has to beat, and is mixed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus, Ids
from ensue.data.prepare import Prepared
from ensue.models.ngram import Ngram, NgramSettings, choose, count, fit
from ensue.tasks.generate.ngram_budget import Plan, Share, plan_of
from ensue.training.contract import Callback, Note, Working

Counted = tuple[Ids, NDArray[np.int64]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True)
class NgramBaseline:
    """The n-gram: `tuned` was counted on the training part alone; `best` has the same order and
    discounts, and has counted the validation part too, if it may.
    """

    tuned: Ngram
    best: Ngram
    seconds: float
    plan: Plan
    validation: bool
    """Whether `best` has counted the validation part."""


def fit_ngram_baseline(
    parts: Prepared,
    settings: NgramSettings,
    share: Share,
    validation: bool,
    before: Mapping[str, Any],
    watch: Callback,
) -> NgramBaseline | None:
    """Choose order and discounts on the validation part, then count that too if it may be, so that
    it knows all.

    What is counted of the training part is planned by the `share`, as `before` if a run has planned
    it already. None where it is optional, and does not fit.
    """
    plan = planned(parts, settings, share, before, watch)
    if plan is None:
        return None
    began = perf_counter()
    train, tune = (
        last_of(parts.train, plan.symbols),
        (parts.validation.ids, parts.validation.offsets),
    )
    size, highest = parts.codec.size, plan.highest_order
    watch(Working(f"counting n-grams ({plan.takes})" if plan.takes else "counting n-grams"))
    counts = count(*train, size, highest, plan.memory)
    order, smoothing = highest, settings.smooth()
    if settings.open:
        watch(Working("choosing the order of the n-gram and its discounts"))
        order, smoothing = choose(counts, tune, settings.model_copy(update={"max_order": highest}))
    watch(Working("estimating the n-gram"))
    tuned = fit(counts, smoothing, order).packed()
    del counts  # before the others are made: they are as large
    best = tuned
    if validation:
        watch(Working("counting n-grams, those of the validation part too"))
        best = fit(count(*joined(train, tune), size, order, plan.memory), smoothing, order).packed()
    return NgramBaseline(tuned, best, perf_counter() - began, plan, validation)


def planned(
    parts: Prepared,
    settings: NgramSettings,
    share: Share,
    before: Mapping[str, Any],
    watch: Callback,
) -> Plan | None:
    """Plan what is counted, and say so where it takes long; or take over what a run has planned
    before."""
    if before:
        return (
            None
            if before.get("skipped")
            else Plan(**{name: before[name] for name in asdict(Plan(0, 0))})
        )
    watch(Working("planning the n-gram"))
    plan = plan_of(parts.train, parts.codec.size, settings, share)
    if plan is not None and plan.takes:
        watch(
            Note(
                f"the n-gram: {_amount(plan, parts.train)}, up to order "
                f"{plan.highest_order}: {plan.takes}"
            )
        )
    return plan


def shortened(plan: Plan, train: Corpus, settings: NgramSettings, share: Share) -> tuple[str, ...]:
    """Say what an n-gram had to leave out, and what would let it have all."""
    if not plan.cuts(train, settings):
        return ()
    what = f"the n-gram has counted {_amount(plan, train)}, up to order {plan.highest_order}"
    return (f"{what}: what fits into {share}",)


def _amount(plan: Plan, train: Corpus) -> str:
    count = len(train)
    return (
        f"all {count:,} training symbols"
        if plan.symbols >= count
        else (f"the last {plan.symbols:,} of the {count:,} training symbols")
    )


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
    return np.concatenate([first[0], second[0]]), np.concatenate(
        [first[1], second[1][1:] + first[1][-1]]
    )
