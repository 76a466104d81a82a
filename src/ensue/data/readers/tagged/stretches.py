"""Features of a tokenizer: hashed substrings around each place between two characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Stretch: TypeAlias = tuple[str, str]
"""A text without blanks, and the character class that the next one begins with.

The class is empty if there is no next stretch.
"""

SIZE = 1 << 16
"""Number of hash buckets for features."""
PAD = 4
"""Padding around a stretch, so that every window lies inside."""
WINDOWS = ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (3, 3))
"""Numbers of characters before and after a place."""
LONGEST = 12
"""Longest beginning or end of a stretch that is one feature."""
BASE = np.uint64(0x9E3779B97F4A7C15)
INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))


def compute_features(
    stretches: Sequence[Stretch],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Compute the features of each place inside of stretches.

    Returns the features (places, features), the number of each place's stretch, and the position of
    each place in it. A place before a combining mark is left out.
    """
    padded = [f"{' ' * PAD}{text} {after:\0<1}{' ' * PAD}" for text, after in stretches]
    sizes = np.array([len(text) for text, _ in stretches])
    starts = np.cumsum([0, *(len(one) for one in padded)])[:-1] + PAD
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _classify(codes)
    inner = np.maximum(sizes - 1, 0)
    which = np.repeat(np.arange(len(sizes)), inner)
    places = np.arange(len(which)) - np.repeat(np.cumsum(inner) - inner, inner) + 1
    at = starts[which] + places
    inside = kinds[at] != ord("m")
    which, places, at = which[inside], places[inside], at[inside]
    begin, end = starts[which], starts[which] + sizes[which]
    chars, shapes = _Hashes(codes), _Hashes(kinds)
    short_left, short_right = at - begin <= LONGEST, end - at <= LONGEST
    run_begin, run_end = _find_runs(kinds)
    whole = chars.hash(begin, end + 2) + places.astype(np.uint64)
    columns = [
        *(chars.hash(at - left, at + right) for left, right in WINDOWS),
        *(shapes.hash(at - left, at + right) for left, right in WINDOWS[3:]),
        np.where(short_left, chars.hash(begin, at), 0),
        np.where(short_right, chars.hash(at, end), 0),
        np.where(short_left, chars.hash(begin, at + 1), 0),
        np.where(short_right, chars.hash(at - 1, end + 2), 0),
        chars.hash(run_begin[at - 1], at + 1),
        chars.hash(at - 1, run_end[at]),
        np.where(end - begin <= 2 * LONGEST, whole, 0),
        shapes.hash(begin, at + 1),
        shapes.hash(at - 1, end),
        shapes.hash(at - 1, at + 1) + _flag_stretches(stretches)[which],
    ]
    hashed = np.stack([_mix(column, number) for number, column in enumerate(columns)], 1)
    return (hashed % np.uint64(SIZE)).astype(np.int32), which, places


class _Hashes:
    """Hashes of any substrings of a text, independent of their position (Karp and Rabin 1987)."""

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        powers = np.full(len(codes) + 1, BASE)
        powers[0] = 1
        self._down = np.full(len(codes) + 1, INVERSE)
        self._down[0] = 1
        with np.errstate(over="ignore"):
            powers, self._down = np.cumprod(powers), np.cumprod(self._down)
            self._sums = np.concatenate(
                [[np.uint64(0)], np.cumsum((codes + 1).astype(np.uint64) * powers[:-1])]
            )

    def hash(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint64]:
        with np.errstate(over="ignore"):
            return (self._sums[end] - self._sums[begin]) * self._down[begin]


def _mix(column: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        mixed = (column ^ (column >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed += np.uint64(number) * BASE
        return (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB) >> np.uint64(40)


def _classify(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the class of each character: A, a, x (caseless), 0, m (mark), or itself."""
    found, places = np.unique(codes, return_inverse=True)
    return np.array([_classify_character(code) for code in found.tolist()], np.uint32)[places]


@cache
def _classify_character(code: int) -> int:
    sign = chr(code)
    if unicodedata.category(sign) in ("Mn", "Mc", "Me", "Cf"):
        return ord("m")
    kinds = {"A": sign.isupper(), "a": sign.islower(), "x": sign.isalpha(), "0": sign.isdigit()}
    return next((ord(kind) for kind, holds in kinds.items() if holds), code)


def _find_runs(kinds: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the beginning and end of the run of letters or digits around each character."""
    letters = np.isin(kinds, [ord(kind) for kind in "Aaxm"])
    group = np.where(letters, 1, np.where(kinds == ord("0"), 2, 0))
    fresh = np.concatenate([[True], (group[1:] != group[:-1]) | (group[1:] == 0)])
    numbers = np.arange(len(kinds))
    begin = np.maximum.accumulate(np.where(fresh, numbers, 0))
    last = np.concatenate([fresh[1:], [True]])
    end = np.minimum.accumulate(np.where(last, numbers, len(kinds))[::-1])[::-1] + 1
    return begin, end


def _flag_stretches(stretches: Sequence[Stretch]) -> NDArray[np.uint64]:
    """Return flags of a stretch as a whole: an email address, a URL, several points."""
    seen = (
        ("@" in text, "://" in text or text.startswith("www."), text.count(".") > 1)
        for text, _ in stretches
    )
    return np.array([mail + 2 * address + 4 * points for mail, address, points in seen], np.uint64)
