"""The models of a text side by side on its test part, and what was chosen for them on which
part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ensue.data.prepare import Prepared
from ensue.evaluation.ranking import Role
from ensue.evaluation.sampling import ScoredText
from ensue.evaluation.unigram import (
    TextScore,
    symbol_counts,
    text_score,
    uniform_nats,
    unigram_nats,
)
from ensue.models.contract import Autoregressive
from ensue.models.ngram import NgramSettings
from ensue.tasks.generate.baselines import NgramBaseline
from ensue.training.contract import Callback, Working

MORE_ORDERS = 5
"""So much higher an order is advised where the highest that was tried is the best."""


@dataclass(frozen=True)
class Scoring:
    """Makes the rows of the result."""

    parts: Prepared
    test: ScoredText
    watch: Callback

    @property
    def said(self) -> tuple[str, ...]:
        """Say so where not all of the test part is scored."""
        some, whole = len(self.test.text), len(self.test.full)
        if some == whole:
            return ()
        spread = f"{some:,} of its {whole:,} symbols, evenly spread"
        return (
            (
                f"the test part is scored on {spread}, to keep to the time (`ensue evaluate "
                f"RUN` scores all of it)"
            ),
        )

    def cheapest(self, validation: bool) -> list[TextScore]:
        """Score what needs no training: uniform and unigram, which counts the validation part as
        the n-gram does."""
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

    def ngram(self, rivals: NgramBaseline, which: str = "") -> TextScore:
        """Score an n-gram."""
        return self.row(f"{rivals.best.order}-gram{which}", "baseline", rivals.best, rivals.seconds)

    def row(self, name: str, role: Role, model: Autoregressive, seconds: float) -> TextScore:
        """Score a model."""
        nats = self.test.nats(
            model, _share_told(f"scoring the test part: {name}", self.test.read_count, self.watch)
        )
        return text_score(
            name, role, self.test.text, nats, seconds=seconds, parameters=model.parameter_count
        )


def _share_told(what: str, total: int, watch: Callback) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        watch(Working(what, min(done / max(total, 1), 1.0)))

    watch(Working(what, 0.0))
    return advance


def counted_choice(
    settings: NgramSettings, rivals: NgramBaseline, which: str = "", part: str = "baseline"
) -> tuple[str, ...]:
    """Say what of an n-gram was chosen on which part; nothing if all of it was set. `part` holds
    its settings."""
    if not settings.open:
        return ()
    order, then = (
        rivals.best.order,
        "which was then counted too" if rivals.validation else "which is not counted",
    )
    if settings.order != "auto":
        return (f"the discounts of the n-gram{which}: on the validation part, {then}",)
    said = f"the order of the n-gram{which}, {order}: on the validation part, {then}"
    if order == settings.max_order and order + MORE_ORDERS <= LARGEST_ORDER:
        more = f"--set {part}.max_order={order + MORE_ORDERS}"
        said += (
            f"; {order} is the highest that was tried, and a higher one may predict better ({more})"
        )
    return (said,)


LARGEST_ORDER = 32
"""What max_order may be at most."""
