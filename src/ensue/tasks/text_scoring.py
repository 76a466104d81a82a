"""The models of a text side by side on its test part, and what was chosen for them on which part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ensue.data.prepare import Prepared
from ensue.evaluation.baselines import Row, row, symbol_counts, uniform_nats, unigram_nats
from ensue.evaluation.ranking import Role
from ensue.evaluation.sampling import ScoredText
from ensue.models.contract import Autoregressive
from ensue.models.ngram import NgramSettings
from ensue.tasks.rivals import Rivals
from ensue.training.contract import Watch, Working

MORE_ORDERS = 5
"""So much higher an order is advised where the highest that was tried is the best."""


@dataclass(frozen=True)
class Scoring:
    """Makes the rows of the result."""

    parts: Prepared
    test: ScoredText
    watch: Watch

    @property
    def said(self) -> tuple[str, ...]:
        """Say so where not all of the test part is scored."""
        some, whole = len(self.test.text), len(self.test.whole)
        if some == whole:
            return ()
        spread = f"{some:,} of its {whole:,} symbols, evenly spread"
        return (f"the test part is scored on {spread}, to keep to the time (`ensue evaluate RUN` scores all of it)",)

    def cheapest(self, validation: bool) -> list[Row]:
        """Score what needs no training: uniform and unigram, which counts the validation part as the n-gram does."""
        text, size = self.test.text, self.parts.codec.size
        seen = symbol_counts(self.parts.train.ids, size)
        if validation:
            seen += symbol_counts(self.parts.tune.ids, size)
        return [
            row("uniform", "baseline", text, uniform_nats(text, size), seconds=0.0, parameters=0),
            row("unigram", "baseline", text, unigram_nats(text, seen), seconds=0.0, parameters=size),
        ]

    def ngram(self, rivals: Rivals, which: str = "") -> Row:
        """Score an n-gram."""
        return self.row(f"{rivals.best.order}-gram{which}", "baseline", rivals.best, rivals.seconds)

    def row(self, name: str, role: Role, model: Autoregressive, seconds: float) -> Row:
        """Score a model."""
        nats = self.test.nats(model, _share_told(f"scoring the test part: {name}", self.test.read, self.watch))
        return row(name, role, self.test.text, nats, seconds=seconds, parameters=model.parameter_count)


def _share_told(what: str, total: int, watch: Watch) -> Callable[[int], None]:
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        watch(Working(what, min(done / max(total, 1), 1.0)))

    watch(Working(what, 0.0))
    return advance


def counted_choice(settings: NgramSettings, rivals: Rivals, which: str = "", part: str = "baseline") -> tuple[str, ...]:
    """Say what of an n-gram was chosen on which part; nothing if all of it was set. `part` holds its settings."""
    if not settings.open:
        return ()
    order, then = rivals.best.order, "which was then counted too" if rivals.validation else "which is not counted"
    if settings.order != "auto":
        return (f"the discounts of the n-gram{which}: on the tune part, {then}",)
    said = f"the order of the n-gram{which}, {order}: on the tune part, {then}"
    if order == settings.max_order and order + MORE_ORDERS <= LARGEST_ORDER:
        more = f"--set {part}.max_order={order + MORE_ORDERS}"
        said += f"; {order} is the highest that was tried, and a higher one may predict better ({more})"
    return (said,)


LARGEST_ORDER = 32
"""What max_order may be at most."""
