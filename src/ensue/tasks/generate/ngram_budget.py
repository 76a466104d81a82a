"""What counting n-grams will take, known before it is spent: how much of a text fits a share,
and up to which order."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log2
from time import perf_counter

import numpy as np

from ensue.data.contract import Corpus
from ensue.models.ngram import NgramSettings, count, fit
from ensue.models.ngram.smoothing import KneserNey
from ensue.native import library
from ensue.tasks.fitting import BASELINES_SHARE
from ensue.training.devices import available_memory

MEMORY = 0.25
"""The share of the memory that is free which the n-gram beside a network may take; of the time
it is BASELINES."""
ASKED_MEMORY = 0.6
"""The same of an n-gram that is the model itself; what does not fit is counted on disk."""
SMALL = 1_000_000
"""Symbols that are counted without a question: in a second, in less than half a gigabyte at
order 9."""
SAMPLE = 500_000
"""Symbols that are counted to tell what all of them will take; and once more twice as many."""
POSITION_BYTES, GRAM_BYTES, TABLE_BYTES = 40, 64, 48
"""What counting takes for each symbol and each n-gram, and what the table alone takes for each
n-gram while it is estimated; measured on 5 MB of characters: 620 and 1,660 MB at orders 9 and 14.
"""
SLACK = 1.5
"""A large text takes longer than the sample, by symbols: its arrays fit no cache, and discounts
are tuned besides."""
IN_RUNS, IN_RUNS_SLOWLY = 1.5, 6
"""Counting in runs on disk takes at most so many times longer, with the kernels and without. With
them, 10 MB of characters took 0.4 times as long at order 5, and 1.3 times at order 9."""
LOWEST = 5
"""Rather than to a lower order than this, the end of a text is counted alone."""


@dataclass(frozen=True)
class Share:
    """What an n-gram may take."""

    seconds: float
    memory: int
    """Bytes."""
    whole: bool = False
    """All of the text is counted, in runs on disk where it has to be: it was asked for."""
    optional: bool = False
    """Left out where all of it does not fit, for it only stands beside what was asked for."""

    def __str__(self) -> str:
        time = f" and {self.seconds:,.0f} s" if isfinite(self.seconds) else ""
        return f"its share of {self.memory / 1e9:.1f} GB{time}"

    @staticmethod
    def asked(settings: NgramSettings) -> Share:
        """Give what was asked for all the time that it takes."""
        return Share(inf, settings.memory or int(ASKED_MEMORY * available_memory()), whole=True)

    @staticmethod
    def beside(settings: NgramSettings, minutes: float, optional: bool = False) -> Share:
        """Give a baseline its share; `minutes` are inf where the budget is no time."""
        return Share(
            60 * BASELINES_SHARE * minutes,
            settings.memory or int(MEMORY * available_memory()),
            optional=optional,
        )


@dataclass(frozen=True)
class Plan:
    """What is counted."""

    symbols: int
    """Of the training part, the last ones."""
    highest_order: int
    memory: int = 0
    """Bytes that counting is held to, in runs on disk; 0 for none."""
    takes: str = ""
    """What it is expected to take, in words; empty for little."""

    def cuts(self, train: Corpus, settings: NgramSettings) -> bool:
        """Tell whether less is counted than there is."""
        return self.symbols < len(train) or self.highest_order < settings.highest_order


def plan_of(train: Corpus, size: int, settings: NgramSettings, share: Share) -> Plan | None:
    """Choose what to count of a training part, all of it if that fits; None where what is optional
    does not fit.

    Rather than all of it to an order below 5, the end of it is counted alone. A text of records
    ends with whole ones.
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
            seconds, counting = expected.seconds(symbols, order), expected.counting(symbols, order)
            table = TABLE_BYTES * expected.grams(symbols, order)
            if seconds <= share.seconds and counting <= share.memory:
                return Plan(symbols, order, 0, _told(counting, seconds))
            if (in_runs * seconds <= share.seconds and table <= share.memory) or share.whole:
                takes = _told(max(table, share.memory), in_runs * seconds)
                return Plan(symbols, order, share.memory, f"{takes}, in runs on disk")
        if share.optional:
            return None
        if symbols <= SMALL:
            return Plan(
                symbols,
                lowest,
                0,
                _told(expected.counting(symbols, lowest), expected.seconds(symbols, lowest)),
            )
        symbols = max(int(0.7 * symbols), SMALL)


def _told(memory: float, seconds: float) -> str:
    return f"about {memory / 1e9:.1f} GB and {max(seconds, 1):,.0f} s"


@dataclass(frozen=True)
class _Expected:
    """How many n-grams there are in a text, by Heaps' law from two samples of it; and what they
    take."""

    sampled: int
    found: tuple[float, ...]
    """N-grams of each length in a sample of so many symbols."""
    growth: tuple[float, ...]
    """The exponents: how the number of each length grows with the text."""
    took: float
    """Seconds of counting the sample and estimating a model, at the highest order."""

    @staticmethod
    def of(train: Corpus, size: int, order: int) -> _Expected:
        found = []
        began = perf_counter()
        for most in (SAMPLE, 2 * SAMPLE):
            began = perf_counter()
            begin = (len(train) - most) // 2
            ids = np.asarray(train.ids[begin : begin + most])
            counts = count(ids, np.array([0, most]), size, order)
            fit(counts, KneserNey(), order)
            found.append([max(len(level.symbol), 1) for level in counts.levels])
        growth = tuple(
            min(max(log2(more / less), 0.0), 1.0) for less, more in zip(*found, strict=True)
        )
        return _Expected(2 * SAMPLE, tuple(map(float, found[1])), growth, perf_counter() - began)

    def grams(self, symbols: int, order: int) -> float:
        times = max(symbols / self.sampled, 1.0)
        return sum(
            found * times**growth
            for found, growth in zip(self.found[:order], self.growth, strict=False)
        )

    def counting(self, symbols: int, order: int) -> float:
        return POSITION_BYTES * symbols + GRAM_BYTES * self.grams(symbols, order)

    def seconds(self, symbols: int, order: int) -> float:
        # Training part alone, and again with the validation part; half of the work goes with the
        # order.
        share = 0.5 + 0.5 * order / len(self.found)
        return 2 * SLACK * self.took * share * symbols / self.sampled
