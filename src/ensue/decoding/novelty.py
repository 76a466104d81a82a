"""How much of a text is copied: exact, by a search of all that a model was trained on."""

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
"""Characters of the longest span that a sentence shows, and of what stands around it there."""


@dataclass(frozen=True)
class Novelty:
    """What a sample shares with the training data."""

    longest: str
    """The longest span copied from it."""
    characters: int
    """The length of that span."""
    at: int
    """Where it begins in the sample, in characters."""
    source: int
    """Where it begins in the training data, in characters, of which the end of a record is one."""
    record: int | None
    """In which record of the training data, from 0; None in one long text."""
    nearest: str
    """The nearest training passage: as long as the sample, laid so that the longest span falls on
    itself; of what stands before and after that span, at most a thousand characters each."""
    seen: dict[int, float]
    """For each length n the share of the sample's n-grams of symbols that occur in the training
    data."""
    verbatim: bool | None
    """Whether the whole sample is a record of the training data; None in one long text."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        seen = {str(length): share for length, share in self.seen.items()}
        return asdict(self) | {"seen": seen, "sentence": str(self)}

    def __str__(self) -> str:
        if self.verbatim:
            return (
                f"the whole sample is a record of the training data (number "
                f"{(self.record or 0) + 1})"
            )
        if not self.characters:
            return "nothing of it stands in the training data"
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
    """All that a model may have copied from. A question reads it from beginning to end: 72 MB in
    some ten seconds."""

    def __init__(self, parts: Sequence[Corpus], codec: Codec) -> None:
        self.codec = codec
        self.text, self.ids = TrainingText(parts, codec), TrainingIds(parts, codec.start)

    def novelty(self, texts: Sequence[str]) -> list[Novelty]:
        """Compare texts, each without its prompt, with all the training data."""
        texts = [self.codec.plain(text) for text in texts]
        points = [_points(text) for text in texts]
        copies = longest_copies(self.text, points)
        shares = shares_seen(self.ids, [self._known(text) for text in texts], _LENGTHS)
        records = self._records(points, copies)
        return [self._told(*found) for found in zip(texts, copies, shares, records, strict=True)]

    def _known(self, text: str) -> NDArray[np.int64]:
        """Give the ids of a text; two unknown symbols are not the same for that."""
        ids = self.codec.encode(text).astype(np.int64)
        return (
            ids if self.codec.unknown is None else np.where(ids == self.codec.unknown, NEVER, ids)
        )

    def _records(
        self, points: Sequence[NDArray[np.int64]], copies: Sequence[Copy]
    ) -> list[int | None]:
        """Give for each text where a record begins that is the same from end to end."""
        found: list[int | None] = [None] * len(points)
        if self.codec.end is not None:
            within = [
                number for number, copy in enumerate(copies) if copy.length == len(points[number])
            ]
            bounded = [np.pad(points[number], 1, constant_values=BOUNDARY) for number in within]
            for number, copy in zip(within, longest_copies(self.text, bounded), strict=True):
                found[number] = copy.source + 1 if copy.length == len(points[number]) + 2 else None
        return found

    def _told(self, text: str, copy: Copy, seen: dict[int, float], whole: int | None) -> Novelty:
        copy = copy if whole is None else replace(copy, source=whole)
        return Novelty(
            longest=text[copy.at : copy.at + copy.length],
            characters=copy.length,
            at=copy.at,
            source=copy.source,
            record=None if self.codec.end is None else self.text.record_at(copy.source),
            nearest=self._passage(copy, len(text)),
            seen=seen,
            verbatim=None if self.codec.end is None else whole is not None,
        )

    def _passage(self, copy: Copy, length: int) -> str:
        """Give what stands around a copy in the same record."""
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
    """Give the code points of a text; a boundary in it equals nothing."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return np.where(points == BOUNDARY, NEVER, points)
