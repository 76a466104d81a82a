"""Sequences in a long table: a row per step, with the id of its sequence and its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from ensue.data.contract import SILENT, Listener
from ensue.data.files import get_suffix
from ensue.data.labelled import (
    CHANNEL,
    COLUMN,
    STANDARD_ERROR,
    TIME,
    Example,
    FunctionReader,
    LabelledReader,
)
from ensue.data.tables.long_rows import LongSequence, add_row, sort_steps
from ensue.data.tables.number_format import (
    NumberFormat,
    find_decimal_mark,
    holds_numbers,
)
from ensue.data.tables.rows import (
    ROWS,
    SAMPLED_ROWS,
    check_columns,
    check_endings,
    find_empty,
    list_columns,
    refuse_data_as_header,
)
from ensue.data.tables.snana import (
    SIMULATED,
    SNANA_USUAL,
    SNANA_VALUE,
    read_snana_rows,
    report_simulated,
)
from ensue.data.tables.time_columns import find_saved_index
from ensue.data.tables.times import is_filled
from ensue.errors import DataError, did_you_mean
from ensue.settings import Flag, Settings

LONG_ROWS = ROWS | {".dat": read_snana_rows}

USUAL = {
    "id": ("id",),
    TIME: (TIME,),
    CHANNEL: (CHANNEL, "band"),
    STANDARD_ERROR: (STANDARD_ERROR, "error"),
    "label": ("label",),
}
"""Usual names of the columns by role."""


class LongTable(Settings):
    """Read sequences of a table with a row per step: CSV, TSV, JSON Lines, Parquet or SNANA (.dat).

    Unset columns are guessed by name: "id", "time", "channel" (or "band"), "standard_error" (or
    "error"), "label". In files of SNANA these are SNID, MJD, FLT (or BAND) and FLUXCALERR, and the
    values are FLUXCAL; other columns of SNANA are read only if they are named.
    """

    usual: ClassVar[Mapping[str, tuple[str, ...]]] = USUAL
    """Usual names of the columns, for the roles that this table has."""
    ordered: ClassVar[bool] = False
    """Whether times only order the steps, so that they may repeat, and no number may be missing."""

    name: Literal["long_table"] = "long_table"
    id: Annotated[str, Flag()] = ""
    """Sequence id column of a table with a row per step; without one, a file is one sequence."""
    time: Annotated[str, Flag()] = ""
    """Column of the times of steps: numbers, or ISO 8601 dates (in days). Without one, rows are in
    order."""
    channel: Annotated[str, Flag()] = ""
    """Column of the channels (bands) of steps: where each value was measured."""
    standard_error: Annotated[str, Flag()] = ""
    """Column of the standard errors of the values."""
    value: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of numbers of each step; by default all remaining numeric columns except sim_..."""
    symbol: tuple[str, ...] = ()
    """Columns of symbols of each step; by default, without values, all remaining text columns."""
    static: tuple[str, ...] = ()
    """Columns of numbers that are constant within a sequence."""
    label: Annotated[str, Flag()] = ""
    """Label column, constant within a sequence or empty."""
    group: Annotated[str, Flag()] = ""
    """Group column: sequences of one group stay in one part of the data."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark; the other one divides thousands. By default the first rows decide."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 1_000_000
    """Maximum length of a line, in characters."""

    def resolved(
        self, files: Sequence[Path], listener: Listener, labelled: bool = True
    ) -> LongTable:
        """Fill in unset columns from the first file, and report the guesses. Raises DataError."""
        check_endings(files, LONG_ROWS)
        sample = read_sample(files[0], self)
        written = self._with_decimal(files[0], sample, listener)
        columns = _choose_columns(files[0], written, sample, labelled)
        if columns != written:
            listener.report(files[0], f"read with {_describe(columns)}")
        there = dict.fromkeys(name for row in sample for name in row)
        inputs = (*columns.value, *columns.symbol, *columns.static)
        roles = (columns.id, columns.time, columns.label, columns.group, *USUAL["label"])
        empty = [name for name in find_empty(sample) if name not in roles]
        if empty and not (self.value or self.symbol or get_suffix(files[0]) == ".dat"):
            what = f"left out, as their first cells are empty: {', '.join(map(repr, empty))}"
            listener.report(files[0], what)
        # Whoever names values leaves out the other columns, those of the truth too.
        seen = inputs if self.value or self.symbol else there
        report_simulated(files[0], seen, inputs, (columns.label, columns.group), listener)
        return columns

    def _with_decimal(
        self, path: Path, sample: Sequence[Mapping[str, Any]], listener: Listener
    ) -> LongTable:
        """Detect the decimal mark of all columns. Raises DataError if columns differ."""
        if self.decimal or not sample:
            return self
        if get_suffix(path) == ".dat":
            return self.model_copy(update={"decimal": "."})
        words = (self.id, self.channel, self.label, self.group, *self.symbol)
        used = [name for name in sample[0] if name not in words]
        cells = {name: [row.get(name) for row in sample] for name in used}
        return self.model_copy(update={"decimal": find_decimal_mark(cells, path, listener)})

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of files; if not `labelled`, labels may be missing. Raises DataError.

        The steps of each sequence are sorted by time; unsorted sequences are counted and reported.
        """
        columns = self.resolved(files, SILENT, labelled)
        elsewhere = f"{COLUMN}, or a table of labels with --label-file"
        return FunctionReader(
            lambda listener: _read_sequences(files, columns, labelled, listener), elsewhere
        )


def _read_sequences(
    files: Sequence[Path], columns: LongTable, labelled: bool, listener: Listener
) -> Iterator[Example]:
    """Yield the sequences of each file in the order of their first rows.

    If not `labelled`, rows without time or channel are skipped and reported.
    """
    symbols = () if columns.ordered else (columns.channel, *columns.symbol)
    needed = [name for name in (columns.id, columns.time, *symbols) if name]
    for path in files:
        if path is not files[0]:
            _choose_columns(path, columns, read_sample(path, columns), bool(columns.label))
        sequences: dict[str, LongSequence] = {}
        without: list[int] = []
        read = LONG_ROWS[get_suffix(path)]
        for line, row in read(path, columns.encoding, columns.max_line_length, listener):
            if not labelled and any(row.get(name) in (None, "") for name in needed):
                without.append(line)
            else:
                add_row(sequences, columns, row, path, line)
        if without:
            some = f"{len(without):,} row{'s' * (len(without) > 1)}"
            what = f"{some} without {' or '.join(needed)} left out"
            listener.report(f"{path}:{without[0]}", what)
        yield from sort_steps(path, columns, sequences, listener)


def read_sample(path: Path, settings: LongTable) -> list[Mapping[str, Any]]:
    """Read the first rows of a table. Raises DataError for another file."""
    check_endings([path], LONG_ROWS)
    rows = LONG_ROWS[get_suffix(path)](path, settings.encoding, settings.max_line_length, SILENT)
    return [row for _, row in islice(rows, SAMPLED_ROWS)]


def _choose_columns(
    path: Path, settings: LongTable, sample: Sequence[Mapping[str, Any]], labelled: bool
) -> LongTable:
    """Fill in the unset columns. Raises DataError for a column that does not exist."""
    there = list_columns(sample, str(path))
    single = {
        role: getattr(settings, role)
        for role in ("id", TIME, CHANNEL, STANDARD_ERROR, "label", "group")
    }
    given = [*single.values(), *settings.value, *settings.symbol, *settings.static]
    cells = {name: [row.get(name) for row in sample] for name in there}
    refuse_data_as_header(str(path), cells, given, "id,time,x")
    if not labelled and single["label"] not in there:
        single["label"] = ""
        given = [name for name in given if name != settings.label]
    for role, name in [*single.items(), *(("value", name) for name in settings.value)]:
        if name and name not in there:
            flag = "" if settings.ordered else f", or choose with --{role}"
            hint = did_you_mean(name, there) + flag
            raise DataError(f"there is no column {name!r}", where=str(path), hint=hint)
    check_columns(given, there, str(path))
    of_snana = get_suffix(path) == ".dat"
    for role, names in (SNANA_USUAL if of_snana else settings.usual).items():
        usual = next((name for name in names if name in there and name not in given), "")
        single[role] = single[role] or (usual if role != "label" or labelled else "")
    value, symbol = settings.value, settings.symbol
    if not value and not symbol and of_snana:
        value = tuple(name for name in SNANA_VALUE if name in there)
    elif not value and not symbol:
        free = [name for name in there if name not in {*single.values(), *settings.static}]
        left_out = {*find_saved_index(cells), *find_empty(sample), *settings.usual.get("label", ())}
        left_out |= {name for name in free if name.lower().startswith(SIMULATED)}
        free = [name for name in free if name not in left_out]
        value = tuple(name for name in free if _holds_numbers(cells[name], settings.decimal))
        symbol = tuple(name for name in free if name not in value)
    if not value and not symbol:
        hint = f"choose some of {', '.join(there)} with --value"
        raise DataError("no column holds the values of the steps", where=str(path), hint=hint)
    for role in {TIME, CHANNEL, STANDARD_ERROR} & settings.usual.keys():
        if role in (*value, *symbol, *settings.static):
            what = f"a column of values may not have the name {role!r}"
            raise DataError(what, where=f"{path}:1", hint="rename it")
    return settings.model_copy(update={**single, "value": value, "symbol": symbol})


def _holds_numbers(values: Sequence[Any], decimal: str) -> bool:
    """Whether a column holds numbers, some of them perhaps invalid, rather than text."""
    return any(map(is_filled, values)) and holds_numbers(values, NumberFormat(decimal))


def _describe(columns: LongTable) -> str:
    described = []
    for role in ("id", TIME, CHANNEL, STANDARD_ERROR, "label", "value", "symbol"):
        names = getattr(columns, role)
        names = (names,) if isinstance(names, str) else names
        described += [f"{role} {', '.join(map(repr, names))}"] * any(names)
    return ", ".join(described)
