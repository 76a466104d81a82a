"""A back-off table in few bytes, in arrays that may lie in a file and are asked where they lie.

An n-gram takes as many whole bytes as its last symbol needs, 4 for its probability, 4 for its back-off weight (none at
the top order), and little more than 1 for the place where its continuations begin. Quantised, a probability and a
weight take 1 each: the number of one of 256 values, each the geometric mean of an equal share of all (as in KenLM;
Federico & Bertoldi 2006 call it binning).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ensue.errors import RunError
from ensue.models.ngram.kernels import address, pointer
from ensue.models.ngram.table import Nodes, Rung, Symbols, Table, first_rung
from ensue.native import library

CONTEXTS = 32
"""So many contexts share the place where their n-grams begin; each is a step of one byte from there."""
FAR = 255
"""Stands as first step of a block of contexts whose n-grams are too many for steps; its number among these follows."""
BINS = 256
SAMPLED = 1 << 20
"""Bins are laid over no more values than this."""


@dataclass(frozen=True)
class Values:
    """Numbers, or the codes of numbers in a book of at most 256."""

    codes: NDArray
    book: NDArray[np.float32] | None = None

    def plain(self) -> NDArray[np.float64]:
        """Give the numbers themselves."""
        return (self.codes if self.book is None else self.book[self.codes]).astype(np.float64)

    def quantised(self) -> Values:
        """Give codes instead; those that are 0 or 1 stay so."""
        if self.book is not None or not len(self.codes):
            return self
        kept = np.array([0.0, 1.0], np.float32)
        others = self.codes[:: -(-len(self.codes) // SAMPLED)]
        logs = np.sort(np.log(others[(others > 0) & (others != 1)].astype(np.float64)))
        parts = [part for part in np.array_split(logs, BINS - 2) if len(part)]
        book = np.unique(np.concatenate([kept, np.exp([part.mean() for part in parts])]).astype(np.float32))
        # Between two values of the book, the nearer one by ratio; what is 0 or 1 has its own.
        with np.errstate(divide="ignore"):
            edges = np.sqrt(book[1:].astype(np.float64) * book[:-1])
        edges[0] = np.finfo(np.float32).tiny
        # The book is full, so that a code is never outside of it.
        codes = np.searchsorted(edges, self.codes, side="right").astype(np.uint8)
        for value in kept:
            codes[self.codes == value] = np.searchsorted(book, value)
        return Values(codes, np.append(book, np.zeros(BINS - len(book), np.float32)))


@dataclass(frozen=True)
class PackedRung:
    """The n-grams of one length: last symbols, where those of each context begin, probabilities, back-off weights."""

    symbol: NDArray
    base: NDArray[np.uint32]
    step: NDArray[np.uint8]
    far: NDArray[np.uint32]
    probability: Values
    backoff: Values

    @staticmethod
    def of(rung: Rung) -> PackedRung:
        """Pack the n-grams of one length."""
        first = rung.first
        blocks = -(-(len(first) - 1) // CONTEXTS)
        grid = np.full(blocks * CONTEXTS, first[-1], np.uint32)
        grid[: len(first) - 1] = first[:-1]
        grid = grid.reshape(blocks, CONTEXTS)
        far = np.flatnonzero(grid[:, -1] - grid[:, 0] > FAR)
        step = (grid - grid[:, :1]).astype(np.uint8)
        step[far, 0] = FAR
        step[far, 1:5] = np.arange(len(far), dtype="<u4")[:, None].view(np.uint8)
        base = np.append(grid[:, 0], np.uint32(first[-1]))
        values = (Values(values.astype(np.float32)) for values in (rung.probability, rung.backoff))
        return PackedRung(_packed_symbols(rung.symbol, rung.size), base, step.ravel(), grid[far].ravel(), *values)

    def plain(self, contexts: int, size: int) -> Rung:
        """Unpack the n-grams that follow so many contexts."""
        steps = self.step.reshape(-1, CONTEXTS)
        grid = self.base[:-1, None] + steps
        far = np.flatnonzero(steps[:, 0])
        grid[far] = self.far.reshape(-1, CONTEXTS)[steps[far, 1:5].copy().view("<u4")[:, 0]]
        first = np.append(grid.ravel()[:contexts], self.base[-1]).astype(np.int64)
        symbol = self.symbol
        if symbol.ndim == 2:
            symbol = symbol.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
        return Rung(symbol, np.diff(first), self.probability.plain(), self.backoff.plain(), size)


def _packed_symbols(symbol: Symbols, size: int) -> NDArray:
    kind, shape = _kind_of_symbols(size)
    if not shape:
        return symbol.astype(kind)
    return np.ascontiguousarray(symbol.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3])


FINDING = ("symbol", "base", "step", "far")
"""The arrays that find n-grams."""
NO_MODEL = "its arrays are not those of an n-gram model"


class _Rung(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p)
        for name in ("symbol", "base", "step", "far", "probability", "backoff", "probabilities", "backoffs")
    ] + [
        ("nodes", ctypes.c_int64),
        ("contexts", ctypes.c_int64),
        ("far_blocks", ctypes.c_int64),
        ("symbol_bytes", ctypes.c_int32),
    ]


class _Table(ctypes.Structure):
    _fields_ = [("rungs", ctypes.c_void_p), ("size", ctypes.c_int32), ("order", ctypes.c_int32)]


class PackedTable:
    """Answers as `Table` does: with the compiled kernels from the packed arrays, without them from unpacked ones."""

    def __init__(self, size: int, rungs: Sequence[PackedRung]) -> None:
        self.size, self.packed = size, list(rungs)

    @staticmethod
    def of(table: Table) -> PackedTable:
        """Pack a table; its probabilities keep 7 digits."""
        return PackedTable(table.size, [PackedRung.of(rung) for rung in table.rungs])

    @property
    def order(self) -> int:
        """The longest n-gram: a symbol and its order - 1 predecessors."""
        return len(self.packed)

    @cached_property
    def plain(self) -> Table:
        """The table unpacked."""
        first = self.packed[0]
        rungs = [first_rung(first.probability.plain(), first.backoff.plain())]
        for below, rung in zip(self.packed, self.packed[1:], strict=False):
            rungs.append(rung.plain(len(below.probability.codes), self.size))
        return Table(self.size, rungs)

    @property
    def rungs(self) -> list[Rung]:
        """The rungs unpacked."""
        return self.plain.rungs

    def quantised(self) -> PackedTable:
        """Give the table with 256 probabilities and weights a length; its distributions only nearly sum to 1."""
        return PackedTable(
            self.size,
            [replace(r, probability=r.probability.quantised(), backoff=r.backoff.quantised()) for r in self.packed],
        )

    def places(self, sequence: Symbols, longest: int) -> list[Nodes]:
        """Find n-grams as `Table.places` does."""
        if self._kernel is None:
            return self.plain.places(sequence, longest)
        found = [np.empty(sequence.shape, np.int64) for _ in range(longest - 1)]
        text = np.ascontiguousarray(sequence, np.int64)
        self._ask("places", text, *sequence.shape, longest, found)
        return [sequence, *found]

    def score(self, text: Symbols, first: int) -> NDArray[np.float64]:
        """Give the probabilities of a text as `Table.score` does."""
        if self._kernel is None:
            return self.plain.score(text, first)
        rows, width = text.shape
        found = np.empty((rows, max(0, width - first)))
        self._ask("score", np.ascontiguousarray(text, np.int64), rows, width, first, found)
        return found

    def ask(self, contexts: Sequence[Nodes], symbols: Symbols) -> NDArray[np.float64]:
        """Give the probability of one symbol after each history as `Table.ask` does."""
        if self._kernel is None:
            return self.plain.ask(contexts, symbols)
        found = np.empty(len(symbols))
        known = [np.ascontiguousarray(context, np.int64) for context in contexts]
        self._ask("ask", known, np.ascontiguousarray(symbols, np.int64), len(symbols), found)
        return found

    def probabilities(self, contexts: Sequence[Nodes], rows: int) -> NDArray[np.float64]:
        """Give the probabilities of all symbols as `Table.probabilities` does."""
        if self._kernel is None:
            return self.plain.probabilities(contexts, rows)
        found = np.empty((rows, self.size))
        self._ask("distributions", [np.ascontiguousarray(context, np.int64) for context in contexts], rows, found)
        return found

    def continued(self, n: int, contexts: Nodes) -> NDArray[np.bool_]:
        """Tell which of these n-grams, by their places, were followed by something."""
        rung = self.packed[n]
        ends = [_begin(rung, contexts + at) for at in (0, 1)]
        return ends[1] > ends[0]

    def arrays(self) -> dict[str, NDArray]:
        """Give all arrays by name."""
        found: dict[str, NDArray] = {}
        for n, rung in enumerate(self.packed, 1):
            values = {"probability": rung.probability, "backoff": rung.backoff}
            found |= {f"{name}.{n}": each.codes for name, each in values.items()}
            found |= {f"{name}_book.{n}": each.book for name, each in values.items() if each.book is not None}
            if n > 1:
                found |= {f"{name}.{n}": getattr(rung, name) for name in FINDING}
        return found

    @staticmethod
    def read(arrays: Mapping[str, NDArray], size: int, order: int) -> PackedTable:
        """Take over what `arrays` gave, after a look at types and sizes. Raises RunError if they do not fit."""
        read, rungs = set(), []
        first = PackedRung.of(first_rung(np.zeros(size + 1), np.zeros(0)))
        for n in range(1, order + 1):
            names = [f"{name}.{n}" for name in ("probability", "backoff", *(FINDING if n > 1 else ()))]
            check(all(name in arrays for name in names), NO_MODEL)
            books = [f"{name}_book.{n}" for name in ("probability", "backoff")]
            read |= {*names, *(name for name in books if name in arrays)}
            values = (Values(arrays[name], arrays.get(book)) for name, book in zip(names, books, strict=False))
            finding = [arrays[name] for name in names[2:]] or [getattr(first, name) for name in FINDING]
            rungs.append(PackedRung(*finding, *values))
            contexts = 1 if n == 1 else len(rungs[-2].probability.codes)
            check(_fits(rungs[-1], contexts, size, n == order), f"its {n}-grams do not fit together")
        check(read == set(arrays), NO_MODEL)
        return PackedTable(size, rungs)

    @cached_property
    def _kernel(self) -> tuple[ctypes.CDLL, _Table, ctypes.Array] | None:
        kernels = library()
        if kernels is None:
            return None
        contexts = [1, *(len(rung.probability.codes) for rung in self.packed)]
        rungs = (_Rung * self.order)(*map(_as_struct, self.packed, contexts))
        return kernels, _Table(ctypes.addressof(rungs), self.size, self.order), rungs

    def _ask(self, name: str, *arguments: NDArray | Sequence[NDArray] | int) -> None:
        assert self._kernel is not None
        kernels, table, _ = self._kernel
        getattr(kernels, f"ensue_ngram_{name}")(ctypes.byref(table), *map(_argument, arguments))


def check(claim: bool, otherwise: str) -> None:
    """Refuse arrays that make no model. Raises RunError."""
    if not claim:
        raise RunError(f"this is no n-gram model that fits: {otherwise}", mend="train it again")


def _fits(rung: PackedRung, contexts: int, size: int, last: bool) -> bool:
    nodes, blocks = len(rung.probability.codes), -(-contexts // CONTEXTS)
    types = (rung.base.dtype, rung.step.dtype, rung.far.dtype)
    return (
        len(rung.symbol) == nodes
        and (rung.symbol.dtype, rung.symbol.shape[1:]) == _kind_of_symbols(size)
        and types == (np.uint32, np.uint8, np.uint32)
        and len(rung.base) == blocks + 1
        and int(rung.base[-1]) == nodes
        and len(rung.step) == blocks * CONTEXTS
        and len(rung.far) % CONTEXTS == 0
        and len(rung.backoff.codes) == (0 if last else nodes)
        and all(map(_is_valid, (rung.probability, rung.backoff)))
    )


def _kind_of_symbols(size: int) -> tuple[np.dtype, tuple[int, ...]]:
    """Give the type of one symbol, and how many of it make one: three bytes where two are too few."""
    kind = np.min_scalar_type(size)
    return (np.dtype(np.uint8), (3,)) if 1 << 16 <= size < 1 << 24 else (kind, ())


def _is_valid(values: Values) -> bool:
    if values.book is None:
        return values.codes.dtype == np.float32
    return values.codes.dtype == np.uint8 and values.book.dtype == np.float32 and len(values.book) == BINS


def _begin(rung: PackedRung, contexts: Nodes) -> NDArray[np.int64]:
    """Give where the n-grams of contexts begin."""
    block = contexts // CONTEXTS
    steps = np.append(rung.step, np.zeros(CONTEXTS, np.uint8))
    begins = rung.base[block].astype(np.int64) + steps[contexts]
    far = np.flatnonzero(steps[block * CONTEXTS])
    at = block[far, None] * CONTEXTS + np.arange(1, 5)
    number = steps[at].view("<u4")[:, 0].astype(np.int64)
    begins[far] = rung.far[number * CONTEXTS + contexts[far] % CONTEXTS]
    return begins


def _as_struct(rung: PackedRung, contexts: int) -> _Rung:
    nodes = len(rung.probability.codes)
    symbol_bytes = 3 if rung.symbol.ndim == 2 else rung.symbol.itemsize
    values = (rung.probability, rung.backoff)
    arrays = (rung.symbol, rung.base, rung.step, rung.far, *(v.codes for v in values), *(v.book for v in values))
    return _Rung(*map(address, arrays), nodes, contexts, len(rung.far) // CONTEXTS, symbol_bytes)


def _argument(value: NDArray | Sequence[NDArray] | int) -> object:
    if isinstance(value, int):
        return ctypes.c_int64(value)
    if isinstance(value, np.ndarray):
        return pointer(value)
    return (ctypes.c_void_p * len(value))(*map(address, value))
