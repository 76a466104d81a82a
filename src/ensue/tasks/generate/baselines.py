"""Fit the n-gram baseline, with which each network is compared and mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus, Ids
from ensue.data.text_parts import TextParts
from ensue.models.ngram import Ngram, NgramSettings, choose, count, fit
from ensue.tasks.fitting import Fitted
from ensue.tasks.generate.ngram_budget import Plan, Share, make_plan
from ensue.training.contract import Callback, Note, Working

Counted = tuple[Ids, NDArray[np.int64]]
"""Ids, and the offsets of their records."""


@dataclass(frozen=True, kw_only=True)
class NgramFit(Fitted):
    """A fitted n-gram, as the model that is used and as `tuned`.

    `tuned` is counted on the training part alone. The model has the same order and discounts, and
    also counts the validation part if that is allowed.
    """

    tuned: Ngram
    plan: Plan
    validation: bool
    """Whether the model counts the validation part."""

    @property
    def before_validation(self) -> Ngram:
        """The n-gram of the training part alone."""
        return self.tuned

    def to_json(self) -> dict[str, Any]:
        """Return what run.toml holds: what was counted."""
        return {**asdict(self.plan), "validation": self.validation}


def fit_ngram_baseline(
    parts: TextParts,
    settings: NgramSettings,
    share: Share,
    validation: bool,
    before: Mapping[str, Any],
    on_event: Callback,
) -> NgramFit | None:
    """Select order and discounts on the validation part, then count that part too if allowed.

    The `share` limits how much of the training part is counted. A resumed run repeats its plan
    (`before`). Returns None if an optional n-gram does not fit.
    """
    plan = load_or_make_plan(parts, settings, share, before, on_event)
    if plan is None:
        return None
    began = perf_counter()
    train = take_last(parts.train, plan.symbols)
    heldout = (parts.validation.ids, parts.validation.offsets)
    size, highest = parts.codec.size, plan.highest_order
    on_event(
        Working(
            f"counting n-grams ({plan.expected_cost})" if plan.expected_cost else "counting n-grams"
        )
    )
    counts = count(*train, size, highest, plan.memory)
    order, smoothing = highest, settings.smooth()
    if settings.open:
        on_event(Working("choosing the order of the n-gram and its discounts"))
        order, smoothing = choose(
            counts, heldout, settings.model_copy(update={"max_order": highest})
        )
    on_event(Working("estimating the n-gram"))
    tuned = fit(counts, smoothing, order).packed()
    del counts  # frees memory before the next counts, which are as large
    best = tuned
    if validation:
        on_event(Working("counting n-grams, those of the validation part too"))
        best = fit(
            count(*concatenate(train, heldout), size, order, plan.memory), smoothing, order
        ).packed()
    seconds, title = perf_counter() - began, f"{best.order}-gram"
    return NgramFit(best, seconds, tuned=tuned, plan=plan, validation=validation, title=title)


def load_or_make_plan(
    parts: TextParts,
    settings: NgramSettings,
    share: Share,
    before: Mapping[str, Any],
    on_event: Callback,
) -> Plan | None:
    """Load the plan of a resumed run, or make one, with a note if counting takes long."""
    if before:
        if before.get("skipped"):
            return None
        return Plan(**{name: before[name] for name in asdict(Plan(0, 0))})
    on_event(Working("planning the n-gram"))
    plan = make_plan(parts.train, parts.codec.size, settings, share)
    if plan is not None and plan.expected_cost:
        what = (
            f"the n-gram: {_amount(plan, parts.train)}, up to order "
            f"{plan.highest_order}: {plan.expected_cost}"
        )
        on_event(Note(what))
    return plan


def note_cuts(plan: Plan, train: Corpus, settings: NgramSettings, share: Share) -> tuple[str, ...]:
    """Describe what an n-gram has not counted, and the limit that caused it."""
    if not plan.cuts(train, settings):
        return ()
    what = f"the n-gram counts {_amount(plan, train)}, up to order {plan.highest_order}"
    return (f"{what}, to stay within {share}",)


def _amount(plan: Plan, train: Corpus) -> str:
    count = len(train)
    if plan.symbols >= count:
        return f"all {count:,} training symbols"
    return f"the last {plan.symbols:,} of the {count:,} training symbols"


def take_last(corpus: Corpus, most: int) -> Counted:
    """Take the last `most` symbols; records are not split."""
    if len(corpus) <= most:
        return corpus.ids, corpus.offsets
    if len(corpus.offsets) == 2:
        return corpus.ids[-most:], np.array([0, most])
    first = int(np.searchsorted(corpus.offsets, len(corpus) - most))
    return corpus.ids[corpus.offsets[first] :], corpus.offsets[first:] - corpus.offsets[first]


def concatenate(first: Counted, second: Counted) -> Counted:
    """Concatenate two texts; each keeps its own beginning."""
    return np.concatenate([first[0], second[0]]), np.concatenate(
        [first[1], second[1][1:] + first[1][-1]]
    )
