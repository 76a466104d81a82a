"""Novelty of generated texts: exact search for copies from the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Codec, Corpus
from ensue.decoding.copies import NEVER, Copy, longest_copies, shares_seen
from ensue.decoding.training_text import BOUNDARY, TrainingIds, TrainingText

_LENGTHS = (2, 4, 8, 12, 16, 24, 32)
_AROUND = 1000
SPAN, BEFORE = 120, 20
"""Characters of the longest span in a message, and of its context on each side."""


@dataclass(frozen=True)
class Novelty:
    """Overlap of a sample with the training data."""

    longest: str
    """Longest span copied from it."""
    characters: int
    """Length of that span."""
    at: int
    """Begin of the span in the sample, in characters."""
    source: int
    """Begin of the span in the training data, in characters; the end of a record counts as one."""
    record: int | None
    """Record of the training data, from 0; None in one long text."""
    nearest: str
    """Training passage around the span: as long as the sample and aligned with it, with at most
    1,000 characters before and after the span."""
    seen: dict[int, float]
    """Share of the sample's n-grams of symbols that are in the training data, by n."""
    verbatim: bool | None
    """Whether the sample is a complete record of the training data; None in one long text."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        seen = {str(length): share for length, share in self.seen.items()}
        return asdict(self) | {"seen": seen, "sentence": str(self)}

    def __str__(self) -> str:
        if self.verbatim:
            return (
                f"the whole sample is a record of the training data (number "
                f"{(self.record or 0) + 1})"
            )
        if not self.characters:
            return "no character of it is in the training data"
        count = f"{self.characters} character{'s' * (self.characters > 1)}"
        span = f"the longest span copied from the training data is {count}: {self.longest[:SPAN]!r}"
        shares = ", ".join(
            f"{share:.0%} of {length}-grams" for length, share in self.seen.items() if 0 < share < 1
        )
        begin = max(self.nearest.find(self.longest) - BEFORE, 0)
        passage = (
            f"the nearest passage there is {self.nearest[begin : begin + BEFORE + SPAN + BEFORE]!r}"
        )
        return "; ".join([span, *([f"seen there: {shares}"] if shares else []), passage])


class TrainingData:
    """Searchable training data; each search reads all of it, 72 MB in about ten seconds."""

    def __init__(self, parts: Sequence[Corpus], codec: Codec) -> None:
        self.codec = codec
        self.text, self.ids = TrainingText(parts, codec), TrainingIds(parts, codec.start)

    def novelty(self, texts: Sequence[str]) -> list[Novelty]:
        """Measure the novelty of texts, each without its prompt."""
        texts = [self.codec.plain(text) for text in texts]
        points = [_points(text) for text in texts]
        copies = longest_copies(self.text, points)
        shares = shares_seen(self.ids, [self._known(text) for text in texts], _LENGTHS)
        records = self._records(points, copies)
        return [self._novelty(*found) for found in zip(texts, copies, shares, records, strict=True)]

    def _known(self, text: str) -> NDArray[np.int64]:
        """Encode a text; unknown symbols equal nothing, because they may be different."""
        ids = self.codec.encode(text).astype(np.int64)
        return (
            ids if self.codec.unknown is None else np.where(ids == self.codec.unknown, NEVER, ids)
        )

    def _records(
        self, points: Sequence[NDArray[np.int64]], copies: Sequence[Copy]
    ) -> list[int | None]:
        """Return for each text the begin of a record that equals it, or None."""
        found: list[int | None] = [None] * len(points)
        if self.codec.end is not None:
            within = [
                number for number, copy in enumerate(copies) if copy.length == len(points[number])
            ]
            bounded = [np.pad(points[number], 1, constant_values=BOUNDARY) for number in within]
            for number, copy in zip(within, longest_copies(self.text, bounded), strict=True):
                found[number] = copy.source + 1 if copy.length == len(points[number]) + 2 else None
        return found

    def _novelty(
        self, text: str, copy: Copy, seen: dict[int, float], record: int | None
    ) -> Novelty:
        copy = copy if record is None else replace(copy, source=record)
        return Novelty(
            longest=text[copy.at : copy.at + copy.length],
            characters=copy.length,
            at=copy.at,
            source=copy.source,
            record=None if self.codec.end is None else self.text.record_at(copy.source),
            nearest=self._passage(copy, len(text)),
            seen=seen,
            verbatim=None if self.codec.end is None else record is not None,
        )

    def _passage(self, copy: Copy, length: int) -> str:
        """Return the text around a copy within its record."""
        begin = max(copy.source - min(copy.at, _AROUND), 0)
        after = min(length - copy.at - copy.length, _AROUND)
        points = self.text.read(begin, copy.source + copy.length + after)
        ends = np.flatnonzero(points == BOUNDARY)
        ends_before = ends[ends < copy.source - begin]
        ends_after = ends[ends >= copy.source - begin + copy.length]
        own = points[
            ends_before[-1] + 1 if len(ends_before) else 0 : ends_after[0]
            if len(ends_after)
            else None
        ]
        return own.tobytes().decode("utf-32-le")


def _points(text: str) -> NDArray[np.int64]:
    """Return the code points of a text; the boundary character is replaced by NEVER."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return np.where(points == BOUNDARY, NEVER, points)
