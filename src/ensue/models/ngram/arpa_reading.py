"""Reading ARPA files into n-gram models; each error names its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ensue.data.readers.lines import read_lines
from ensue.errors import DataError
from ensue.models.ngram.arpa import START
from ensue.models.ngram.model import Ngram
from ensue.models.ngram.table import OrderTable, Table, unigram_table

LARGEST = 300
"""Maximum absolute base-10 logarithm of a back-off weight."""


def read_arpa(path: str | Path) -> tuple[Ngram, list[str]]:
    """Read the model of an ARPA file, and the tokens of its ids without `<s>`.

    Tokens have the file's order. Conditionals sum to one up to the file's rounding. N-grams with
    `<s>` in any but the first place are skipped: it occurs once, before a sequence. Raises
    DataError at the first line that does not fit.
    """
    file = _File(Path(path))
    expected = _header(file)
    ids: dict[str, int] = {}
    orders: list[OrderTable] = []
    for n, count in enumerate(expected, 1):
        section = _section(file, n, count, ids)
        orders.append(_first(section, ids) if n == 1 else _next(file, section, orders))
    if file.next() != "\\end\\":
        file.fail("expected '\\end\\' at the end of the file")
    orders[-1] = replace(orders[-1], backoff=np.zeros(0))
    tokens = [token for token in ids if token != START]
    return Ngram(Table(len(tokens), orders), np.zeros((0, 3))), tokens


class _File:
    """The non-blank lines of a file, with line numbers."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self._lines = self._read()

    def _read(self) -> Iterator[str]:
        # A byte order mark is left out, and packed files are unpacked, as wherever text is read.
        for line in read_lines(self.path):
            self.number += 1
            if line := line.strip(" \t"):
                yield line

    def next(self) -> str:
        """Return the next line, or an empty one after the last."""
        return next(self._lines, "")

    def fail(self, what: str, number: int | None = None) -> NoReturn:
        """Raise DataError for the current line, or another one."""
        where = f"{self.path}:{self.number if number is None else number}"
        raise DataError(what, where=where, hint="correct the ARPA file, or export it again")


def _header(file: _File) -> list[int]:
    """Read the numbers of n-grams, up to and including the title of the first section."""
    # SRILM and others allow text before the beginning.
    while (line := file.next()) != "\\data\\":
        if not line:
            file.fail("this is no ARPA file: it has no line '\\data\\'")
    counts: list[int] = []
    while match := re.fullmatch(r"ngram\s+([0-9]{1,3})\s*=\s*([0-9]{1,18})", line := file.next()):
        if int(match[1]) != len(counts) + 1:
            file.fail(f"{line!r} is out of order")
        counts.append(int(match[2]))
    if not counts or line != "\\1-grams:":
        file.fail(f"expected 'ngram 1=...' and then '\\1-grams:', found {line[:60]!r}")
    return counts


@dataclass(frozen=True)
class _Section:
    ids: NDArray[np.int64]
    """(n-grams, n), with the id of `<s>` as found in the file."""
    probability: NDArray[np.float64]
    backoff: NDArray[np.float64]
    lines: NDArray[np.int64]


def _section(file: _File, n: int, count: int, ids: dict[str, int]) -> _Section:
    if n > 1 and (line := file.next()) != f"\\{n}-grams:":
        file.fail(
            f"expected '\\{n}-grams:' after the announced number of {n - 1}-grams, "
            f"found {line[:60]!r}"
        )
    rows, numbers, lines = [], [], []
    for _ in range(count):
        line = file.next()
        words, values = _fields(file, line, n)
        if n == 1 and words[0] in ids:
            file.fail(f"duplicate 1-gram {words[0]!r}")
        if n == 1:
            ids[words[0]] = len(ids)
        for word in words:
            if word not in ids:
                file.fail(f"{word!r} is not among the 1-grams")
        rows.append([ids[word] for word in words])
        numbers.append(values)
        lines.append(file.number)
    values = 10.0 ** np.array(numbers, float).reshape(-1, 2)
    found = np.array(rows, np.int64).reshape(-1, n)
    return _Section(found, values[:, 0], values[:, 1], np.array(lines, np.int64))


def _fields(file: _File, line: str, n: int) -> tuple[list[str], tuple[float, float]]:
    fields = re.split("[ \t]+", line)
    if len(fields) not in (n + 1, n + 2):
        file.fail(f"expected log-probability, {n}-gram and back-off weight, found {line[:60]!r}")
    try:
        probability = float(fields[0])
        backoff = float(fields[n + 1]) if len(fields) == n + 2 else 0.0
    except ValueError:
        file.fail(f"expected numbers around the {n}-gram, found {line[:60]!r}")
    if not (-np.inf < probability <= 0 and abs(backoff) < LARGEST):
        file.fail(f"{line[:60]!r} has no valid log-probability or back-off weight")
    return fields[1 : n + 1], (probability, backoff)


def _first(section: _Section, ids: dict[str, int]) -> OrderTable:
    """Move the start symbol behind the others; `ids` follows."""
    order = [id for token, id in ids.items() if token != START]
    for place, token in enumerate(token for token in list(ids) if token != START):
        ids[token] = place
    start = ids.get(START)
    ids[START] = len(order)
    last = (0.0, 1.0) if start is None else (section.probability[start], section.backoff[start])
    return unigram_table(
        np.append(section.probability[order], last[0]), np.append(section.backoff[order], last[1])
    )


def _next(file: _File, section: _Section, orders: list[OrderTable]) -> OrderTable:
    size = orders[0].size
    kept = np.flatnonzero((section.ids[:, 1:] < size).all(1))
    words, lines = section.ids[kept], section.lines[kept]
    context = words[:, 0]
    for depth, level in enumerate(orders[1:], 1):
        context = level.follow(context, words[:, depth])
    if (context < 0).any():
        file.fail("the prefix of this n-gram is not listed", int(lines[context < 0][0]))
    keys = context * (size + 1) + words[:, -1]
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(again):
        file.fail("duplicate n-gram", int(lines[order[again[0] + 1]]))
    children = np.bincount(context, minlength=len(orders[-1].symbol))
    place = kept[order]
    return OrderTable(
        words[order, -1], children, section.probability[place], section.backoff[place], size
    )
