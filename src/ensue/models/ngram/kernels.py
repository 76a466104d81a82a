"""Compiled n-gram kernels (native/cpp/ngram): counting and smoothing, with identical results.

Each function is the inner part of a NumPy implementation, which stands where it is called.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.models.ngram.levels import Level
from ensue.native import library

MAX_LENGTH = 2**31 - 64
"""Maximum length of a text for the kernels, whose positions have 32 bits."""


class _Level(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("symbol", "context", "suffix", "count", "left")
    ] + [(name, ctypes.c_int64) for name in ("nodes", "started")]


def address(array: NDArray | None) -> int | None:
    """Return the address of a contiguous array's data; None for no array."""
    assert array is None or array.flags.c_contiguous
    return None if array is None else array.ctypes.data


def pointer(array: NDArray) -> ctypes.c_void_p:
    """Return the address of an array's data as an argument of a kernel."""
    return ctypes.c_void_p(address(array))


def count_levels(text: NDArray[np.integer], size: int, order: int) -> list[Level] | None:
    """Count the n-grams of each length from 1 to `order` of a text with start symbols.

    Returns None without the kernels, for a text too long for them, and where memory is short.
    """
    kernels = library()
    if kernels is None or len(text) > MAX_LENGTH:
        return None
    ours, scratch = np.ascontiguousarray(text, np.int32), _Scratch(len(text))
    done = _sort(kernels, ours, size, order, scratch)
    if done is None:
        return None
    *sorting, nodes = done
    found = [_first_level(ours, size, order)]
    for n in range(2, order + 1):
        found.append(
            [np.empty(nodes[n - 1] if name < 4 or n < order else 0, np.int32) for name in range(5)]
        )
    levels = (_Level * order)(
        *(_Level(*map(address, arrays), len(arrays[0]), size) for arrays in found)
    )
    length = ctypes.c_int64(len(ours))
    kernels.ensue_ngram_levels(
        pointer(ours), length, order, *map(pointer, sorting), levels, scratch.pointer
    )
    return [
        Level(*arrays, started=int(level.started))
        for arrays, level in zip(found, levels, strict=True)
    ]


def sort_positions(text: NDArray[np.int32], size: int, order: int) -> Sequence[NDArray] | None:
    """Sort a text's positions by `order` symbols; return them, and shared prefix lengths.

    The prefix length of a position is that shared with the one before it. Returns None without the
    kernels.
    """
    kernels = library()
    done = None if kernels is None else _sort(kernels, text, size, order, _Scratch(len(text)))
    return None if done is None else done[:2]


def _sort(
    kernels: ctypes.CDLL, text: NDArray[np.int32], size: int, order: int, scratch: _Scratch
) -> Sequence[NDArray] | None:
    """Return sorted positions, prefix shared with the one before, reach, and numbers of n-grams."""
    at, nodes = np.empty(len(text), np.uint32), np.zeros(order, np.int64)
    shared, reach = np.empty((2, len(text)), np.uint8)
    arrays, length = map(pointer, (at, shared, reach, nodes)), ctypes.c_int64(len(text))
    done = kernels.ensue_ngram_sort(
        pointer(text), length, size, order, *arrays, scratch.pointer, torch.get_num_threads()
    )
    return (at, shared, reach, nodes) if done else None


def merge(
    runs: list[NDArray[np.uint32]], order: int, most: int
) -> Iterator[NDArray[np.uint32]] | None:
    """Merge sorted rows of ids and a count, adding the counts of equal ones.

    Yields blocks of at most `most` rows. Returns None without the kernels.
    """
    kernels = library()
    return None if kernels is None else _merge(kernels, runs, order, most)


def _merge(
    kernels: ctypes.CDLL, runs: list[NDArray[np.uint32]], order: int, most: int
) -> Iterator[NDArray[np.uint32]]:
    kernels.ensue_ngram_merge.restype = ctypes.c_int64
    addresses = (ctypes.c_void_p * len(runs))(*map(address, runs))
    places, lengths = np.zeros(len(runs), np.int64), np.array([len(run) for run in runs], np.int64)
    merged = addresses, pointer(places), pointer(lengths), len(runs), order
    while (places < lengths).any():
        rows = np.empty((most, order + 1), np.uint32)
        found = kernels.ensue_ngram_merge(*merged, pointer(rows), ctypes.c_int64(most))
        if found < 0:
            raise MemoryError
        yield rows[:found]


class _Scratch:
    """Work memory, 16 bytes per position and aligned to 64: sort keys, then places of n-grams."""

    def __init__(self, length: int) -> None:
        self._memory = np.empty(2 * length + 12, np.uint64)
        self.pointer = ctypes.c_void_p(-(-self._memory.ctypes.data // 64) * 64)


def _first_level(text: NDArray[np.int32], size: int, order: int) -> list[NDArray[np.int32]]:
    single = np.bincount(text, minlength=size + 1).astype(np.int32)
    single[size] = 0
    nowhere = np.zeros(size + 1, np.int32)
    left = np.zeros(size + 1 if order > 1 else 0, np.int32)
    return [np.arange(size + 1, dtype=np.int32), nowhere, nowhere, single, left]


def counts_of_counts(counts: NDArray[np.integer]) -> NDArray[np.int64] | None:
    """Count the counts that are 0, 1, 2, 3, 4 and more; None without the kernels."""
    kernels = library()
    if kernels is None or counts.dtype != np.int32:
        return None
    found = np.empty(6, np.int64)
    kernels.ensue_ngram_counts_of_counts(
        pointer(counts), ctypes.c_int64(len(counts)), pointer(found)
    )
    return found


def smooth(
    level: Level,
    counts: NDArray[np.integer],
    discount: Sequence[float],
    contexts: int,
    below: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]] | None:
    """Compute Kneser-Ney probabilities, context weights and numbers of continuations.

    Returns None without the kernels, or for counts of another type than theirs.
    """
    kernels = library()
    if kernels is None or counts.dtype != np.int32:
        return None
    nodes = len(counts)
    ours = _Level(
        address(level.symbol), address(level.context), address(level.suffix), None, None, nodes, 0
    )
    probability, rest, children = np.empty(nodes), np.empty(contexts), np.empty(contexts, np.int32)
    each = np.array([0.0, *discount])
    arrays = map(pointer, (each, below, probability, rest, children))
    kernels.ensue_ngram_smooth(
        ctypes.byref(ours), pointer(counts), ctypes.c_int64(contexts), *arrays
    )
    return probability, rest, children
