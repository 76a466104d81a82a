"""The rows of a long table, gathered into sequences and sorted by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensue.data.contract import Listener
from ensue.data.labelled import CHANNEL, STANDARD_ERROR, TIME, Example
from ensue.data.tables.number_format import NumberFormat, read_decimal
from ensue.data.tables.numbers import read_moment
from ensue.data.tables.times import is_filled
from ensue.errors import DataError

if TYPE_CHECKING:
    from ensue.data.tables.long import LongTable


@dataclass
class LongSequence:
    """The rows of one sequence, in the order of the file."""

    lines: list[int] = field(default_factory=list)
    numbers: list[list[float]] = field(default_factory=list)
    symbols: list[list[str]] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)


def add_row(
    sequences: dict[str, LongSequence],
    columns: LongTable,
    row: Mapping[str, Any],
    path: Path,
    line: int,
) -> None:
    """Add a row to its sequence. Raises DataError for an invalid cell."""
    where = f"{path}:{line}"
    key = str(_require(row, columns.id, where)) if columns.id else path.name
    sequence = sequences.setdefault(key, LongSequence())
    sequence.lines.append(line)
    at = _read_time(row.get(columns.time), columns, where) if columns.time else len(sequence.lines)
    measured = (*columns.value, *filter(None, [columns.standard_error]))
    numbers = [float(at), *(_read_number(row, name, columns, where) for name in measured)]
    if columns.standard_error and numbers[-1] < 0:
        what = f"the error in column {columns.standard_error!r} is negative ({numbers[-1]:g})"
        raise DataError(what, where=where, hint="give standard errors, or leave the cell empty")
    sequence.numbers.append(numbers)
    if names := [*filter(None, [columns.channel]), *columns.symbol]:
        sequence.symbols.append([str(_require(row, name, where)) for name in names])
    for name in (columns.label, columns.group, *columns.static):
        value = row.get(name) if name else None
        if value is not None and value != "":
            first = sequence.constants.setdefault(name, value)
            if value != first:
                earlier = f"{str(first)[:40]!r} in earlier rows of {key!r}"
                what = f"{name!r} is {str(value)[:40]!r} here, but {earlier}"
                flag_hint = None if columns.id else "name the column of sequence ids with --id"
                hint = "give all rows of a sequence the same value"
                raise DataError(what, where=where, hint=hint, flag_hint=flag_hint)


def _read_number(row: Mapping[str, Any], name: str, columns: LongTable, where: str) -> float:
    """Read a number; NaN where it is missing. Raises DataError."""
    cell = row.get(name)
    if not columns.ordered:
        return read_decimal(cell, columns.decimal, f"column {name!r}", where)
    try:
        filled = cell if is_filled(cell) else None
        return read_decimal(
            _require({name: filled}, name, where), columns.decimal, repr(name), where
        )
    except DataError as error:
        raise DataError(error.what, where=where, hint="correct it, or remove the row") from None


def _read_time(cell: Any, columns: LongTable, where: str) -> float:
    found = None
    if isinstance(cell, str) and columns.decimal:
        found = NumberFormat(columns.decimal).read(cell)
    return read_moment(cell if found is None else found, f"column {columns.time!r}", where)


def _require(row: Mapping[str, Any], column: str, where: str) -> Any:
    value = row.get(column)
    if value is None or value == "":
        what = f"column {column!r} is empty in this row"
        raise DataError(what, where=where, hint="fill it in, or remove the row")
    return value


def sort_steps(
    path: Path, columns: LongTable, sequences: Mapping[str, LongSequence], listener: Listener
) -> Iterator[Example]:
    """Yield the sequences with sorted steps. Raises DataError for two rows of the same time."""
    unsorted = 0
    repeated: list[int] = []
    for key, sequence in sequences.items():
        numbers = np.array(sequence.numbers)
        bands = [symbols[0] for symbols in sequence.symbols] if columns.channel else []
        order = np.lexsort((*([np.array(bands)] if bands else []), numbers[:, 0]))
        if columns.time:
            if columns.ordered:
                again = 1 + np.flatnonzero(np.diff(numbers[order, 0]) == 0)
                repeated += [sequence.lines[order[place]] for place in again]
            else:
                _refuse_duplicates(path, key, sequence, order, bands)
            unsorted += bool((np.diff(numbers[:, 0]) < 0).any())
        content: dict[str, Any] = {TIME: numbers[order, 0]} if columns.time else {}
        names = [*columns.value, *([STANDARD_ERROR] if columns.standard_error else [])]
        content |= {name: numbers[order, place] for place, name in enumerate(names, start=1)}
        names = [CHANNEL, *columns.symbol] if columns.channel else columns.symbol
        content |= {
            name: [sequence.symbols[at][place] for at in order] for place, name in enumerate(names)
        }
        line, constants = sequence.lines[0], sequence.constants
        for name in columns.static:
            cell, place = constants.get(name), f"column {name!r}"
            content[name] = read_decimal(cell, columns.decimal, place, f"{path}:{line}")
        group = constants.get(columns.group)
        row = {columns.id or "file": key}
        group = None if group is None else str(group)
        yield Example(content, constants.get(columns.label), str(path), line, group, row, case=key)
    if unsorted:
        some = f"{unsorted:,} sequence{'s' * (unsorted > 1)}"
        listener.report(path, f"the rows of {some} are not in order of time, and were sorted")
    if repeated:
        what = (
            f"{len(repeated):,} row{'s' * (len(repeated) > 1)} with the same time as the row "
            f"before in the same sequence; rows of one time stay in the order of the file"
        )
        hint = None if columns.id else "add a column of ids, if they belong to several sequences"
        listener.report(f"{path}:{repeated[0]}", what, hint)


def _refuse_duplicates(
    path: Path, key: str, sequence: LongSequence, order: np.ndarray, bands: Sequence[str]
) -> None:
    times = np.array([numbers[0] for numbers in sequence.numbers])[order]
    for place in np.flatnonzero(np.diff(times) == 0):
        one, other = sorted((order[place], order[place + 1]))
        if bands and bands[one] != bands[other]:
            continue
        what = f"this row of {key!r} has the same time as line {sequence.lines[one]}"
        flag_hint = None if bands else "name a column of channels with --channel"
        where = f"{path}:{sequence.lines[other]}"
        raise DataError(what, where=where, hint="remove one, or merge them", flag_hint=flag_hint)
