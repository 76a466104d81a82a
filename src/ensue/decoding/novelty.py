"""How much of a text is copied: exact, by a search of all that a model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.decoding.suffix_array import Ids, find
from ensue.models.ngram.suffixes import sorted_suffixes

_LENGTHS = (2, 4, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class Novelty:
    """What a sample shares with the training data."""

    longest: str
    """The longest span copied from it."""
    characters: int
    """The length of that span."""
    symbols: int
    """The length of that span in symbols of the codec."""
    at: int
    """Where it begins in the sample, in symbols."""
    source: int
    """Where it begins in the training data, in symbols."""
    record: int | None
    """In which record of the training data, from 0; None in one long text."""
    nearest: str
    """The nearest training passage: as long as the sample, laid so that the longest span falls on itself."""
    seen: dict[int, float]
    """For each length n the share of the sample's n-grams of symbols that occur in the training data."""
    verbatim: bool | None
    """Whether the whole sample is a record of the training data; None in one long text."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        seen = {str(length): share for length, share in self.seen.items()}
        return asdict(self) | {"seen": seen, "sentence": str(self)}

    def __str__(self) -> str:
        if self.verbatim:
            return f"the whole sample is a record of the training data (number {(self.record or 0) + 1})"
        span = f"the longest span copied from the training data is {self.characters} characters: {self.longest[:120]!r}"
        shares = ", ".join(f"{share:.0%} of {length}-grams" for length, share in self.seen.items() if 0 < share < 1)
        passage = f"the nearest passage there is {self.nearest[:160]!r}"
        return "; ".join([span, *([f"seen there: {shares}"] if shares else []), passage])


class NoveltyIndex:
    """Training data in the order of its suffixes. Built once, then every question takes milliseconds.

    `ids` are all symbols of the training data; `offsets` where its records begin, and its end; `end` is the symbol
    that ends a record. A record's end is in no sample's inside, so a span never reaches over it.
    """

    def __init__(self, ids: Ids, offsets: NDArray[np.int64], suffixes: NDArray[np.integer], end: int | None) -> None:
        self.ids, self.offsets, self.suffixes, self.end = ids, offsets, suffixes, end

    @classmethod
    def build(cls, ids: Ids, offsets: NDArray[np.int64], end: int | None) -> NoveltyIndex:
        """Sort the suffixes of the training data: some ten seconds for ten million symbols."""
        ids = np.asarray(ids)
        return cls(ids, offsets, sorted_suffixes(ids).astype(np.uint32 if len(ids) < 1 << 32 else np.int64), end)

    def save(self, folder: Path) -> None:
        """Write three arrays into a folder, from which `load` maps them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("ids", "offsets", "suffixes"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, end: int | None) -> NoveltyIndex:
        """Open what `save` wrote; raises OSError or ValueError where that is missing or broken: build it again."""
        ids, offsets, suffixes = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "offsets", "suffixes")
        )
        if len(ids) != len(suffixes):
            raise ValueError("the arrays do not belong together")
        return cls(ids, offsets, suffixes, end)

    def novelty(self, sample: Ids, decode: Callable[[Sequence[int]], str]) -> Novelty:
        """Compare a sample (symbols,), without its prompt, with all the training data."""
        sample = np.asarray(sample, dtype=np.int64)
        whole = sample[:-1] if self.end is not None and len(sample) and sample[-1] == self.end else sample
        lengths, sources = find(self.ids, self.suffixes, whole)
        at = int(lengths.argmax()) if len(whole) else 0
        symbols, source = (int(lengths[at]), int(sources[at])) if len(whole) else (0, 0)
        record = max(int(np.searchsorted(self.offsets, source, side="right")) - 1, 0)
        verbatim = self._verbatim(whole) if self.end is not None else None
        if verbatim is not None:
            record, source = verbatim, int(self.offsets[verbatim])
        longest = decode(whole[at : at + symbols].tolist())
        return Novelty(
            longest=longest,
            characters=len(longest),
            symbols=symbols,
            at=at,
            source=source,
            record=None if self.end is None else record,
            nearest=decode(self._passage(record, source - at, len(whole)).tolist()),
            seen={n: float((lengths[: len(whole) - n + 1] >= n).mean()) for n in _LENGTHS if n <= len(whole)},
            verbatim=None if self.end is None else verbatim is not None,
        )

    def _passage(self, record: int, begin: int, length: int) -> Ids:
        low, high = int(self.offsets[record]), int(self.offsets[record + 1])
        return np.asarray(self.ids[max(begin, low) : min(begin + length, high)])

    def _verbatim(self, whole: Ids) -> int | None:
        """Give the first record that is this sample and nothing else."""
        same = np.flatnonzero(np.diff(self.offsets) == len(whole) + 1)
        for at, id in enumerate(whole.tolist()):
            same = same[self.ids[self.offsets[same] + at] == id]
        return int(same[0]) if len(same) else None
