"""Parser of regular expressions: a subset of Python's `re` with the same semantics.

Literals, `.`, classes, groups, `|`, `* + ? {m,n}`, `\\d \\w \\s` and their opposites.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from string import hexdigits
from typing import TypeAlias

from ensue.errors import PromptError

Ranges = tuple[tuple[int, int], ...]
"""Code points, as sorted ranges with both ends included."""

_MOST_REPEATS = 1000
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_DIGITS = {"x": 2, "u": 4, "U": 8}


@dataclass(frozen=True)
class OneOf:
    """One character."""

    ranges: Ranges


@dataclass(frozen=True)
class Chain:
    """Concatenation of parts."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Either:
    """Alternation of parts."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Repeat:
    """Repetition of a part, `minimum` to `maximum` times; None is unlimited."""

    part: Tree
    minimum: int
    maximum: int | None


Tree: TypeAlias = "OneOf | Chain | Either | Repeat"


def parse(pattern: str) -> Tree:
    """Parse a pattern. Raises PromptError, with the position, if it is invalid or unsupported.

    >>> parse("[ab]?")
    Repeat(part=OneOf(ranges=((97, 98),)), minimum=0, maximum=1)
    """
    parser = _Parser(pattern)
    tree = parser.either()
    if parser.at < len(pattern):
        raise parser.error("this bracket was never opened")
    return tree


class _Parser:
    """Recursive descent parser: each method reads one construct at position `at`."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def error(self, what: str, at: int | None = None) -> PromptError:
        where = f"pattern {self.pattern!r}, character {(self.at if at is None else at) + 1}"
        hint = "use literals, ., classes, groups, |, * + ? {m,n}, \\d \\w \\s"
        return PromptError(what, where=where, hint=hint)

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def accept(self, text: str) -> bool:
        found = self.peek(text)
        self.at += len(text) if found else 0
        return found

    def take(self) -> str:
        if self.at == len(self.pattern):
            raise self.error("the pattern ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def either(self) -> Tree:
        parts = [self.chain()]
        while self.accept("|"):
            parts.append(self.chain())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def chain(self) -> Tree:
        parts = []
        while self.at < len(self.pattern) and not self.peek("|") and not self.peek(")"):
            parts.append(self.repeat())
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def repeat(self) -> Tree:
        part, counts = self.atom(), self.counts()
        if counts is None:
            return part
        self.accept("?")  # whether lazy or not, the same texts match
        began = self.at
        if self.counts() is not None:
            raise self.error("a repetition cannot be repeated or possessive; use a group", began)
        return Repeat(part, *counts)

    def counts(self) -> tuple[int, int | None] | None:
        for sign, counts in _REPEATS.items():
            if self.accept(sign):
                return counts
        close = self.pattern.find("}", self.at)
        body = self.pattern[self.at + 1 : close] if self.peek("{") and close > 0 else ""
        low, comma, high = body.partition(",")
        if not body or not all(
            not part or (part.isascii() and part.isdigit()) for part in (low, high)
        ):
            return None  # as in Python, this brace is a literal
        least = int(low or 0)
        most = None if comma and not high else int(high or low)
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise self.error(f"a repetition must go up, to at most {_MOST_REPEATS}")
        self.at = close + 1
        return least, most

    def atom(self) -> Tree:
        began = self.at
        if self.counts() is not None:
            raise self.error("there is nothing to repeat", began)
        sign = self.take()
        if sign == "(":
            return self.group(began)
        if sign in "^$":
            raise self.error("an anchor is not needed: the whole text must match", began)
        if sign == ".":
            return OneOf(_opposite(_points("\n")))
        return OneOf(self.bracket() if sign == "[" else self.character(sign))

    def group(self, began: int) -> Tree:
        if self.accept("?") and not self.accept(":"):
            raise self.error("of the groups that begin with (? only (?:...) is supported", began)
        inner = self.either()
        if not self.accept(")"):
            raise self.error("this group is never closed", began)
        return inner

    def character(self, sign: str) -> Ranges:
        if sign != "\\":
            return _points(sign)
        began = self.at - 1
        letter = self.take()
        if letter in "dDwWsS":
            return _kind(letter)
        if letter in _DIGITS:
            digits = self.pattern[self.at : self.at + _DIGITS[letter]]
            self.at += len(digits)
            real = len(digits) == _DIGITS[letter] and set(digits) <= set(hexdigits)
            if not real or int(digits, 16) > sys.maxunicode:
                raise self.error("this is not the number of a character", began)
            return _points(chr(int(digits, 16)))
        if letter.isascii() and letter.isalnum() and letter not in _ESCAPES:
            raise self.error(f"\\{letter} is not supported", began)
        return _points(_ESCAPES.get(letter, letter))

    def bracket(self) -> Ranges:
        began = self.at - 1
        negated = self.accept("^")
        found: list[tuple[int, int]] = []
        while not found or not self.accept("]"):  # a bracket that comes first is a literal
            if self.at == len(self.pattern):
                raise self.error("this class is never closed", began)
            low = self.character(self.take())
            if self.peek("-") and not self.peek("-]"):
                self.at += 1
                high = self.character(self.take())
                if not (_single(low) and _single(high) and low <= high):
                    raise self.error(
                        "this range of characters is reversed or has a class as an end"
                    )
                low = ((low[0][0], high[0][1]),)
            found += low
        return _opposite(_union(found)) if negated else _union(found)


@cache
def _kind(letter: str) -> Ranges:
    """Return the code points of \\d, \\w or \\s; a capital is the complement."""
    if letter.isupper():
        return _opposite(_kind(letter.lower()))
    holds = {"d": str.isdecimal, "s": str.isspace, "w": lambda sign: sign.isalnum() or sign == "_"}[
        letter
    ]
    return _union((point, point) for point in range(sys.maxunicode + 1) if holds(chr(point)))


def _points(sign: str) -> Ranges:
    return ((ord(sign), ord(sign)),)


def _single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return tuple(merged)


def _opposite(ranges: Ranges) -> Ranges:
    lows = [0, *(high + 1 for _, high in ranges)]
    highs = [*(low - 1 for low, _ in ranges), sys.maxunicode]
    return tuple((low, high) for low, high in zip(lows, highs, strict=True) if low <= high)
