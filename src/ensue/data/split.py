"""Split of the data into parts: the ends of one long text are held out; records are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import ceil
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Piece

Part: TypeAlias = Literal["train", "validation", "test"]
PARTS: tuple[Part, Part, Part] = ("train", "validation", "test")


class Split(ABC):
    """Assignment of pieces to the parts of the data."""

    sizes: dict[Part, int]
    """Number of characters or records of each part."""

    @abstractmethod
    def assign(self, pieces: Iterable[Piece]) -> Iterator[tuple[Part, str]]:
        """Yield each piece's part and text, in order; a piece may be cut."""


class ByPosition(Split):
    """Split one long text by position: validation first, then train, then test.

    Validation is the beginning, so that training reaches up to the test part. The subject of a text
    changes as it goes on, and the text just before the test part is most like it.

    >>> split = ByPosition(10, validation=0.2, test=0.1)
    >>> list(split.assign([Piece("abcdefghij", "a.txt", 1)]))
    [('validation', 'ab'), ('train', 'cdefghi'), ('test', 'j')]
    """

    ORDER: ClassVar[tuple[Part, Part, Part]] = ("validation", "train", "test")

    def __init__(self, characters: int, validation: float, test: float) -> None:
        self.bounds = (0, int(characters * validation), int(characters * (1 - test)), characters)
        self.sizes = {part: end - begin for part, (begin, end) in self._stretches()}

    def _stretches(self) -> Iterator[tuple[Part, tuple[int, int]]]:
        return zip(self.ORDER, pairwise(self.bounds), strict=True)

    def assign(self, pieces: Iterable[Piece]) -> Iterator[tuple[Part, str]]:
        """Cut pieces where a part ends."""
        done = 0
        for piece in pieces:
            for part, (begin, end) in self._stretches():
                text = piece.text[max(0, begin - done) : max(0, end - done)]
                if text:
                    yield part, text
            done += len(piece.text)


class ByRecord(Split):
    """Split records at random; shares are exact, and part of a record counts as one."""

    def __init__(self, records: int, validation: float, test: float, seed: int) -> None:
        self.part_of = np.zeros(records, np.uint8)
        order = np.random.Generator(np.random.Philox(seed % 2**64)).permutation(records)
        # 1e-6 absorbs rounding errors: 0.07 * 100 is slightly more than 7.
        n_valid, n_test = (ceil(records * share - 1e-6) for share in (validation, test))
        validation_from, test_from = (max(records - n_test - n_valid, 0), records - n_test)
        self.part_of[order[validation_from:test_from]] = PARTS.index("validation")
        self.part_of[order[test_from:]] = PARTS.index("test")
        self.sizes = {
            "train": validation_from,
            "validation": test_from - validation_from,
            "test": records - test_from,
        }

    def assign(self, pieces: Iterable[Piece]) -> Iterator[tuple[Part, str]]:
        """Yield records in the order of the file."""
        for part, piece in zip(self.part_of, pieces, strict=True):
            yield PARTS[part], piece.text


def draw_parts(
    shares: Mapping[str, float], seed: int, strata: NDArray[Any], groups: NDArray[Any] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Draw examples into parts, stratified; a group stays together, as one draw.

    `shares` are those of the held-out parts; the rest is "train", which gets one of each stratum
    first. The stratum of a group is that of most of its examples. Returns the rows of each part,
    ascending.

    >>> parts = draw_parts({"test": 0.25}, seed=1, strata=np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    >>> len(parts["train"]), (parts["test"] // 4).tolist()
    (6, [0, 1])
    """
    names, kinds = np.unique(strata, return_inverse=True)
    unit = np.arange(len(strata)) if groups is None else np.unique(groups, return_inverse=True)[1]
    counts = np.zeros((int(unit.max(initial=-1)) + 1, len(names)), np.int64)
    np.add.at(counts, (unit, kinds), 1)
    stratum = counts.argmax(1)
    order = np.random.Generator(np.random.Philox(seed % 2**64)).permutation(len(counts))
    order = order[np.argsort(stratum[order], kind="stable")]
    first = np.diff(stratum[order], prepend=-1) != 0
    part_of = np.full(len(counts), "train", dtype=f"<U{max(map(len, (*shares, 'train')))}")
    rest, count = order[~first], len(order)
    for part, share in shares.items():
        # Taking every so many of the rest, stratum by stratum, meets the share within one example
        # in each stratum and in total.
        portion = min(share * count / max(len(rest), 1), 1.0)
        taken = np.diff(np.floor(np.arange(len(rest) + 1) * portion + 0.5)) > 0
        part_of[rest[taken]] = part
        rest = rest[~taken]
    return {part: np.flatnonzero(part_of[unit] == part) for part in ("train", *shares)}
