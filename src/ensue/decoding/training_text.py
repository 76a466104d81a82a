"""Training text of a run, decoded from its ids to code points, in blocks or by position.

Copies are searched for in characters, not symbols: a copy may begin within a word or subword.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Codec, Corpus
from ensue.decoding.copies import BLOCK, Symbols

BOUNDARY = 0
"""Code point at the end of a record or part, and of unknown symbols without a stored spelling; no
copy crosses it."""


@dataclass(frozen=True)
class _Block:
    part: int
    begin: int
    """Ids of the part, up to `end`."""
    end: int


class TrainingIds:
    """Concatenated ids of several parts, with `between` after each."""

    def __init__(self, parts: Sequence[Corpus], between: int) -> None:
        self.parts, self.between = parts, between

    def blocks(self, size: int) -> Iterator[Symbols]:
        """Yield blocks of ids."""
        for part in self.parts:
            for begin in range(0, len(part), size):
                yield np.asarray(part.ids[begin : begin + size])
            yield np.array([self.between])


class TrainingText:
    """Characters of several parts, with a BOUNDARY first and after each record or long text."""

    def __init__(self, parts: Sequence[Corpus], codec: Codec) -> None:
        self.parts, self.records, self.keeps_blanks = (
            parts,
            codec.end is not None,
            codec.keeps_blanks,
        )
        spellings = [
            b"\0" if id in (codec.end, codec.unknown) else one
            for id, one in enumerate(codec.spellings())
        ]
        unknown = [part.unknown_bytes for part in parts]
        self._spelled = np.concatenate([np.frombuffer(b"".join(spellings), np.uint8), *unknown])
        self._sizes = np.array(list(map(len, spellings)))
        self._starts = np.cumsum(self._sizes) - self._sizes
        own = int(self._sizes.sum()) + np.cumsum([0, *map(len, unknown)])
        self._unknown_starts = [
            begin + np.cumsum(part.unknown_sizes) - part.unknown_sizes
            for begin, part in zip(own, parts, strict=False)
        ]
        self._ends_line = np.array([spelling.endswith(b"\n") for spelling in spellings])
        # Blocks must not end within a UTF-8 character: 0b10xxxxxx is a continuation byte.
        self._goes_on = np.array(
            [(spelling[:1] or b"a")[0] & 0xC0 == 0x80 for spelling in spellings]
        )
        self._blocks = list(self._cut())
        self._firsts = [0]
        """Begin of each block in the text, as far as it was read."""
        self._points = lru_cache(4)(self._decoded)

    def _cut(self) -> Iterator[_Block]:
        for number, part in enumerate(self.parts):
            begin, size = 0, max(BLOCK * len(part) // max(part.characters, 1), 1)
            while begin < len(part):
                end = min(begin + size, len(part))
                while end < len(part) and self._goes_on[part.ids[end]]:
                    end += 1
                yield _Block(number, begin, end)
                begin = end

    def blocks(self, size: int) -> Iterator[Symbols]:
        """Yield the text in its own blocks."""
        yield from map(self._read_block, range(len(self._blocks)))

    def _read_block(self, number: int) -> NDArray[np.uint32]:
        points = self._points(number)
        if number + 1 == len(self._firsts):
            self._firsts.append(self._firsts[-1] + len(points))
        return points

    def _decoded(self, number: int) -> NDArray[np.uint32]:
        block = self._blocks[number]
        points = self._spell(block.part, block.begin, block.end)
        ends = not self.records and block.end == len(self.parts[block.part])
        return np.pad(points, (int(number == 0), int(ends)), constant_values=BOUNDARY)

    def _spell(self, part: int, begin: int, end: int) -> NDArray[np.uint32]:
        """Decode a range of ids to code points."""
        corpus = self.parts[part]
        ids = np.asarray(corpus.ids[begin:end], np.int64)
        starts, sizes = self._starts[ids], self._sizes[ids]
        if len(corpus.unknown_sizes):
            first, last = np.searchsorted(corpus.unknown_at, (begin, end)).tolist()
            at = corpus.unknown_at[first:last] - begin
            starts[at] = self._unknown_starts[part][first:last]
            sizes[at] = corpus.unknown_sizes[first:last]
        ends = np.cumsum(sizes)
        places = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)
        text = self._spelled[places].tobytes().decode("utf-8", "replace")
        if not self.keeps_blanks:
            text = self._without_first_blank(text, corpus, begin)
        return np.frombuffer(text.encode("utf-32-le"), np.uint32)

    def _without_first_blank(self, text: str, part: Corpus, begin: int) -> str:
        """Remove the blank before the first token of each line or record."""
        text = text.replace("\n ", "\n").replace("\0 ", "\0")
        first = begin in part.offsets or self._ends_line[part.ids[begin - 1]]
        return text.removeprefix(" ") if first else text

    def read(self, begin: int, end: int) -> NDArray[np.uint32]:
        """Return the code points from `begin` to `end`, clipped to the text."""
        begin, found = max(begin, 0), [np.zeros(0, np.uint32)]
        number = self._block_at(begin)
        while number < len(self._blocks) and self._firsts[number] < end:
            points, first = self._read_block(number), self._firsts[number]
            found.append(points[max(begin - first, 0) : max(end - first, 0)])
            number += 1
        return np.concatenate(found)

    def _block_at(self, place: int) -> int:
        while self._firsts[-1] <= place and len(self._firsts) <= len(self._blocks):
            self._read_block(len(self._firsts) - 1)
        return int(np.searchsorted(self._firsts, place, side="right")) - 1

    def whole(self) -> str:
        """Return the complete text, with a line break for each boundary."""
        blocks = list(self.blocks(0))
        points = np.concatenate(blocks)[1:] if blocks else np.zeros(0, np.uint32)
        return points.tobytes().decode("utf-32-le").replace(chr(BOUNDARY), "\n")

    def record_at(self, place: int) -> int:
        """Return the number of the record, counted over all parts, at this character."""
        number = self._block_at(place)
        block = self._blocks[number]
        before = sum(len(part.offsets) - 1 for part in self.parts[: block.part])
        ended = int(np.searchsorted(self.parts[block.part].offsets, block.begin, side="right")) - 1
        here = self._read_block(number)[int(number == 0) : place - self._firsts[number]]
        return before + ended + int(np.count_nonzero(here == BOUNDARY))
