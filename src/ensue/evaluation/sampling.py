"""A large test part may cost more to score than there is time: then evenly spread stretches of
it are scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus
from ensue.evaluation.likelihood import Nats
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.contract import Autoregressive

FEWEST = 20_000
"""Symbols that are scored in any case."""
STRETCHES, SHORTEST = 40, 500
"""One long text is scored in so many stretches, of at least so many symbols."""
WARMUP = 256
"""Symbols that are read before each stretch, so that a network knows where it is."""
PROBE = 2000
"""Symbols whose scoring tells how long all of them would take."""
FEWEST_PROBED, PROBED = 200, 10_000_000
"""Of a large vocabulary fewer tell it: each symbol has a probability at each of them, which says
enough."""
CHEAP = 0.1
"""Where FEWEST take no more than this share of the time, they are tried: side by side, more of
them are quicker."""


@dataclass(frozen=True)
class ScoredText:
    """What of a text is scored: `text`, which is all of it, or stretches of it one after the
    other."""

    text: Corpus
    full: Corpus
    stretches: NDArray[np.int64] | None = None
    """(stretches, 2): where they begin and end; whole records, where there are records. None for
    all of the text."""

    @staticmethod
    def of(whole: Corpus, symbols: int) -> ScoredText:
        """Take about so many symbols, evenly spread."""
        if symbols >= len(whole):
            return ScoredText(whole, whole)
        ends = whole.offsets
        if len(ends) == 2:
            count = max(min(STRETCHES, symbols // SHORTEST), 1)
            begins = np.linspace(0, len(whole), count, endpoint=False).astype(np.int64)
            stretches = np.stack([begins, begins + symbols // count], 1)
        else:
            records = max(symbols * (len(ends) - 1) // len(whole), 1)
            chosen = np.linspace(0, len(ends) - 1, records, endpoint=False).astype(np.int64)
            stretches = np.stack([ends[chosen], ends[chosen + 1]], 1)
        return ScoredText(_cut(whole, stretches), whole, stretches)

    @property
    def read(self) -> int:
        """How many symbols are read to score it."""
        if self.stretches is None:
            return len(self.text)
        before = np.minimum(self.stretches[:, 0], WARMUP) if len(self.full.offsets) == 2 else 0
        return len(self.text) + int(np.sum(before))

    def nats(self, model: Autoregressive, advance: Callable[[int], None] | None = None) -> Nats:
        """Score it, symbol by symbol; `advance` is told of symbols that are done."""
        ids, offsets = self.full.ids, self.full.offsets
        if self.stretches is None:
            return score(model, ids, offsets, ScoreSettings(), advance=advance)
        return score(model, ids, offsets, ScoreSettings(warmup=WARMUP), self.stretches, advance)[
            _places(self.stretches)
        ]


def affordable(whole: Corpus, models: Sequence[Autoregressive], seconds: float) -> int:
    """Say how many symbols of a text can be scored under all models in so many seconds: all, or
    FEWEST at least."""
    if len(whole) <= FEWEST or seconds == float("inf"):
        return len(whole)
    if len(whole.offsets) == 2:
        exact = replace(whole, ids=whole.ids[:PROBE], offsets=np.array([0, PROBE]))
        if _cost(ScoredText(exact, exact), models) * len(whole) <= seconds:
            return len(whole)
    cost = _cost(ScoredText.of(whole, 2 * PROBE), models)
    if cost * FEWEST <= CHEAP * seconds:
        cost = _cost(ScoredText.of(whole, FEWEST), models)
    return min(
        max(int(seconds / cost), FEWEST), len(whole) - 1 if len(whole.offsets) == 2 else len(whole)
    )


def seconds_each(whole: Corpus, models: Sequence[Autoregressive]) -> float:
    """Say how long a symbol of a text takes under all models, by a few of them."""
    size = max(model.size for model in models)
    return _cost(ScoredText.of(whole, min(PROBE, max(PROBED // size, FEWEST_PROBED))), models)


def _cost(some: ScoredText, models: Sequence[Autoregressive]) -> float:
    """Give the seconds of a symbol under all models."""
    began = perf_counter()
    for model in models:
        some.nats(model)
    return (perf_counter() - began) / len(some.text)


def _places(stretches: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(begin, end) for begin, end in stretches])


def _cut(whole: Corpus, stretches: NDArray[np.int64]) -> Corpus:
    """Make a text of stretches; its sizes are what they are of the whole, in proportion."""
    places = _places(stretches)
    share = len(places) / len(whole)
    sizes = {name: round(getattr(whole, name) * share) for name in ("characters", "bytes", "words")}
    unknown = np.isin(whole.unknown_at, places)
    return replace(
        whole,
        ids=np.asarray(whole.ids)[places],
        offsets=np.append(0, np.cumsum(stretches[:, 1] - stretches[:, 0])),
        unknown_at=np.searchsorted(places, whole.unknown_at[unknown]),
        unknown_nats=whole.unknown_nats[unknown],
        **sizes,
    )
