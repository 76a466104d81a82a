"""Score models of text on the test part, and describe what was selected on which part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ensue.data.prepare import Prepared
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.scores import Role, Score
from ensue.evaluation.unigram import (
    symbol_counts,
    text_score,
    uniform_nats,
    unigram_nats,
)
from ensue.models.contract import Autoregressive
from ensue.models.ngram import NgramSettings
from ensue.settings import Settings
from ensue.tasks.generate.baselines import NgramBaseline
from ensue.training.contract import Callback, Working

MORE_ORDERS = 5
"""Suggested increase of max_order where the highest order that was tried is the best."""


@dataclass(frozen=True)
class Scoring:
    """Scores models on the test part, one row of the result each."""

    parts: Prepared
    test: ScoredText
    on_event: Callback

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if only a sample of the test part is scored."""
        some, full = len(self.test.text), len(self.test.full)
        if some == full:
            return ()
        sample = f"{some:,} of its {full:,} symbols, evenly spread"
        return (
            f"the test part is scored on {sample}, to stay within the time; "
            f"`ensue evaluate RUN` scores all of it",
        )

    def score_simple(self, validation: bool) -> list[Score]:
        """Score the uniform and unigram models; `validation`: the unigram counts that part too."""
        text, size = self.test.text, self.parts.codec.size
        seen = symbol_counts(self.parts.train.ids, size)
        if validation:
            seen += symbol_counts(self.parts.validation.ids, size)
        return [
            text_score(
                "uniform", "baseline", text, uniform_nats(text, size), seconds=0.0, parameters=0
            ),
            text_score(
                "unigram", "baseline", text, unigram_nats(text, seen), seconds=0.0, parameters=size
            ),
        ]

    def ngram(self, baseline: NgramBaseline, which: str = "") -> Score:
        """Score an n-gram baseline."""
        return self.row(
            f"{baseline.best.order}-gram{which}", "baseline", baseline.best, baseline.seconds
        )

    def row(self, name: str, role: Role, model: Autoregressive, seconds: float) -> Score:
        """Score a model on the test part."""
        nats = self.test.nats(
            model,
            _report_share(f"scoring the test part: {name}", self.test.read_count, self.on_event),
        )
        return text_score(
            name, role, self.test.text, nats, seconds=seconds, parameters=model.parameter_count
        )


def _report_share(what: str, total: int, on_event: Callback) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_event(Working(what, min(done / max(total, 1), 1.0)))

    on_event(Working(what, 0.0))
    return advance


def describe_choice(
    settings: NgramSettings, baseline: NgramBaseline, model: Settings, which: str = ""
) -> tuple[str, ...]:
    """Describe what of an n-gram was selected on which part; empty if all of it was set.

    `model` are the settings of the run's model: a baseline below its order needs no higher one.
    """
    if not settings.open:
        return ()
    order, then = (
        baseline.best.order,
        "which is counted too at the end" if baseline.validation else "which is not counted",
    )
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
