"""Score a sample of a large test part, evenly spaced, if scoring all would exceed the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.likelihood import Likelihood, Nats
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive

FEWEST = 2_000
"""Fewest symbols that are scored."""
STRETCHES, SHORTEST = 40, 100
"""Stretches that one long text is sampled in, and fewest symbols of each."""
WARMUP = 256
"""Symbols that are read before each stretch, to bring the state up to date."""
FIRST, GROWTH, LAST = 200, 4, 20_000
"""Symbols of the samples on which the speed is measured; larger batches are faster per symbol."""
TRIALS = 0.2
"""Share of the time that these samples may take."""
PROBE = 2_000
"""Symbols on which the speed is measured if all may be scored."""


@dataclass(frozen=True)
class ScoredText:
    """The part of a text that is scored: `text` is all of `full`, or concatenated stretches."""

    text: Corpus
    full: Corpus
    stretches: NDArray[np.int64] | None = None
    """Begin and end of each stretch, (stretches, 2); complete records if there are several. None is
    all of the text."""

    @staticmethod
    def of(full: Corpus, symbols: int) -> ScoredText:
        """Sample about `symbols` symbols, evenly spaced."""
        if symbols >= len(full):
            return ScoredText(full, full)
        ends = full.offsets
        if len(ends) == 2:
            count = max(min(STRETCHES, symbols // SHORTEST), 1)
            first = min(WARMUP, len(full) - symbols)  # so each has as many symbols before it
            begins = np.linspace(first, len(full), count, endpoint=False).astype(np.int64)
            stretches = np.stack([begins, begins + symbols // count], 1)
        else:
            records = max(symbols * (len(ends) - 1) // len(full), 1)
            chosen = np.linspace(0, len(ends) - 1, records, endpoint=False).astype(np.int64)
            stretches = np.stack([ends[chosen], ends[chosen + 1]], 1)
        return ScoredText(_cut(full, stretches), full, stretches)

    def describe(self) -> str:
        """Say how much of the test part is scored; empty if it is all."""
        if self.stretches is None:
            return ""
        sample = f"{len(self.text):,} of its {len(self.full):,} symbols, evenly spread"
        return (
            f"the test part is scored on {sample}, to stay within the time; "
            f"`ensue evaluate RUN` scores all of it"
        )

    def nats(
        self, model: Autoregressive, report: Callable[[float], object] = lambda share: None
    ) -> Nats:
        """Return the nats of each symbol; `report` is called with the share that is done.

        A model with several `scores` has them all, (symbols, scores).
        """
        ids, offsets = self.full.ids, self.full.offsets
        if self.stretches is None:
            return score(model, ids, offsets, ScoreSettings(), report=report)
        settings = ScoreSettings(warmup=WARMUP)
        nats = score(model, ids, offsets, settings, self.stretches, report)
        return nats[_places(self.stretches)]

    def nats_per_character(self, model: Autoregressive, more: Nats | float = 0.0) -> float:
        """Return the nats per character, with `more` nats for each id."""
        nats = self.nats(model) + np.broadcast_to(more, model.size)[self.text.ids]
        return Likelihood.of(self.text, nats).nats_per_character


def count_affordable(text: Corpus, models: Sequence[Autoregressive], seconds: float) -> int:
    """Return how many symbols all models can score in these seconds: at least FEWEST, or all."""
    if len(text) <= FEWEST or seconds == inf:
        return len(text)

    def score_some(symbols: int) -> None:
        for model in models:
            ScoredText.of(text, symbols).nats(model)

    symbols = count_in_time(score_some, seconds, len(text))
    if len(text.offsets) > 2 or symbols < len(text):
        return max(symbols, FEWEST)
    # Scoring all has no warm-ups and runs unbatched, so its speed is measured separately.
    exact = replace(text, ids=text.ids[:PROBE], offsets=np.array([0, PROBE]))
    began = perf_counter()
    for model in models:
        ScoredText(exact, exact).nats(model)
    in_time = (perf_counter() - began) / PROBE * len(text) <= seconds
    return len(text) if in_time else len(text) - 1


def count_in_time(work: Callable[[int], object], seconds: float, most: int) -> int:
    """Return how many symbols `work(symbols)` can do in these seconds, at most `most`.

    Its speed is measured on growing samples, while they take little of the time.
    """
    ends, sample, before, took = perf_counter() + TRIALS * seconds, FIRST, 0, 0.0
    while True:
        began, last = perf_counter(), took
        work(sample)
        took = perf_counter() - began
        # A part of the time is constant, such as that of the warm-ups.
        each = max((took - last) / (sample - before), 0.5 * took / sample, 1e-9)
        if GROWTH * sample > min(LAST, most) or perf_counter() + GROWTH * took > ends:
            return max(min(int(sample + (seconds - took) / each), most), 1)
        before, sample = sample, GROWTH * sample


def _places(stretches: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(begin, end) for begin, end in stretches])


def _cut(full: Corpus, stretches: NDArray[np.int64]) -> Corpus:
    """Concatenate stretches of a text; characters, bytes and words are in proportion."""
    places = _places(stretches)
    share = len(places) / len(full)
    sizes = {name: round(getattr(full, name) * share) for name in ("characters", "bytes", "words")}
    unknown = np.isin(full.unknown_at, places)
    return replace(
        full,
        ids=np.asarray(full.ids)[places],
        offsets=np.append(0, np.cumsum(stretches[:, 1] - stretches[:, 0])),
        unknown_at=np.searchsorted(places, full.unknown_at[unknown]),
        unknown_nats=full.unknown_nats[unknown],
        **sizes,
    )
