"""Keeping a text on the way to a match of a regular expression, whatever symbols it is written in."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensue.decoding.automaton import Automaton, States
from ensue.errors import PromptError

_Place = tuple[States, bytes, int]
"""Where the automaton is, the bytes of a character that has begun, and how many more bytes of any kind end another."""

_NEVER = 1 << 40
_LOWEST = {1: 0, 2: 0x80, 3: 0x800, 4: 0x10000}


class Matching:
    """Which symbols may come next, so that the whole text matches a pattern when it ends.

    `spellings` are the UTF-8 bytes of each symbol, empty for one that stands for no text; a symbol may hold a part
    of a character. The places of a text on its way are numbered as they are met, the first is 0.
    """

    def __init__(self, pattern: str, spellings: Sequence[bytes], end: int | None = None) -> None:
        self.pattern, self.end, self.size = pattern, end, len(spellings)
        self._automaton = Automaton(pattern)
        self._trie = _trie(spellings)
        self._places: list[_Place] = [(self._automaton.initial(), b"", 0)]
        self._numbers = {self._places[0]: 0}
        self._reads: dict[tuple[int, int], int] = {}
        self._following: dict[int, NDArray[np.int64]] = {}
        self._distances: dict[int, int] = {}

    def check(self, length: int) -> None:
        """Raise PromptError if no match can be written in `length` symbols."""
        least = self.distance(0)
        where = f"pattern {self.pattern!r}"
        if least == _NEVER:
            raise PromptError("no match can be written with the symbols that the model knows", where=where)
        if least > length:
            mend = f"ask for at least {least}"
            raise PromptError(f"no match is as short as {length} symbols", where=where, mend=mend)

    def complete(self, place: int) -> bool:
        """Tell whether the text so far is a whole match."""
        states, pending, missing = self._places[place]
        return not pending and not missing and self._automaton.complete(states)

    def allowed(self, place: int, left: int) -> NDArray[np.bool_]:
        """Tell for each symbol (size,) whether a match can still be ended with it and `left - 1` more."""
        following = self.following(place)
        reachable, inverse = np.unique(following, return_inverse=True)
        near = np.array([number >= 0 and self.distance(number) < left for number in reachable.tolist()])
        mask = near[inverse]
        if self.end is not None:
            mask[self.end] = self.complete(place)
        return mask

    def following(self, place: int) -> NDArray[np.int64]:
        """Give the place to which each symbol (size,) leads; -1 if the text could not be the beginning of a match."""
        if place not in self._following:
            following = np.full(self.size, -1, dtype=np.int64)
            waiting = [(self._trie, place)]
            while waiting:
                node, at = waiting.pop()
                following[node.ids] = at
                reads = ((child, self._read(at, byte)) for byte, child in node.children.items())
                waiting += [(child, to) for child, to in reads if to >= 0]
            self._following[place] = following
        return self._following[place]

    def distance(self, place: int) -> int:
        """Give the least number of symbols that completes the match: the search is exact and as long as it must be."""
        if place in self._distances:
            return self._distances[place]
        came_from: dict[int, int] = {place: -1}
        waiting = deque([place])
        while waiting and not self.complete(waiting[0]):
            at = waiting.popleft()
            for to in np.unique(self.following(at)).tolist():
                if to >= 0 and to not in came_from:
                    came_from[to] = at
                    waiting.append(to)
        if not waiting:
            self._distances.update(dict.fromkeys(came_from, _NEVER))
            return _NEVER
        # Every place on a shortest way has its own distance settled too.
        at, steps = waiting[0], 0
        while at >= 0:
            self._distances[at] = steps
            at, steps = came_from[at], steps + 1
        return self._distances[place]

    def _read(self, place: int, byte: int) -> int:
        key = place, byte
        if key not in self._reads:
            there = self._after(*self._places[place], byte)
            self._reads[key] = -1 if there is None else self._number(there)
        return self._reads[key]

    def _after(self, states: States, pending: bytes, missing: int, byte: int) -> _Place | None:
        if missing:
            return (states, b"", missing - 1) if byte >> 6 == 0b10 else None
        pending += bytes([byte])
        points = _code_points(pending)
        after = self._automaton.step(states, points.low, points.high) if points else None
        if not points or not after:
            return None
        # Where the rest of a character makes no difference, it is not told apart: a few places instead of thousands.
        if points.free and self._automaton.indifferent(states, points.low, points.high):
            return after, b"", points.missing
        return states, pending, 0

    def _number(self, place: _Place) -> int:
        if place not in self._numbers:
            self._numbers[place] = len(self._places)
            self._places.append(place)
        return self._numbers[place]


def only(characters: str) -> str:
    """Give the pattern of the texts made of these characters alone."""
    return f"[{re.escape(characters)}]*" if characters else ""


class _Node:
    """One byte of the spellings, shared by all symbols that begin alike."""

    def __init__(self) -> None:
        self.children: dict[int, _Node] = {}
        self.ids: list[int] = []


def _trie(spellings: Sequence[bytes]) -> _Node:
    root = _Node()
    for id, spelling in enumerate(spellings):
        node = root
        for byte in spelling:
            node = node.children.setdefault(byte, _Node())
        if spelling:
            node.ids.append(id)
    return root


class _Points(NamedTuple):
    """The code points that begin with some bytes of UTF-8."""

    low: int
    high: int
    missing: int
    """Bytes that are still to come."""
    free: bool
    """Whether these may be any continuation bytes."""


def _code_points(encoded: bytes) -> _Points | None:
    lead = encoded[0]
    length = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if 0x80 <= lead < 0xC2 or lead > 0xF4 or any(byte >> 6 != 0b10 for byte in encoded[1:]):
        return None
    value = lead if length == 1 else lead & (0x7F >> length)
    for byte in encoded[1:]:
        value = value << 6 | byte & 0x3F
    missing = length - len(encoded)
    least, most = value << 6 * missing, (value + 1 << 6 * missing) - 1
    low, high = max(least, _LOWEST[length]), min(most, 0x10FFFF)
    if low > high or (low >= 0xD800 and high <= 0xDFFF):
        return None
    surrogates = low <= 0xDFFF and high >= 0xD800
    return _Points(low, high, missing, (low, high) == (least, most) and not surrogates)
