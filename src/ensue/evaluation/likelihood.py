"""Likelihood of a text in nats, and metrics derived from it: bits per character, perplexity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import exp, inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Corpus

Nats = NDArray[np.float64]


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of a text; the sum of parts is that of the whole.

    Metrics per character, byte and word include the spelling of unknown symbols, so that models
    with different vocabularies can be compared. Perplexity does not: as usual, it is that of the
    codec's symbols, "unknown" among them, and compares only models with the same codec. Perplexity
    per token compares models with the same known symbols.

    >>> half = Likelihood(nats=8 * log(2), spelling_nats=0, symbols=8, characters=8, bytes=16,
    ...     words=2, unknown=0)
    >>> (half + half).bits_per_character, (half + half).bits_per_byte, round(half.perplexity, 9)
    (1.0, 0.5, 2.0)
    """

    nats: float
    """Of the symbols of the codec."""
    spelling_nats: float
    """Of the spelling of unknown symbols."""
    symbols: int
    characters: int
    bytes: int
    words: int
    unknown: int
    """Number of unknown symbols."""
    tokens: int = 0
    """Words between blanks, and line ends, whatever the codec."""
    unknown_nats: float = 0.0
    """Share of the unknown symbols in `nats`."""

    @classmethod
    def of(cls, text: Corpus, nats: Nats) -> Likelihood:
        """Sum the nats of each symbol of a text."""
        sizes = (
            len(text.ids),
            text.characters,
            text.bytes,
            text.words,
            len(text.unknown_at),
            text.tokens,
        )
        unknown = float(np.asarray(nats)[text.unknown_at].sum())
        return cls(float(nats.sum()), float(text.unknown_nats.sum()), *sizes, unknown)

    def __add__(self, other: Likelihood) -> Likelihood:
        sums = {name: value + getattr(other, name) for name, value in asdict(self).items()}
        return Likelihood(**sums)

    @property
    def total_nats(self) -> float:
        """Total nats, including the spelling of unknown symbols."""
        return self.nats + self.spelling_nats

    @property
    def nats_per_character(self) -> float:
        """Nats per character, a record's end counting as one."""
        return _ratio(self.total_nats, self.characters)

    @property
    def bits_per_character(self) -> float:
        """Bits per character."""
        return self.nats_per_character / log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of UTF-8."""
        return _ratio(self.total_nats, self.bytes) / log(2)

    @property
    def bits_per_word(self) -> float:
        """Bits per word; words are separated by blanks."""
        return _ratio(self.total_nats, self.words) / log(2)

    @property
    def perplexity(self) -> float:
        """Perplexity per symbol of the codec: exp(nats / symbols)."""
        return _exp(_ratio(self.nats, self.symbols))

    @property
    def perplexity_per_token(self) -> float:
        """Perplexity per word between blanks or end of line, as lmplz and KenLM count them."""
        return _exp(_ratio(self.nats, self.tokens))

    @property
    def perplexity_without_unknown(self) -> float:
        """Perplexity per known symbol: KenLM's "excluding OOVs" with the codec `tokens`."""
        return _exp(_ratio(self.nats - self.unknown_nats, self.symbols - self.unknown))

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics by name."""
        return {name: getattr(self, name) for name in (*FIGURES, "perplexity_without_unknown")}

    @property
    def totals(self) -> dict[str, float]:
        """Sizes of the text, and the nats in total, including the spelling of unknown symbols."""
        sizes = ("characters", "bytes", "words", "tokens", "unknown")
        nats = {"nats": self.total_nats, "spelling_nats": self.spelling_nats}
        return {name: getattr(self, name) for name in sizes} | nats

    def to_json(self, intervals: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Any]:
        """Return metrics and totals as JSON values; `intervals` are keyed by metric."""
        bounds = {name: list(bounds) for name, bounds in (intervals or {}).items()}
        return {"count": self.symbols} | self.metrics | self.totals | {"intervals": bounds}


SPELLED = ("nats_per_character", "bits_per_character", "bits_per_byte", "bits_per_word")
"""Metrics that include the spelling of unknown symbols."""
UNSPELLED = ("perplexity", "perplexity_per_token")
"""Metrics that exclude it, as is usual."""
FIGURES = (*SPELLED, *UNSPELLED)


def paid(text: Corpus, nats: Nats) -> Nats:
    """Add the nats of spelling to those of unknown symbols."""
    total = np.array(nats, dtype=np.float64)
    total[text.unknown_at] += text.unknown_nats
    return total


def _exp(nats: float) -> float:
    return exp(nats) if nats < 700 else inf


def _ratio(nats: float, count: int) -> float:
    return nats / count if count else 0.0
