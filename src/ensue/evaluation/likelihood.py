"""Likelihood is kept as it adds up, in nats, and converted exactly and with its unit at the end."""

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
    """What a text costs under a model. Likelihoods of parts add up to that of the whole.

    Figures per character, byte and word pay for the spelling of unknown symbols, so that models
    with different vocabularies can be compared. Perplexity, as is usual, is that of the codec's
    symbols, "unknown" among them, and does not: it compares models with the same codec only. Per
    token it compares those that know the same symbols.

    >>> half = Likelihood(nats=8 * log(2), spelling_nats=0, symbols=8, characters=8, bytes=16,
    ...     words=2, unknown=0)
    >>> (half + half).bits_per_character, (half + half).bits_per_byte, round(half.perplexity, 9)
    (1.0, 0.5, 2.0)
    """

    nats: float
    """For the symbols of the codec."""
    spelling_nats: float
    """For saying what the unknown ones are."""
    symbols: int
    characters: int
    bytes: int
    words: int
    unknown: int
    """How many symbols are unknown."""
    tokens: int = 0
    """Stretches between blanks, and line ends, whatever the codec."""
    unknown_nats: float = 0.0
    """The part of `nats` that is for being unknown."""

    @classmethod
    def of(cls, text: Corpus, nats: Nats) -> Likelihood:
        """Add up the nats of each symbol of a text."""
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
        """Nats for everything: the symbols, and the spelling of unknown ones."""
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
        """Bits per word, as words stand between blanks."""
        return _ratio(self.total_nats, self.words) / log(2)

    @property
    def perplexity(self) -> float:
        """Perplexity per symbol of the codec: e to the nats of one symbol."""
        return _exp(_ratio(self.nats, self.symbols))

    @property
    def perplexity_per_token(self) -> float:
        """Perplexity per token between blanks, a line's end counting as one, as lmplz and KenLM
        count them."""
        return _exp(_ratio(self.nats, self.tokens))

    @property
    def perplexity_without_unknown(self) -> float:
        """Perplexity per symbol of those that are known: KenLM's "excluding OOVs" with the codec
        `tokens`."""
        return _exp(_ratio(self.nats - self.unknown_nats, self.symbols - self.unknown))

    def to_json(self, intervals: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Any]:
        """Give the figures and what they were made of; `intervals` by the figures' names."""
        figures = {name: getattr(self, name) for name in FIGURES}
        sizes = {
            name: getattr(self, name)
            for name in ("characters", "bytes", "words", "tokens", "unknown")
        }
        nats = {"nats": self.total_nats, "spelling_nats": self.spelling_nats}
        nats["perplexity_without_unknown"] = self.perplexity_without_unknown
        bounds = {name: list(bounds) for name, bounds in (intervals or {}).items()}
        return {"count": self.symbols} | figures | sizes | nats | {"intervals": bounds}


SPELLED = ("nats_per_character", "bits_per_character", "bits_per_byte", "bits_per_word")
"""They pay for the spelling of unknown symbols."""
UNSPELLED = ("perplexity", "perplexity_per_token")
"""They do not, as is usual."""
FIGURES = (*SPELLED, *UNSPELLED)


def paid(text: Corpus, nats: Nats) -> Nats:
    """Add to the nats of each symbol what it costs to spell it, where it is unknown."""
    total = np.array(nats, dtype=np.float64)
    total[text.unknown_at] += text.unknown_nats
    return total


def _exp(nats: float) -> float:
    return exp(nats) if nats < 700 else inf


def _ratio(nats: float, count: int) -> float:
    return nats / count if count else 0.0
