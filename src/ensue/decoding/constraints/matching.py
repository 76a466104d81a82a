"""Constrained decoding: which symbols keep a text on the way to a match of a regular expression."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensue.decoding.constraints.automaton import Automaton, States
from ensue.decoding.constraints.regex import Ranges
from ensue.errors import PromptError

_Place = tuple[States, bytes, int, bool]
"""States of the automaton, bytes of an incomplete character, number of its missing bytes of any
value, and whether a blank that comes next is not written."""

_LOWEST = {1: 0, 2: 0x80, 3: 0x800, 4: 0x10000}


class Matching:
    """Decides which symbols may come next, so that the complete text matches a pattern.

    `spellings` are the UTF-8 bytes of each symbol, empty for special symbols; a symbol may be part
    of a character. States of a text prefix are called places and numbered from 0, the initial one.

    Unless `unwritten` is None, the blank in a symbol's spelling is not written at the begin of a
    line (`Codec.keeps_blanks`); its value is whether the text begins a line.
    """

    def __init__(
        self,
        pattern: str,
        spellings: Sequence[bytes],
        end: int | None = None,
        unwritten: bool | None = None,
    ) -> None:
        self.pattern, self.end, self.size = pattern, end, len(spellings)
        self._unwritten = unwritten is not None
        self._automaton = Automaton(pattern)
        self._trie = _trie(spellings)
        self._places: list[_Place] = [(self._automaton.initial(), b"", 0, bool(unwritten))]
        self._numbers = {self._places[0]: 0}
        self._reads: dict[tuple[int, int], int] = {}
        self._following: dict[int, NDArray[np.int64]] = {}
        self._least = self._automaton.shortest(_cost_of_characters(spellings))
        self._split = _holds_all_bytes(spellings)
        self._most_needed: dict[int, float] = {}
        self._least_needed: dict[int, float] = {}

    def check(self, length: int) -> None:
        """Raise PromptError if no match can be written in `length` symbols."""
        if self.within(0, length):
            return
        where, least = f"pattern {self.pattern!r}", length + 1
        while self._least_needed[0] < inf and not self.within(0, least):
            least += 1
        if self._least_needed[0] == inf:
            what = "no match can be written with the symbols that the model knows"
            raise PromptError(what, where=where)
        problem = f"no match is as short as {length} symbols"
        raise PromptError(problem, where=where, hint=f"ask for at least {least}")

    def complete(self, place: int) -> bool:
        """Return whether the text so far is a complete match."""
        states, pending, missing, _ = self._places[place]
        return not pending and not missing and self._automaton.complete(states)

    def allowed(self, place: int, left: int) -> NDArray[np.bool_]:
        """Return for each symbol (size,) whether a match can be completed within `left` symbols."""
        following = self.following(place)
        reachable, inverse = np.unique(following, return_inverse=True)
        near = np.array(
            [number >= 0 and self.within(number, left - 1) for number in reachable.tolist()]
        )
        mask = near[inverse]
        if self.end is not None:
            mask[self.end] = self.complete(place)
        return mask

    def following(self, place: int) -> NDArray[np.int64]:
        """Return the place after each symbol (size,), or -1 if no match could be completed."""
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

    def within(self, place: int, steps: float) -> bool:
        """Return whether a match can be completed with at most `steps` symbols: exact, by search.

        Upper and lower bounds, which are cached, avoid most searches.
        """
        if self._bound(place) <= steps or self._least_needed.get(place, 0) > steps:
            return self._bound(place) <= steps
        depths, waiting = {place: 0}, deque([place])
        while waiting and depths[waiting[0]] < steps:
            at = waiting.popleft()
            for to in np.unique(self.following(at)).tolist():
                if to >= 0 and to not in depths:
                    depths[to] = depths[at] + 1
                    waiting.append(to)
                    if depths[to] + self._bound(to) <= steps:
                        self._most_needed[place] = depths[to] + self._bound(to)
                        return True
        self._least_needed[place] = steps + 1 if waiting else inf
        return False

    def _bound(self, place: int) -> float:
        """Return an upper bound of the symbols needed: each character is spelled by itself."""
        if place not in self._most_needed:
            states, pending, missing, _ = self._places[place]
            known = not pending and (self._split or not missing)
            self._most_needed[place] = (
                missing + min(self._least[at] for at in states) if known else inf
            )
        return self._most_needed[place]

    def _read(self, place: int, byte: int) -> int:
        key = place, byte
        if key not in self._reads:
            after = self._after(self._places[place], byte)
            self._reads[key] = -1 if after is None else self._number(after)
        return self._reads[key]

    def _after(self, place: _Place, byte: int) -> _Place | None:
        states, pending, missing, unwritten = place
        if unwritten and byte == 0x20:
            return states, b"", 0, False
        if missing:
            return (states, b"", missing - 1, False) if byte >> 6 == 0b10 else None
        pending += bytes([byte])
        points = _code_points(pending)
        after = self._automaton.step(states, points.low, points.high) if points else None
        if not points or not after:
            return None
        # Incomplete characters with the same continuations share a place: a few instead of
        # thousands.
        if points.free and self._automaton.indifferent(states, points.low, points.high):
            return after, b"", points.missing, self._unwritten and byte == 0x0A
        return states, pending, 0, False

    def _number(self, place: _Place) -> int:
        if place not in self._numbers:
            self._numbers[place] = len(self._places)
            self._places.append(place)
        return self._numbers[place]


def only(characters: str) -> str:
    """Return the pattern of texts that consist of these characters."""
    return f"[{re.escape(characters)}]*" if characters else ""


def _cost_of_characters(spellings: Sequence[bytes]) -> Callable[[Ranges], float]:
    """Return the cost in symbols of one character out of ranges.

    It is 1 if a symbol is that character, else its number of bytes, or infinite without byte
    symbols.
    """
    texts = (spelling.decode(errors="replace") for spelling in set(spellings))
    single = sorted(ord(text) for text in texts if len(text) == 1 and text != "\ufffd")
    split = _holds_all_bytes(spellings)

    def cost(ranges: Ranges) -> float:
        if any(bisect_left(single, low) < bisect_right(single, high) for low, high in ranges):
            return 1
        first = next((low for low, _ in ranges if not 0xD800 <= low <= 0xDFFF), None)
        return inf if first is None or not split else len(chr(first).encode())

    return cost


def _holds_all_bytes(spellings: Sequence[bytes]) -> bool:
    return {bytes([byte]) for byte in range(0xF5)} <= set(spellings)


class _Node:
    """Node of the trie of spellings: one byte."""

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
    """Range of code points whose UTF-8 encoding begins with some bytes."""

    low: int
    high: int
    missing: int
    """Number of bytes to come."""
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
