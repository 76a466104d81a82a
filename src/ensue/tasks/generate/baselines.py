"""The n-grams of a training, each counted in its share of time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from time import perf_counter
from typing import Any

from ensue.data.text_parts import TextParts, take_last
from ensue.models.ngram import Ngram, NgramSettings
from ensue.models.ngram.budget import Plan, Share, estimate_planned, make_plan
from ensue.tasks.fitting import BASELINES_SHARE, Fitted
from ensue.training.contract import Callback, Note, Working
from ensue.training.devices import available_memory

BASELINE_MEMORY = 0.25
"""Share of the free memory for an n-gram baseline; of the time it is BASELINES_SHARE."""
MODEL_MEMORY = 0.6
"""Share of the free memory for an n-gram that is the model; larger ones are counted on disk."""
MORE_ORDERS = 5
"""Suggested increase of max_order where the highest order that was tried is the best."""
LARGEST_ORDER = 32
"""Upper limit of max_order."""


@dataclass(frozen=True, kw_only=True)
class NgramFit(Fitted):
    """A fitted n-gram, as the model that is used and as `tuned`.

    `tuned` is counted on the training part alone. The model has the same order and discounts, and
    also counts the validation part if that is allowed.
    """

    tuned: Ngram
    counted: Mapping[str, Any]
    """What run.toml holds: the plan, and whether the model counts the validation part."""

    @property
    def before_validation(self) -> Ngram:
        """The n-gram of the training part alone."""
        return self.tuned


def share_for_model(settings: NgramSettings) -> Share:
    """Give the requested model unlimited time."""
    return Share(inf, settings.memory or int(MODEL_MEMORY * available_memory()), whole=True)


def share_for_baseline(settings: NgramSettings, minutes: float, optional: bool = False) -> Share:
    """Give a baseline its share; `minutes` are inf if the budget is not a time."""
    memory = settings.memory or int(BASELINE_MEMORY * available_memory())
    return Share(60 * BASELINES_SHARE * minutes, memory, optional=optional)


def fit_ngram(
    settings: Any,
    ngram: NgramSettings,
    data: TextParts,
    share: Share,
    before: Mapping[str, Any],
    on_event: Callback,
) -> NgramFit | None:
    """Count an n-gram within its share, and note what was selected and what was left out.

    A resumed run repeats its plan (`before`). Returns None if an optional n-gram does not fit.
    """
    both = settings.counts_validation(data)
    plan = _load_or_make_plan(ngram, data, share, both, before, on_event)
    if plan is None:
        return None
    began = perf_counter()
    tuned, model = estimate_planned(
        plan,
        take_last(data.train, plan.symbols),
        (data.validation.ids, data.validation.offsets),
        data.codec.size,
        ngram,
        both=both,
        report=lambda what: on_event(Working(what)),
    )
    seconds = perf_counter() - began
    which = " as set" if ngram is settings.model and settings.compares_ngrams else ""
    selected = _describe_choice(settings, ngram, model.order, both, which)
    left_out = plan.describe_cuts(data.train, ngram, share)
    for note in filter(None, (selected or f"the n-gram has order {model.order}", left_out)):
        on_event(Note(note))
    return NgramFit(
        model,
        seconds,
        tuple(filter(None, (selected,))),
        settings=settings.model_copy(update={"model": ngram}),
        title=f"{model.order}-gram{which}",
        tuned=tuned,
        counted={**asdict(plan), "validation": both},
    )


def _load_or_make_plan(
    ngram: NgramSettings,
    data: TextParts,
    share: Share,
    both: bool,
    before: Mapping[str, Any],
    on_event: Callback,
) -> Plan | None:
    """Load the plan of a resumed run, or make one, with a note if counting takes long."""
    if before.get("skipped"):
        return None
    if before:
        return Plan(**{name: before[name] for name in asdict(Plan(0, 0))})
    on_event(Working("planning the n-gram"))
    plan = make_plan(data.train, data.codec.size, ngram, share, 1 + both)
    if plan is not None and plan.expected_cost:
        what = "to count them" + " twice, the second time with the validation part" * both
        cost = f"{plan.expected_cost}, {what}; scoring and the report come on top"
        on_event(Note(f"the n-gram: {plan.describe(data.train)}: {cost}"))
    return plan


def _describe_choice(
    settings: Any, ngram: NgramSettings, order: int, both: bool, which: str
) -> str:
    """Describe what of an n-gram was selected on which part; empty if all of it was set."""
    if not ngram.open:
        return ""
    part = f"on the validation part, which is {'counted too at the end' if both else 'not counted'}"
    if ngram.order != "auto":
        return f"the discounts of the n-gram{which}: {part}"
    selected = f"the order of the n-gram{which}, {order}: {part}"
    more, own = order + MORE_ORDERS, settings.model
    # A baseline below the order of the run's model needs no higher one.
    below = isinstance(own, NgramSettings) and ngram.highest_order < own.highest_order
    if order < ngram.max_order or more > LARGEST_ORDER or below:
        return selected
    return (
        f"{selected}; no higher order was tried: "
        f"give --set {'model' if ngram is own else 'baseline'}.max_order={more}"
    )
