"""External-memory n-gram counting: sorted runs on disk, then merged.

A run holds the longest n-grams of a stretch of the text in order, with their counts. Merging the
runs gives the longest n-grams of the whole text in order; shorter ones are their prefixes. All data
that grow with the text or the result are in memory-mapped files, which the system writes out as
needed.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram import kernels
from ensue.models.ngram.levels import Counts, Ids, Level, add_starts

Rows = NDArray[np.uint32]
"""(n-grams, order + 1): ids, and the count.

After a start symbol that is not the first, all ids are start symbols.
"""

POSITION_BYTES, ROW_BYTES = 200, 400
"""Peak memory per position of a run, and per row of a merge, up to order 8; rounded up."""

MIN_ROWS = 1000
"""Minimum positions of a run, and rows of a block."""


def count_in_runs(
    ids: Ids, offsets: NDArray[np.integer], size: int, order: int, memory: int
) -> Counts:
    """Count as `counts.count` does, in about `memory` bytes."""
    length = int(offsets[-1] - offsets[0]) + len(offsets) - 1
    longer = max(1, order // 8)
    stretch = max(MIN_ROWS, memory // (POSITION_BYTES * longer))
    with tempfile.TemporaryDirectory(prefix="ensue-ngrams-") as name:
        folder = Path(name)
        single = np.zeros(size + 1, np.int64)
        runs = []
        for number, begin in enumerate(range(0, length, stretch)):
            end = min(length, begin + stretch + order - 1)
            text = add_starts(ids, offsets, size, begin, end).astype(np.int32, copy=False)
            here = min(stretch, length - begin)
            single += np.bincount(text[:here], minlength=size + 1)
            runs.append(_spill(_count_run(text, here, size, order), folder / f"run.{number}"))
        single[size] = 0
        most = max(MIN_ROWS, memory // (ROW_BYTES * longer))
        merged = kernels.merge(runs, order, most)
        found = _read(_merge_slowly(runs, most) if merged is None else merged, size, order, folder)
        return Counts(size, _link_suffixes(single, found, folder, most))


def _count_run(text: NDArray[np.int32], here: int, size: int, order: int) -> Rows:
    """Count the n-grams of `order` that begin at the first `here` positions, sorted."""
    padded = np.append(text, np.full(order, size, np.int32))
    found = kernels.sort_positions(text, size, order)
    if found is None:
        rows = _build_rows(padded, np.arange(here), np.ones(here, np.uint32), size, order)
        grams, times = np.unique(rows[:, :-1], axis=0, return_counts=True)
        return np.column_stack([grams, times]).astype(np.uint32)
    at, shared = found
    heads = np.flatnonzero(shared < order)
    # The last positions are there for what comes before them; they count in the next run.
    often = np.add.reduceat(at < here, heads, dtype=np.uint32)
    return _build_rows(padded, at[heads[often > 0]].astype(np.int64), often[often > 0], size, order)


def _build_rows(
    padded: NDArray[np.int32],
    at: NDArray[np.int64],
    often: NDArray[np.uint32],
    size: int,
    order: int,
) -> Rows:
    rows = np.empty((len(at), order + 1), np.uint32)
    over = np.zeros(len(at), bool)
    for n in range(order):
        rows[:, n] = np.where(over, size, padded[at + n])
        over |= (rows[:, n] == size) & (n > 0)
    rows[:, order] = often
    return rows


def _spill(rows: Rows, path: Path) -> Rows:
    path.write_bytes(rows.data)
    return np.memmap(path, np.uint32, "r", shape=rows.shape)


def _merge_slowly(runs: list[Rows], most: int) -> Iterator[Rows]:
    """Merge the rows of all runs as the kernels do, in blocks of at most `most`."""
    each = (map(tuple, run.tolist()) for run in runs)
    block: list[list[int]] = []
    for row in heapq.merge(*each):
        if block and block[-1][:-1] == list(row[:-1]):
            block[-1][-1] += row[-1]
            continue
        if len(block) == most:
            yield np.array(block, np.uint32)
            block = []
        block.append(list(row))
    if block:
        yield np.array(block, np.uint32)


class _GrowingArray:
    """An array that grows in a file."""

    def __init__(self, path: Path, kind: type[np.integer] = np.int32) -> None:
        self.path, self.kind = path, kind
        self._file = path.open("wb")
        self.length = 0

    def add(self, values: NDArray[np.integer]) -> None:
        """Append numbers."""
        # Not by tofile, which does not say why a disk refuses.
        self._file.write(np.ascontiguousarray(values, self.kind).data)
        self.length += len(values)

    def array(self) -> NDArray:
        """Close the file, and give what is in it."""
        self._file.close()
        if self.length:
            return np.memmap(self.path, self.kind, "r+", shape=(self.length,))
        return np.zeros(0, self.kind)


class _LengthReader:
    """The n-grams of one length, read from the sorted longest ones block by block."""

    def __init__(self, folder: Path, n: int) -> None:
        self.symbol, self.context, self.count = (
            _GrowingArray(folder / f"{name}.{n}") for name in NAMES
        )
        self._open = 0
        """How often the last n-gram came so far; it may go on."""

    def read(
        self, heads: NDArray, symbol: NDArray, context: NDArray, often: NDArray
    ) -> NDArray[np.int64]:
        """Add rows; return the place of each row's n-gram.

        `often` is 0 for rows that have no n-gram of this length.
        """
        seen = self.symbol.length
        within = np.cumsum(heads)
        sums = np.bincount(within, often, int(within[-1]) + 1).astype(np.int64)
        sums[0] += self._open
        self._open = int(sums[-1])
        self.symbol.add(symbol[heads])
        self.context.add(context[heads])
        self.count.add(sums[:-1] if seen else sums[1:-1])
        return seen - 1 + within

    def finish(self) -> dict[str, NDArray]:
        """Return all arrays."""
        if self.symbol.length:
            self.count.add(np.array([self._open]))
        return {name: getattr(self, name).array() for name in NAMES}


NAMES = ("symbol", "context", "count")


def _read(merged: Iterator[Rows], size: int, order: int, folder: Path) -> list[dict[str, NDArray]]:
    """Compare each row with the one before: an n-gram begins where the first n symbols differ."""
    lengths = [_LengthReader(folder, n) for n in range(2, order + 1)]
    before = np.full(order + 1, size + 1, np.uint32)
    for rows in merged:
        column, context = rows[:, 0], rows[:, 0].astype(np.int64)
        fresh = column != np.append(before[0], column[:-1])
        reached = np.ones(len(rows), bool)
        for n, length in enumerate(lengths, 2):
            column = rows[:, n - 1]
            fresh = fresh | (column != np.append(before[n - 1], column[:-1]))
            reached = reached & (column != size)
            context = length.read(
                fresh & reached, column, context, np.where(reached, rows[:, order], 0)
            )
        before = rows[-1]
    return [length.finish() for length in lengths]


def _link_suffixes(
    single: NDArray[np.int64], found: list[dict[str, NDArray[np.int32]]], folder: Path, most: int
) -> list[Level]:
    """Find the suffix of every n-gram, and its continuation count."""
    size = len(single) - 1
    nowhere = np.zeros(size + 1, np.int32)
    nothing = nowhere[:0]
    keys = np.arange(size + 1)
    first = keys.astype(np.int32)
    levels = [Level(first, nowhere, nowhere, single.astype(np.int32), nothing, size)]
    for n, arrays in enumerate(found, 2):
        below = levels[-1]
        left = _zeros(folder / f"left.{n - 1}", len(below.symbol))
        suffixes = _GrowingArray(folder / f"suffix.{n}")
        next_keys = _GrowingArray(folder / f"keys.{n}", np.int64)
        for at in range(0, len(arrays["symbol"]), most):
            context, symbol = arrays["context"][at : at + most], arrays["symbol"][at : at + most]
            # The suffix of an n-gram follows the suffix of its context: (a b) c has the suffix (b)
            # c.
            suffix = np.searchsorted(
                keys, below.suffix[context].astype(np.int64) * (size + 1) + symbol
            )
            places, often = np.unique(suffix, return_counts=True)
            left[places] += often.astype(np.int32)
            suffixes.add(suffix)
            next_keys.add(context.astype(np.int64) * (size + 1) + symbol)
        left[below.started :] = below.count[below.started :]
        levels[-1] = replace(below, left=left)
        started = int(np.searchsorted(arrays["context"], below.started))
        keys = next_keys.array()
        levels.append(Level(**arrays, suffix=suffixes.array(), left=nothing, started=started))
    return levels


def _zeros(path: Path, length: int) -> NDArray[np.int32]:
    return np.memmap(path, np.int32, "w+", shape=(length,)) if length else np.zeros(0, np.int32)
