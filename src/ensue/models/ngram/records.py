"""Compact records for the n-grams of one length, so that a query reads one cache line each.

A record has as many whole bytes as its last symbol needs, 1 for the place where its continuations
begin, 4 for its probability and 4 for its back-off weight. Those of the top order have no
continuations and no weight. Quantised, probability and weight take 1 byte each: the number of one
of 256 values, each the geometric mean of an equal share of all (binning, as in Federico & Bertoldi
2006 and in KenLM).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ensue.models.ngram.table import Nodes, OrderTable, Symbols

CONTEXTS = 32
"""Contexts per block; a block stores one base place, and each context an offset of one byte."""
FAR = 1 << 31
"""Marks a block whose n-grams are too many for byte offsets; the rest is its number in `far`."""
SPARSE = 8
"""Every SPARSE-th symbol is copied to a sampled array, where a binary search starts."""
BINS = 256
SAMPLED = 1 << 20
"""Maximum values that the bins are computed from."""
VALUES = ("probability", "backoff")


def record_dtype(size: int, last: bool, quantised: bool) -> np.dtype:
    """Return the dtype of a record.

    >>> [record_dtype(30_000, last, quantised).itemsize for last in (False,
    ...     True) for quantised in (False, True)]
    [11, 5, 6, 3]
    """
    bytes_of_symbol = -(-size.bit_length() // 8)
    value = "u1" if quantised else "<f4"
    symbol = ("symbol", f"<u{bytes_of_symbol}") if bytes_of_symbol != 3 else ("symbol", "u1", (3,))
    return np.dtype(
        [symbol, ("probability", value)]
        if last
        else [symbol, ("step", "u1"), *((v, value) for v in VALUES)]
    )


@dataclass(frozen=True)
class Records:
    """The n-grams of one length.

    The continuations of context c begin at `base[c // 32]` + step, or at `far[number of its block,
    c % 32]`. `books` are the codebooks of probabilities and back-off weights of quantised records,
    else empty.
    """

    grams: NDArray
    sparse: NDArray
    base: NDArray[np.uint32]
    far: NDArray[np.uint32]
    books: NDArray[np.float32]

    @staticmethod
    def of(level: OrderTable, above: OrderTable | None) -> Records:
        """Pack the n-grams of one length, whose continuations are `above`; values keep 7 digits."""
        grams = np.empty(len(level.symbol), record_dtype(level.size, above is None, False))
        grams["symbol"] = _pack_symbols(level.symbol, grams.dtype)
        grams["probability"] = level.probability
        base = far = np.zeros(0, np.uint32)
        if above is not None:
            grams["backoff"] = level.backoff
            grams["step"], base, far = _encode_begins(above.first)
        no_books = np.zeros((0, BINS), np.float32)
        return Records(grams, grams["symbol"][::SPARSE].copy(), base, far.reshape(-1), no_books)

    @property
    def last(self) -> bool:
        """Whether these are n-grams of the top order."""
        return "step" not in (self.grams.dtype.names or ())

    def symbols(self) -> Symbols:
        """Return the last symbol of each n-gram."""
        symbol = self.grams["symbol"]
        if symbol.ndim == 1:
            return symbol
        return symbol.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)

    def values(self, name: str) -> NDArray[np.float64]:
        """Return probabilities or back-off weights; the top order has no weights."""
        if self.last and name == "backoff":
            return np.zeros(0)
        codes = self.grams[name]
        return (self.books[VALUES.index(name)][codes] if len(self.books) else codes).astype(
            np.float64
        )

    def begins(self, contexts: Nodes, above: int) -> NDArray[np.int64]:
        """Return where the continuations of contexts begin among the next length's n-grams."""
        at = np.minimum(contexts, len(self.grams) - 1)
        base = self.base[at // CONTEXTS]
        far = self.far.reshape(-1, CONTEXTS)
        begin = base.astype(np.int64) + self.grams["step"][at]
        distant = np.flatnonzero(base >= FAR)
        begin[distant] = far[base[distant] - np.uint32(FAR), at[distant] % CONTEXTS]
        return np.where(contexts < len(self.grams), begin, above)

    def quantised(self, size: int) -> Records:
        """Quantise to 256 values each; 0 and 1 stay exact."""
        if len(self.books):
            return self
        grams = np.empty(len(self.grams), record_dtype(size, self.last, True))
        books = np.zeros((2, BINS), np.float32)
        for name in grams.dtype.names or ():
            if name in VALUES:
                grams[name], books[VALUES.index(name)] = _quantise(self.grams[name])
            else:
                grams[name] = self.grams[name]
        return replace(self, grams=grams, books=books)


def _pack_symbols(symbol: Symbols, kind: np.dtype) -> NDArray:
    if kind["symbol"].shape:
        return np.ascontiguousarray(symbol, "<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    return symbol


def _encode_begins(
    first: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32]]:
    contexts = len(first) - 1
    blocks = -(-contexts // CONTEXTS)
    grid = np.full(blocks * CONTEXTS, first[-1], np.uint32)
    grid[:contexts] = first[:-1]
    grid = grid.reshape(blocks, CONTEXTS)
    base = grid[:, 0].copy()
    distant = np.flatnonzero(grid[:, -1] - base > np.iinfo(np.uint8).max)
    far = grid[distant]
    grid -= base[:, None]
    base[distant] = FAR + np.arange(len(distant), dtype=np.uint32)
    return grid.ravel()[:contexts].astype(np.uint8), base, far


def _quantise(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    kept = np.array([0.0, 1.0], np.float32)
    some = values[:: -(-len(values) // SAMPLED)]
    logs = np.sort(np.log(some[(some > 0) & (some != 1)].astype(np.float64)))
    means = [np.exp(part.mean()) for part in np.array_split(logs, BINS - 2) if len(part)]
    book = np.unique(np.append(kept, np.array(means, np.float32)))
    # Every value takes the nearer of its two neighbours by ratio; none but 0 takes 0, which would
    # be impossible.
    edges = np.append(
        np.finfo(np.float32).smallest_subnormal, np.sqrt(book[2:].astype(np.float64) * book[1:-1])
    )
    codes = np.searchsorted(edges.astype(np.float32), values, side="right").astype(np.uint8)
    codes[values == 1] = np.searchsorted(book, np.float32(1))
    return codes, np.append(book, np.zeros(BINS - len(book), np.float32))
