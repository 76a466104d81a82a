"""Score a sample of a large test part, evenly spaced, if scoring all would exceed the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.likelihood import Likelihood, Nats
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive

FEWEST = 20_000
"""Fewest symbols that are scored."""
STRETCHES, SHORTEST = 40, 500
"""Stretches that one long text is sampled in, and fewest symbols of each."""
WARMUP = 256
"""Symbols that are read before each stretch, to bring the state up to date."""
PROBE = 2000
"""Symbols that are scored to measure the speed."""
CHEAP = 0.1
"""If FEWEST symbols take at most this share of the time, the speed is measured on them: larger
batches are faster per symbol."""


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
            begins = np.linspace(0, len(full), count, endpoint=False).astype(np.int64)
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
        """Return the nats of each symbol; `report` is called with the share that is done."""
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
    if len(text) <= FEWEST or seconds == float("inf"):
        return len(text)
    if len(text.offsets) == 2:
        # Scoring all has no warm-ups and runs unbatched, so its speed is measured separately.
        exact = replace(text, ids=text.ids[:PROBE], offsets=np.array([0, PROBE]))
        if _time_per_symbol(ScoredText(exact, exact), models) * len(text) <= seconds:
            return len(text)
    cost = _time_per_symbol(ScoredText.of(text, 2 * PROBE), models)
    if cost * FEWEST <= CHEAP * seconds:
        cost = _time_per_symbol(ScoredText.of(text, FEWEST), models)
    return min(
        max(int(seconds / cost), FEWEST), len(text) - 1 if len(text.offsets) == 2 else len(text)
    )


def _time_per_symbol(sample: ScoredText, models: Sequence[Autoregressive]) -> float:
    """Measure the seconds that all models need per symbol."""
    began = perf_counter()
    for model in models:
        sample.nats(model)
    return (perf_counter() - began) / len(sample.text)


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
