"""A compact back-off table, queried in place, also in a memory-mapped file."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.errors import RunError
from ensue.models.ngram.kernels import address, pointer
from ensue.models.ngram.records import BINS, CONTEXTS, SPARSE, VALUES, Records, record_dtype
from ensue.models.ngram.table import Nodes, OrderTable, Symbols, Table, unigram_table
from ensue.native import library

MAX_ORDER = 32
"""Maximum order of the kernels."""
ARRAYS = ("grams", "sparse", "base", "far", "books")
CHECKED = 1 << 22
"""N-grams of each length whose values are checked when a model opens: a full read would be slow."""
NO_MODEL = "its arrays are not those of an n-gram model"


class _OrderTable(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p)
        for name in ("grams", "sparse", "base", "far", "probabilities", "backoffs")
    ] + [
        ("nodes", ctypes.c_int64),
        ("far_blocks", ctypes.c_int64),
        ("bytes", ctypes.c_int32),
        ("symbol_bytes", ctypes.c_int32),
    ]


class _Table(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("rungs", "slots", "places")] + [
        ("size", ctypes.c_int32),
        ("order", ctypes.c_int32),
    ]


class PackedTable:
    """Answers as `Table` does: by the kernels on packed arrays, or by NumPy on unpacked ones."""

    def __init__(self, size: int, records: Sequence[Records]) -> None:
        self.size, self.records = size, list(records)

    @staticmethod
    def of(table: Table) -> PackedTable:
        """Pack a table; its probabilities keep 7 digits."""
        return PackedTable(
            table.size, list(map(Records.of, table.orders, [*table.orders[1:], None]))
        )

    @property
    def order(self) -> int:
        """The model's order: a symbol and its order - 1 predecessors."""
        return len(self.records)

    @property
    def lengths(self) -> list[int]:
        """Number of n-grams of each length."""
        return [len(records.grams) for records in self.records]

    @cached_property
    def plain(self) -> Table:
        """The unpacked table."""
        first = self.records[0]
        orders = [unigram_table(first.values("probability"), first.values("backoff"))]
        for below, level in zip(self.records, self.records[1:], strict=False):
            begins = below.begins(np.arange(len(below.grams) + 1), len(level.grams))
            check(bool((np.diff(begins) >= 0).all()), "its n-grams are not in order")
            probability, backoff = level.values("probability"), level.values("backoff")
            orders.append(
                OrderTable(level.symbols(), np.diff(begins), probability, backoff, self.size)
            )
        return Table(self.size, orders)

    @property
    def orders(self) -> list[OrderTable]:
        """The rungs unpacked."""
        return self.plain.orders

    def quantised(self) -> PackedTable:
        """Return the table with 256 distinct values per length; distributions only nearly sum to 1.

        Single symbols stay exact: they are few, and the frequent ones matter most.
        """
        first, *others = self.records
        return PackedTable(
            self.size, [first, *(records.quantised(self.size) for records in others)]
        )

    def places(self, sequence: Symbols, longest: int) -> list[Nodes]:
        """Find n-grams as `Table.places` does."""
        if self._kernel is None:
            return self.plain.places(sequence, longest)
        found = [np.empty(sequence.shape, np.int64) for _ in range(longest - 1)]
        text = np.ascontiguousarray(sequence, np.int64)
        self._query("places", text, *sequence.shape, longest, found)
        return [sequence, *found]

    def score(self, text: Symbols, first: int) -> NDArray[np.float64]:
        """Return the probabilities of a text as `Table.score` does."""
        if self._kernel is None:
            return self.plain.score(text, first)
        rows, width = text.shape
        found = np.empty((rows, max(0, width - first)))
        text = np.ascontiguousarray(text, np.int64)
        self._query("score", text, rows, width, first, found, torch.get_num_threads())
        return found

    def query(self, contexts: Sequence[Nodes], symbols: Symbols) -> NDArray[np.float64]:
        """Return the probability of one symbol after each history as `Table.query` does."""
        if self._kernel is None:
            return self.plain.query(contexts, symbols)
        found = np.empty(len(symbols))
        known = [np.ascontiguousarray(context, np.int64) for context in contexts]
        self._query("ask", known, np.ascontiguousarray(symbols, np.int64), len(symbols), found)
        return found

    def probabilities(self, contexts: Sequence[Nodes], rows: int) -> NDArray[np.float64]:
        """Return the probabilities of all symbols as `Table.probabilities` does."""
        if self._kernel is None:
            return self.plain.probabilities(contexts, rows)
        found = np.empty((rows, self.size))
        known = [np.ascontiguousarray(context, np.int64) for context in contexts]
        self._query("distributions", known, rows, found)
        return found

    def continued(self, n: int, contexts: Nodes) -> NDArray[np.bool_]:
        """Mark the n-grams, by place, that have continuations."""
        below, above = self.records[n - 1], len(self.records[n].grams)
        return below.begins(contexts + 1, above) > below.begins(contexts, above)

    def arrays(self) -> dict[str, NDArray]:
        """Return all arrays by name."""
        found: dict[str, NDArray] = {}
        for n, records in enumerate(self.records, 1):
            found |= {f"{name}.{n}": _bytes(getattr(records, name)) for name in ARRAYS}
        return found

    @staticmethod
    def read(arrays: Mapping[str, NDArray], size: int, order: int) -> PackedTable:
        """Take over what `arrays` returned, after a check of types and sizes.

        Raises RunError if they do not fit.
        """
        check(
            set(arrays) == {f"{name}.{n}" for name in ARRAYS for n in range(1, order + 1)}, NO_MODEL
        )
        records: list[Records] = []
        for n in range(1, order + 1):
            grams, sparse, *others = (arrays[f"{name}.{n}"] for name in ARRAYS)
            kind = record_dtype(size, n == order, bool(len(others[-1])))
            fits = _fits(kind, grams, sparse, *others)
            check(fits and (n > 1 or len(grams) == size + 1), f"its {n}-grams do not fit together")
            found = Records(grams.view(kind)[:, 0], sparse.view(kind["symbol"].base), *others)
            values = [found.grams[:CHECKED][one] for one in VALUES if one in (kind.names or ())]
            finite = all(np.isfinite(one).all() for one in (*values, found.books))
            check(finite, f"its {n}-grams have numbers that are not finite")
            records.append(found)
        return PackedTable(size, records)

    @cached_property
    def index(self) -> list[NDArray[np.uint32]]:
        """Where the pairs of symbols begin; the kernels fill it at the first query."""
        first, *pairs = self.lengths[:2]
        return [
            np.empty(count, np.uint32)
            for more in pairs
            for count in (first + 1, more // 2 + 2 * first)
        ]

    @cached_property
    def _kernel(self) -> tuple[ctypes.CDLL, _Table, ctypes.Array] | None:
        kernels = library()
        if kernels is None or self.order > MAX_ORDER:
            return None
        orders = (_OrderTable * self.order)(*map(_as_struct, self.records))
        table = _Table(ctypes.addressof(orders), None, None, self.size, self.order)
        if self.index:
            kernels.ensue_ngram_index(ctypes.byref(table), *map(pointer, self.index))
            table.slots, table.places = map(address, self.index)
        return kernels, table, orders

    def _query(self, name: str, *arguments: NDArray | Sequence[NDArray] | int) -> None:
        assert self._kernel is not None
        kernels, table, _ = self._kernel
        getattr(kernels, f"ensue_ngram_{name}")(ctypes.byref(table), *map(_argument, arguments))


def check(claim: bool, otherwise: str) -> None:
    """Raise RunError unless the arrays satisfy a condition."""
    if not claim:
        raise RunError(f"invalid n-gram model: {otherwise}", hint="train it again")


def _bytes(array: NDArray) -> NDArray:
    """View records as rows of bytes, which an array file can hold.

    Other arrays are returned unchanged.
    """
    if array.dtype.names is None:
        return array
    return array.view(np.uint8).reshape(len(array), array.dtype.itemsize)


def _fits(
    kind: np.dtype, grams: NDArray, sparse: NDArray, base: NDArray, far: NDArray, books: NDArray
) -> bool:
    symbol = kind["symbol"]
    last = "step" not in (kind.names or ())
    return (
        grams.dtype == np.uint8
        and grams.shape[1:] == (kind.itemsize,)
        and grams.flags.c_contiguous
        and (sparse.dtype, sparse.shape) == (symbol.base, (-(-len(grams) // SPARSE), *symbol.shape))
        and (base.dtype, base.shape) == (np.uint32, (0 if last else -(-len(grams) // CONTEXTS),))
        and (far.dtype, far.ndim) == (np.uint32, 1)
        and len(far) % CONTEXTS == 0
        and books.dtype == np.float32
        and books.shape in ((0, BINS), (2, BINS))
    )


def _as_struct(records: Records) -> _OrderTable:
    last, kind = records.last, records.grams.dtype
    books = records.books if len(records.books) else (None, None)
    begins = (None, None) if last else (records.base, records.far)
    arrays = records.grams, records.sparse, *begins, *books
    counts = len(records.grams), len(records.far) // CONTEXTS
    return _OrderTable(*map(address, arrays), *counts, kind.itemsize, kind["symbol"].itemsize)


def _argument(value: NDArray | Sequence[NDArray] | int) -> object:
    if isinstance(value, int):
        return ctypes.c_int64(value)
    if isinstance(value, np.ndarray):
        return pointer(value)
    return (ctypes.c_void_p * len(value))(*map(address, value))
