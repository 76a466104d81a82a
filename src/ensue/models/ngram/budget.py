"""Count n-grams by a plan: how much of a text fits a memory and time limit, to which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, log2
from time import perf_counter

import numpy as np

from ensue.data.contract import Corpus
from ensue.data.text_parts import Counted, concatenate
from ensue.models.ngram.counts import count
from ensue.models.ngram.estimation import choose, fit
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.settings import NgramSettings
from ensue.models.ngram.smoothing import KneserNey
from ensue.native import library

SMALL = 1_000_000
"""So many symbols are counted without a plan: it takes a second, and 0.5 GB at order 9."""
SAMPLE, SAMPLED = 500_000, 1 / 32
"""Symbols of the first sample from which the cost is estimated, or this share of a large text; the
second has twice as many. Arrays that fit the CPU cache take half of the time per symbol."""
POSITION_BYTES, GRAM_BYTES, TABLE_BYTES = 40, 64, 48
"""Bytes of counting per symbol and per n-gram, and of the table alone per n-gram.

Measured on 5 MB of characters: 620 and 1,660 MB at orders 9 and 14.
"""
SLACK = 1.5
"""A large text takes longer per symbol than the sample, and discounts are tuned."""
IN_RUNS, IN_RUNS_SLOWLY = 1.5, 6
"""Upper limits of how much longer counting on disk takes, with compiled kernels and without. With
kernels, 10 MB of characters took 0.4 times as long at order 5, and 1.3 times at order 9."""
LOWEST = 5
"""Instead of an order below this, only the end of the text is counted."""


@dataclass(frozen=True)
class Share:
    """Time and memory limits for counting an n-gram."""

    seconds: float
    memory: int
    """Bytes."""
    whole: bool = False
    """Count all of the text, on disk if necessary: the n-gram is the requested model."""
    optional: bool = False
    """Skip the n-gram if not all of the text fits: it is only a comparison."""

    def __str__(self) -> str:
        time = f" and {self.seconds:,.0f} s" if isfinite(self.seconds) else ""
        return f"its share of {self.memory / 1e9:.1f} GB{time}"


@dataclass(frozen=True)
class Plan:
    """How much of the training part is counted, and to which order."""

    symbols: int
    """The last so many symbols of the training part."""
    highest_order: int
    memory: int = 0
    """Memory limit in bytes for counting on disk; 0 counts in memory."""
    expected_cost: str = ""
    """Expected memory and time, in words; empty for a small text."""

    def describe_cuts(self, train: Corpus, settings: NgramSettings, share: Share) -> str:
        """Say what the limits leave out; empty if all is counted that the settings allow."""
        if self.symbols >= len(train) and self.highest_order >= settings.highest_order:
            return ""
        return f"the n-gram counts {self.describe(train)}, to stay within {share}"

    def describe(self, train: Corpus) -> str:
        """Say how much is counted."""
        count = len(train)
        if self.symbols >= count:
            amount = f"all {count:,} training symbols"
        else:
            amount = f"the last {self.symbols:,} of the {count:,} training symbols"
        return f"{amount}, up to order {self.highest_order}"


def make_plan(
    train: Corpus, size: int, settings: NgramSettings, share: Share, passes: int = 2
) -> Plan | None:
    """Choose how much of a training part to count: all if that fits the share.

    Before the order falls below 5, only the end of the text is counted; records are not split.
    The second of two `passes` counts the validation part too. Returns None if an optional n-gram
    does not fit.
    """
    whole = Plan(len(train), settings.highest_order, settings.memory)
    if len(train) <= SMALL:
        return whole
    expected = _Expected.of(train, size, settings.highest_order)
    in_runs = IN_RUNS if library() else IN_RUNS_SLOWLY
    fixed = share.optional or share.whole or settings.order != "auto"
    lowest = settings.highest_order if fixed else min(LOWEST, settings.highest_order)
    symbols = len(train)
    while True:
        for order in range(settings.highest_order, lowest - 1, -1):
            seconds = expected.seconds(symbols, order, passes)
            counting = expected.counting(symbols, order)
            table = TABLE_BYTES * expected.grams(symbols, order)
            if seconds <= share.seconds and counting <= share.memory:
                return Plan(symbols, order, 0, _describe_cost(counting, seconds))
            if (in_runs * seconds <= share.seconds and table <= share.memory) or share.whole:
                takes = _describe_cost(max(table, share.memory), in_runs * seconds)
                return Plan(symbols, order, share.memory, f"{takes}, in runs on disk")
        if share.optional:
            return None
        if symbols <= SMALL:
            counting = expected.counting(symbols, lowest)
            takes = _describe_cost(counting, expected.seconds(symbols, lowest, passes))
            return Plan(symbols, lowest, 0, takes)
        symbols = max(int(0.7 * symbols), SMALL)


def estimate_planned(
    plan: Plan,
    train: Counted,
    held_out: Counted,
    size: int,
    settings: NgramSettings,
    *,
    both: bool,
    report: Callable[[str], None],
) -> tuple[Ngram, Ngram]:
    """Estimate two models by a plan, with order and discounts selected on the held-out part.

    The first one has counted `train` alone; the second one the held-out part too, if `both`.
    `report` is called with the name of each step.
    """
    highest, cost = plan.highest_order, f" ({plan.expected_cost})" if plan.expected_cost else ""
    report(f"counting n-grams{cost}")
    counts = count(*train, size, highest, plan.memory)
    order, smoothing = highest, settings.smooth()
    if settings.open:
        report("choosing the order of the n-gram and its discounts")
        order, smoothing = choose(
            counts, held_out, settings.model_copy(update={"max_order": highest})
        )
    report("estimating the n-gram")
    tuned = fit(counts, smoothing, order).packed()
    del counts  # frees memory before the next counts, which are as large
    if not both:
        return tuned, tuned
    report("counting n-grams, those of the validation part too")
    counts = count(*concatenate(train, held_out), size, order, plan.memory)
    return tuned, fit(counts, smoothing, order).packed()


def _describe_cost(memory: float, seconds: float) -> str:
    return f"about {memory / 1e9:.1f} GB and {max(seconds, 1):,.0f} s"


@dataclass(frozen=True)
class _Expected:
    """Number of n-grams in a text, by Heaps' law from two samples, and their time and memory."""

    sampled: int
    found: tuple[float, ...]
    """N-grams of each length in the larger sample."""
    growth: tuple[float, ...]
    """Exponents of Heaps' law for each length."""
    took: float
    """Seconds to count the larger sample and estimate a model, at the highest order."""

    @staticmethod
    def of(train: Corpus, size: int, order: int) -> _Expected:
        found = []
        began = perf_counter()
        sample = max(SAMPLE, int(SAMPLED * len(train)))
        for most in (sample, 2 * sample):
            began = perf_counter()
            begin = (len(train) - most) // 2
            ids = np.asarray(train.ids[begin : begin + most])
            counts = count(ids, np.array([0, most]), size, order)
            fit(counts, KneserNey(), order)
            found.append([max(len(level.symbol), 1) for level in counts.levels])
        growth = tuple(
            min(max(log2(more / less), 0.0), 1.0) for less, more in zip(*found, strict=True)
        )
        return _Expected(2 * sample, tuple(map(float, found[1])), growth, perf_counter() - began)

    def grams(self, symbols: int, order: int) -> float:
        times = max(symbols / self.sampled, 1.0)
        return sum(
            found * times**growth
            for found, growth in zip(self.found[:order], self.growth, strict=False)
        )

    def counting(self, symbols: int, order: int) -> float:
        return POSITION_BYTES * symbols + GRAM_BYTES * self.grams(symbols, order)

    def seconds(self, symbols: int, order: int, passes: int = 2) -> float:
        share = 0.5 + 0.5 * order / len(self.found)  # half of the work grows with the order
        return passes * SLACK * self.took * share * symbols / self.sampled
