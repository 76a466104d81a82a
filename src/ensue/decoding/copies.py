"""Longest common substrings and shared n-grams with a long sequence: exact, one pass, no index.

Substrings are found by rolling hashes (Karp & Rabin 1987), computed for lengths 2, 4, 8, ... by
doubling. Each match is verified symbol by symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.integer]
Hash = NDArray[np.uint64]

BLOCK = 1 << 18
"""Symbols of the long sequence per block: their hashes fit into the cache of a core."""
CHUNK = 1 << 20
"""Symbols of a sample that are searched for in one pass."""
CAP = 1 << 18
"""Longest substrings that are hashed; longer copies are found by a part of this length. If a sample
repeats so long a substring, a longer copy may be missed."""
AT_ONCE = 32
"""Matches that are extended before a longer one is searched for."""

NEVER = 1 << 40
"""Symbol of a sample that equals no other."""

_BASE = 0x9E3779B97F4A7C15 | 1
_FIRST = np.uint64(0xD6E8FEB86659FD93)


class Streamed(Protocol):
    """A long sequence that is read once, in order."""

    def blocks(self, size: int) -> Iterator[Symbols]:
        """Yield consecutive blocks of about `size` symbols."""
        ...


class Searched(Streamed, Protocol):
    """A long sequence with random access."""

    def read(self, begin: int, end: int) -> Symbols:
        """Return the symbols from `begin` to `end`, clipped to the sequence.

        Only what the blocks have passed, or what follows it, can be read.
        """
        ...


@dataclass(frozen=True)
class Copy:
    """Longest common substring, and its begin in the sample (`at`) and in the long sequence."""

    length: int = 0
    at: int = 0
    source: int = 0


def longest_copies(searched: Searched, samples: Sequence[Symbols]) -> list[Copy]:
    """Find the longest substring of each sample that is in the long sequence.

    >>> longest_copies(Whole(np.array([3, 1, 4, 1, 5])), [np.array([9, 1, 4, 1])])
    [Copy(length=3, at=1, source=1)]
    """
    found = [_Longest(np.asarray(sample, np.int64)) for sample in samples]
    if not found:
        return []
    for begin in range(0, max([1, *map(len, samples)]), CHUNK):
        for one in found:
            one.set_chunk(begin)
        for start, buffer in _buffers(searched, lambda: max(one.hashed for one in found)):
            hashes = Hashes(buffer)
            for one in found:
                one.search(searched, start, hashes)
    return [one.copy for one in found]


def shares_seen(
    searched: Streamed, samples: Sequence[Symbols], lengths: Sequence[int]
) -> list[dict[int, float]]:
    """Return for each sample and length n the share of its n-grams in the long sequence.

    >>> shares_seen(Whole(np.array([3, 1, 4, 1, 5])), [np.array([1, 4, 4])], (1, 2))
    [{1: 1.0, 2: 0.5}]
    """
    ends = np.cumsum([0, *(len(sample) + 1 for sample in samples)])
    together = np.full(ends[-1], NEVER, np.int64)
    for begin, sample in zip(ends.tolist(), samples, strict=False):
        together[begin : begin + len(sample)] = sample
    seen = {length: np.zeros(len(together), bool) for length in lengths}
    reach = max(lengths)
    for begin in range(0, len(together), CHUNK):
        chunk = together[begin : begin + CHUNK + reach - 1]
        ngrams = {length: _Grams(chunk, length) for length in lengths}
        for _, buffer in _buffers(searched, lambda: reach):
            hashes = Hashes(buffer)
            for grams in ngrams.values():
                grams.search(buffer, hashes)
        for length, grams in ngrams.items():
            own = grams.seen()[:CHUNK]
            seen[length][begin : begin + len(own)] = own
    spans = list(pairwise(ends.tolist()))
    return [
        {n: float(seen[n][begin : end - n].mean()) for n in lengths if end - begin - 1 >= n}
        for begin, end in spans
    ]


@dataclass(frozen=True)
class Whole:
    """A long sequence that is one array; it may be a memory map."""

    symbols: Symbols

    def blocks(self, size: int) -> Iterator[Symbols]:
        """Give slices."""
        for begin in range(0, len(self.symbols), size):
            yield self.symbols[begin : begin + size]

    def read(self, begin: int, end: int) -> Symbols:
        """Return a slice."""
        return self.symbols[max(begin, 0) : max(end, 0)]


def _buffers(searched: Streamed, reach: Callable[[], int]) -> Iterator[tuple[int, Symbols]]:
    """Yield each block with the last `reach() - 1` symbols before it, and its begin."""
    start, tail = 0, np.zeros(0, np.int64)
    for block in searched.blocks(BLOCK):
        buffer = np.concatenate([tail, block])
        yield start, buffer
        overlap = min(reach() - 1, len(buffer))
        tail = buffer[len(buffer) - overlap :]
        start += len(buffer) - overlap


class Hashes:
    """Hashes of all substrings of a sequence, by length; those of powers of two are cached."""

    def __init__(self, symbols: Symbols) -> None:
        self._doubled = [(symbols.astype(np.uint64) + np.uint64(1)) * _FIRST]

    def of(self, length: int) -> Hash:
        """Return the hash of each substring of this length, by its begin."""
        top = length.bit_length() - 1
        found, size = self._power(top), 1 << top
        for low in reversed(range(top)):
            if length >> low & 1:
                found, size = _followed(found, self._power(low), size, 1 << low), size + (1 << low)
        return found

    def _power(self, number: int) -> Hash:
        while len(self._doubled) <= number:
            last, size = self._doubled[-1], 1 << (len(self._doubled) - 1)
            self._doubled.append(_followed(last, last, size, size))
        return self._doubled[number]


def _followed(first: Hash, second: Hash, size: int, more: int) -> Hash:
    """Combine hashes of `size` symbols with those of the `more` symbols that follow."""
    follow = second[size:]
    found = first[: len(follow)] * np.uint64(pow(_BASE, more, 1 << 64))
    found += follow
    return found


class _Wanted:
    """Set of hashes to search for; a small table of their top bits rejects most others."""

    def __init__(self, hashes: Hash) -> None:
        bits = min(max(16, len(hashes).bit_length() + 4), 26)
        self.hashes, self.shift = hashes, np.uint64(64 - bits)
        self.table = np.zeros(1 << bits, bool)
        self.table[self._places(hashes)] = True

    def _places(self, hashes: Hash) -> NDArray[np.int64]:
        return (hashes >> self.shift).view(np.int64)

    def among(self, hashes: Hash) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places of members of the set, and their indices in it."""
        if not len(self.hashes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = np.flatnonzero(self.table.take(self._places(hashes)))
        values = hashes[places]
        which = np.minimum(np.searchsorted(self.hashes, values), len(self.hashes) - 1)
        same = self.hashes[which] == values
        return places[same], which[same]


class _Grams:
    """The n-grams of a sample, and which of them were found."""

    def __init__(self, sample: NDArray[np.int64], length: int) -> None:
        self.sample, self.length = sample, length
        hashes, self.first, self.which = np.unique(
            Hashes(sample).of(length), return_index=True, return_inverse=True
        )
        self.found = np.zeros(len(hashes), bool)
        self.open = np.arange(len(hashes))
        self.hashes, self.wanted = hashes, _Wanted(hashes)

    def search(self, buffer: Symbols, hashes: Hashes) -> None:
        """Mark the n-grams that are in the buffer; they are not searched for again."""
        if not len(self.open):
            return
        places, which = self.wanted.among(hashes.of(self.length))
        gram, first = np.unique(self.open[which], return_index=True)
        fresh = ~self.found[gram]
        gram, places = gram[fresh], places[first[fresh]]
        steps = np.arange(self.length)
        same = buffer[places[:, None] + steps] == self.sample[self.first[gram][:, None] + steps]
        self.found[gram[same.all(1)]] = True
        if np.count_nonzero(self.found[self.open]) * 10 > len(self.open):
            self.open = self.open[~self.found[self.open]]
            self.wanted = _Wanted(self.hashes[self.open])

    def seen(self) -> NDArray[np.bool_]:
        """Return for each n-gram of the sample whether it was found."""
        return self.found[self.which]


class _Longest:
    """The longest copy of one sample so far; only longer substrings are searched for."""

    def __init__(self, sample: NDArray[np.int64]) -> None:
        self.sample, self.copy = sample, Copy()
        self.begin = 0
        self.extended: set[int] = set()

    @property
    def hashed(self) -> int:
        """The length of the substrings that are searched for."""
        return min(self.copy.length + 1, CAP)

    def set_chunk(self, begin: int) -> None:
        """Search from now on for substrings that begin in this chunk of the sample."""
        self.begin = begin
        self.extended = set()
        self._renew()

    def _renew(self) -> None:
        chunk = self.sample[self.begin : self.begin + CHUNK + self.hashed - 1]
        hashes, self.first = np.unique(Hashes(chunk).of(self.hashed), return_index=True)
        self.wanted = _Wanted(hashes)

    def search(self, searched: Searched, start: int, hashes: Hashes) -> None:
        """Update the longest copy from a buffer."""
        while len(self.wanted.hashes):
            best = Copy()
            for at, source in self._pairs(start, hashes):
                best = max(best, self._extend(searched, at, source), key=lambda copy: copy.length)
            if best.length <= self.copy.length:
                return
            self.copy = best
            self._renew()

    def _pairs(self, start: int, hashes: Hashes) -> list[tuple[int, int]]:
        """Return matching places of sample and long sequence, at most about AT_ONCE of them."""
        places, which = self.wanted.among(hashes.of(self.hashed))
        ats, sources = self.begin + self.first[which], start + places
        # At CAP, a match on the same diagonal as an extended one is part of the same copy.
        if self.hashed == CAP:
            shifts, once = np.unique(sources - ats, return_index=True)
            fresh = [
                at
                for shift, at in zip(shifts.tolist(), once.tolist(), strict=True)
                if shift not in self.extended
            ]
            ats, sources = ats[fresh], sources[fresh]
        step = -(-len(ats) // AT_ONCE) or 1
        return list(zip(ats[::step].tolist(), sources[::step].tolist(), strict=True))

    def _extend(self, searched: Searched, at: int, source: int) -> Copy:
        """Extend a match at two places in both directions."""
        self.extended.add(source - at)
        sample = self.sample
        after = _common(
            lambda b, e: sample[at + b : at + e], lambda b, e: searched.read(source + b, source + e)
        )
        before = _common(
            lambda b, e: sample[max(at - e, 0) : max(at - b, 0)][::-1],
            lambda b, e: searched.read(max(source - e, 0), max(source - b, 0))[::-1],
        )
        return Copy(before + after, at - before, source - before)


def _common(first: Callable[[int, int], Symbols], second: Callable[[int, int], Symbols]) -> int:
    """Return the length of the common prefix of two sequences; each callable returns a slice."""
    common, size = 0, 64
    while True:
        ours, theirs = first(common, common + size), second(common, common + size)
        shared = min(len(ours), len(theirs))
        different = np.flatnonzero(ours[:shared] != theirs[:shared])
        if len(different) or shared < size:
            return common + (int(different[0]) if len(different) else shared)
        common, size = common + size, min(size * 4, CAP)
