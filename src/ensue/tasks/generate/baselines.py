"""The n-gram baseline and other simple models: fitted, and what was selected on which part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import inf
from time import perf_counter
from typing import Any

from ensue.data.contract import Corpus
from ensue.data.text_parts import TextParts, take_last
from ensue.evaluation.likelihood import Nats
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.unigram import Frequencies, symbol_counts
from ensue.models.ngram import Ngram, NgramSettings
from ensue.models.ngram.budget import Plan, Share, estimate_planned, make_plan
from ensue.settings import Settings
from ensue.tasks.fitting import BASELINES_SHARE, Fitted
from ensue.training.contract import Callback, Note, Working
from ensue.training.devices import available_memory

BASELINE_MEMORY = 0.25
"""Share of the free memory for an n-gram baseline; of the time it is BASELINES_SHARE."""
MODEL_MEMORY = 0.6
"""Share of the free memory for an n-gram that is the model; larger ones are counted on disk."""
MORE_ORDERS = 5
"""Suggested increase of max_order where the highest order that was tried is the best."""


@dataclass(frozen=True)
class Predicted:
    """Nats of the symbols that are scored, all of the test part or stretches of it."""

    text: Corpus
    nats: Nats
    searches: bool
    """Whether there is time to search the training data for copies."""


def fit_simple(parts: TextParts, validation: bool) -> list[Fitted]:
    """Fit the uniform and unigram models; `validation`: the unigram counts that part too."""
    seen = symbol_counts(parts.train.ids, parts.codec.size)
    if validation:
        seen += symbol_counts(parts.validation.ids, parts.codec.size)
    models = {"uniform": Frequencies.uniform(len(seen)), "unigram": Frequencies.unigram(seen)}
    return [Fitted(model, 0.0, title=name) for name, model in models.items()]


def describe_sample(test: ScoredText) -> tuple[str, ...]:
    """Say how much of the test part is scored, if it is not all."""
    some, full = len(test.text), len(test.full)
    if some == full:
        return ()
    sample = f"{some:,} of its {full:,} symbols, evenly spread"
    return (
        f"the test part is scored on {sample}, to stay within the time; "
        f"`ensue evaluate RUN` scores all of it",
    )


def report_share(what: str, total: int, on_event: Callback) -> Callable[[int], None]:
    """Report the progress of scoring; the result is called with the number of symbols read."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_event(Working(what, min(done / max(total, 1), 1.0)))

    on_event(Working(what, 0.0))
    return advance


def describe_choice(
    settings: NgramSettings, baseline: NgramFit, model: Settings, which: str = ""
) -> tuple[str, ...]:
    """Describe what of an n-gram was selected on which part; empty if all of it was set.

    `model` are the settings of the run's model: a baseline below its order needs no higher one.
    """
    if not settings.open:
        return ()
    order = baseline.model.order
    then = "which is counted too at the end" if baseline.validation else "which is not counted"
    if settings.order != "auto":
        return (f"the discounts of the n-gram{which}: on the validation part, {then}",)
    selected = f"the order of the n-gram{which}, {order}: on the validation part, {then}"
    below = isinstance(model, NgramSettings) and settings.highest_order < model.highest_order
    if order == settings.max_order and order + MORE_ORDERS <= LARGEST_ORDER and not below:
        part = "model" if settings is model else "baseline"
        more = f"--set {part}.max_order={order + MORE_ORDERS}"
        selected += (
            f"; {order} is the highest order that was tried, and a higher one may predict "
            f"better ({more})"
        )
    return (selected,)


LARGEST_ORDER = 32
"""Upper limit of max_order."""


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
    began, train = perf_counter(), take_last(parts.train, plan.symbols)
    heldout = (parts.validation.ids, parts.validation.offsets)
    tuned, best = estimate_planned(
        plan,
        train,
        heldout,
        parts.codec.size,
        settings,
        both=validation,
        report=lambda what: on_event(Working(what)),
    )
    seconds, title = perf_counter() - began, f"{best.order}-gram"
    return NgramFit(best, seconds, tuned=tuned, plan=plan, validation=validation, title=title)


def share_for_model(settings: NgramSettings) -> Share:
    """Give the requested model unlimited time."""
    return Share(inf, settings.memory or int(MODEL_MEMORY * available_memory()), whole=True)


def share_for_baseline(settings: NgramSettings, minutes: float, optional: bool = False) -> Share:
    """Give a baseline its share; `minutes` are inf if the budget is not a time."""
    memory = settings.memory or int(BASELINE_MEMORY * available_memory())
    return Share(60 * BASELINES_SHARE * minutes, memory, optional=optional)


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
        on_event(Note(f"the n-gram: {plan.describe(parts.train)}: {plan.expected_cost}"))
    return plan


def note_cuts(plan: Plan, train: Corpus, settings: NgramSettings, share: Share) -> tuple[str, ...]:
    """Describe what an n-gram has not counted, and the limit that caused it."""
    if not plan.cuts(train, settings):
        return ()
    return (f"the n-gram counts {plan.describe(train)}, to stay within {share}",)
