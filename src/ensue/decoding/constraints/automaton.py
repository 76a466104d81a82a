"""Nondeterministic finite automaton of a regular expression (Thompson 1968, CACM 11:6)."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from ensue.decoding.constraints.regex import Chain, Either, OneOf, Ranges, Repeat, Tree, parse
from ensue.errors import PromptError

States = frozenset[int]
"""Possible states of the automaton; empty if no match is possible any more."""

_MOST_STATES = 50_000


class Automaton:
    """Automaton that decides of a text prefix whether it matches, or can still be completed.

    >>> automaton = Automaton("ab*")
    >>> automaton.complete(automaton.step(automaton.initial(), ord("a"), ord("a")))
    True
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.moves: list[list[tuple[Ranges, int]]] = []
        """Transitions of each state on a character."""
        self.free: list[list[int]] = []
        """Epsilon transitions of each state."""
        self.end = self._build(parse(pattern), self._add())

    def initial(self) -> States:
        """Return the states before any text."""
        return self._close([0])

    def complete(self, states: States) -> bool:
        """Return whether the text so far is a complete match."""
        return self.end in states

    def step(self, states: States, low: int, high: int) -> States:
        """Return the states after one character with a code point from `low` to `high`."""
        return self._close(
            [to for at in states for ranges, to in self.moves[at] if overlap(ranges, low, high)]
        )

    def indifferent(self, states: States, low: int, high: int) -> bool:
        """Return whether every code point from `low` to `high` leads to the same states."""
        ranges = (ranges for at in states for ranges, _ in self.moves[at])
        return all(_holds(each, low, high) or not overlap(each, low, high) for each in ranges)

    def shortest(self, cost: Callable[[Ranges], float]) -> list[float]:
        """Return the least cost of completing a match from each state (Dijkstra, backwards).

        `cost` is that of one character out of ranges.
        """
        back: list[list[tuple[int, float]]] = [[] for _ in self.moves]
        for at, (moves, free) in enumerate(zip(self.moves, self.free, strict=True)):
            for to, price in [
                *((to, cost(ranges)) for ranges, to in moves),
                *((to, 0.0) for to in free),
            ]:
                back[to].append((at, price))
        least, waiting = [inf] * len(back), [(0.0, self.end)]
        while waiting:
            sofar, at = heappop(waiting)
            if sofar < least[at]:
                least[at] = sofar
                for before, price in back[at]:
                    heappush(waiting, (sofar + price, before))
        return least

    def _close(self, states: list[int]) -> States:
        seen, waiting = set(states), list(states)
        while waiting:
            new = [to for to in self.free[waiting.pop()] if to not in seen]
            seen.update(new)
            waiting += new
        # States with epsilon transitions alone are dropped, so that equivalent sets are equal.
        return frozenset(state for state in seen if self.moves[state] or state == self.end)

    def _add(self, *free_from: int) -> int:
        if len(self.moves) >= _MOST_STATES:
            problem = f"with its repetitions expanded it has more than {_MOST_STATES} characters"
            where = f"pattern {self.pattern!r}"
            raise PromptError(problem, where=where, hint="use smaller counts, or * and +")
        self.moves.append([])
        self.free.append([])
        for state in free_from:
            self.free[state].append(len(self.moves) - 1)
        return len(self.moves) - 1

    def _build(self, tree: Tree, start: int) -> int:
        """Add a syntax tree after the state `start`; return its final state."""
        match tree:
            case OneOf(ranges):
                end = self._add()
                if ranges:
                    self.moves[start].append((ranges, end))
                return end
            case Chain(parts):
                for part in parts:
                    start = self._build(part, start)
                return start
            case Either(parts):
                return self._add(*[self._build(part, self._add(start)) for part in parts])
            case Repeat(part, least, most):
                return self._repeat(part, least, most, start)

    def _repeat(self, part: Tree, least: int, most: int | None, start: int) -> int:
        for _ in range(least):
            start = self._build(part, start)
        if most is None:
            self.free[self._build(part, self._add(start))].append(start)
            return self._add(start)
        exits = [start]
        for _ in range(most - least):
            start = self._build(part, self._add(start))
            exits.append(start)
        return self._add(*exits)


def overlap(ranges: Ranges, low: int, high: int) -> bool:
    """Return whether any code point from `low` to `high` is in the ranges."""
    place = bisect_right(ranges, (high, sys.maxunicode))
    return place > 0 and ranges[place - 1][1] >= low


def _holds(ranges: Ranges, low: int, high: int) -> bool:
    place = bisect_right(ranges, (low, sys.maxunicode))
    return place > 0 and ranges[place - 1][1] >= high
