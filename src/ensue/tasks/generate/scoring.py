"""Score models of text on the test part, and describe what was selected on which part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ensue.data.contract import Corpus
from ensue.data.text_parts import TextParts
from ensue.evaluation.likelihood import Nats
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.unigram import Frequencies, symbol_counts
from ensue.models.ngram import NgramSettings
from ensue.settings import Settings
from ensue.tasks.fitting import Fitted
from ensue.tasks.generate.baselines import NgramFit
from ensue.training.contract import Callback, Working

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
