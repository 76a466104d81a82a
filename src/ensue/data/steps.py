"""Sequences of records, of numbers and symbols: read from long tables, split and encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.codecs.steps import StepCodec
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Dataset, Examples, check_ids, concatenate
from ensue.data.files import get_suffix
from ensue.data.labelled import TIME, Example
from ensue.data.prepare import HELD_OUT
from ensue.data.readers.named_parts import PartFiles, get_part_files
from ensue.data.split import PARTS, draw_parts
from ensue.data.tables.long import LongTable, read_sample
from ensue.data.tables.number_format import NumberFormat, holds_numbers
from ensue.data.tables.rows import ROWS, refuse_data_as_header
from ensue.data.tables.time_columns import find_time_kind
from ensue.errors import DataError
from ensue.fields import END
from ensue.settings import Flag

COLUMNS = ("id", "time", "value", "symbol", "decimal", "encoding")
"""Settings that say how a table is read."""
ENOUGH = 10
"""With fewer sequences, each one is cut into the parts by position, as one long text is."""
MIN_STEPS = 20
"""Fewest steps of the training part."""
RUN = 5
"""Fewest rows, on average, that an id holds for."""
EVEN = 1e-6
"""Relative difference of two intervals between steps that is a rounding error."""


class StepTable(LongTable):
    """The table of sequences of records: each filled column is a field, but the id and the time."""

    usual: ClassVar = {"id": ("id",), TIME: (TIME,)}
    ordered: ClassVar = True


class StepDataSettings(PartFiles):
    """How sequences of records are read and split."""

    format: Annotated[Literal["steps"], Flag()] = "steps"
    """A table with a row per step: its sequence, its numbers and its symbols."""
    id: Annotated[str, Flag()] = ""
    """Sequence id column of a table with a row per step; without one, a file is one sequence."""
    time: Annotated[str, Flag()] = ""
    """Column by which the steps of a sequence are sorted: numbers or dates. Without one, rows are
    in order."""
    value: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of numbers of each step; by default all remaining numeric columns except sim_..."""
    symbol: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of symbols of each step; by default, without values, all remaining text columns."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark; the other one divides thousands. By default the first rows decide."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    validation: float = Field(0.1, gt=0, lt=0.5)
    """Share of the data for validation: random sequences, or the steps before the test part."""
    test: float = Field(0.2, gt=0, lt=0.5)
    """Share of the data for the test part: random sequences, or the last steps."""


@dataclass(frozen=True)
class StepData(Dataset):
    """Encoded sequences in parts, with their codec."""

    parts: Mapping[str, Examples]
    codec: StepCodec
    table: Mapping[str, Any]
    """Settings of the table of training, with its columns."""

    @property
    def streams(self) -> Mapping[str, Examples]:
        """The sequences of each part."""
        return self.parts

    @property
    def codecs(self) -> dict[str, Any]:
        """The codec of steps, and the columns of the table."""
        return {"steps": self.codec.to_json(), "table": dict(self.table)}

    def sample(self, every: int) -> StepData:
        """Return one in `every` sequences of each part."""
        return replace(self, parts={name: one.sample(every) for name, one in self.parts.items()})

    @classmethod
    def from_json(
        cls,
        streams: Mapping[str, Examples],
        tables: Mapping[str, NDArray[Any]],
        values: Mapping[str, Any],
    ) -> StepData:
        """Restore from `to_json`. Raises ValueError for invalid values."""
        codec = StepCodec.from_json(values["steps"])
        for part in PARTS:
            steps, where = streams[part].steps, f"of the part {part}"
            sizes = codec.fields.symbols.values()
            for place, size in enumerate(sizes):
                ids = steps["symbols"]
                if ids.ndim != 2 or ids.shape[1] != len(sizes):
                    raise ValueError(f"symbols {where} hold no ids")
                check_ids(ids[:, place], size, f"symbols {where}")
            numbers = steps["numbers"]
            if numbers.dtype != np.float32 or numbers.shape[1:] != (len(codec.numbers),):
                raise ValueError(f"numbers {where} have a wrong type or shape")
            if not np.isfinite(numbers).all():
                raise ValueError(f"numbers {where} are not finite")
            check_ids(streams[part].static["line"], 1 << 62, f"line {where}")
        return cls(streams, codec, values["table"])


@dataclass(frozen=True)
class ReadSteps:
    """Sequences of each part as they were read, their columns and their files."""

    parts: dict[str, list[Example]]
    table: LongTable
    files: dict[str, list[Path]]
    ends: bool
    """Whether they are whole, and several, so that their ends can be learned."""


def read_steps(
    paths: Sequence[Path], data: StepDataSettings, seed: int, listener: Listener
) -> ReadSteps:
    """Read and split sequences. Raises DataError for a missing cell or too few steps."""
    files = get_part_files("all", paths, data, listener)
    named = {name: getattr(data, name) for name in COLUMNS}
    table = _guess_roles(StepTable(**named), files["all"][0])
    table = table.resolved(files["all"], listener, labelled=False)
    findings: list[Finding] = []
    noted = replace(listener, on_finding=findings.append)
    read = {part: read_table(own, table, noted) for part, own in files.items()}
    if not data.value and (flags := _find_flags(table.value, chain(*read.values()))):
        what = f"read as symbols, as they hold two whole numbers: {', '.join(map(repr, flags))}"
        findings = [Finding(str(files["all"][0]), what, "name columns of numbers with --value")]
        value = tuple(name for name in table.value if name not in flags)
        symbol = (*table.symbol, *flags)
        table = table.model_copy(update={"value": value, "symbol": symbol})
        read = {part: read_table(own, table, noted) for part, own in files.items()}
    for one in findings:
        listener.on_finding(one)
    shares: dict[str, float] = {part: getattr(data, part) for part in HELD_OUT if part not in read}
    every = read.pop("all")
    whole = len(every) >= ENOUGH or not shares
    if len(every) >= ENOUGH:
        rows = draw_parts(shares, seed, np.zeros(len(every)))
        parts = {part: [every[row] for row in own] for part, own in rows.items()}
    else:
        parts = _cut(every, shares)
    parts |= read
    return ReadSteps(parts, table, files, whole and len(parts["train"]) > 1)


def _guess_roles(table: LongTable, path: Path) -> LongTable:
    """Find unnamed columns of ids and times by their values in the first rows."""
    if get_suffix(path) not in ROWS or not (rows := read_sample(path, table)):
        return table
    named = {table.id, table.time, table.group, table.label, *table.value, *table.symbol}
    cells = {name: [row.get(name) for row in rows] for name in rows[0]}
    refuse_data_as_header(str(path), cells, named, "id,time,x")
    free = {name: own for name, own in cells.items() if name not in named}
    id = table.id or ("id" if "id" in free else _find_id(free))
    keys = [row.get(id) for row in rows]
    rest = {name: column for name, column in free.items() if name != id}
    time = table.time or (TIME if TIME in rest else _find_time(rest, keys))
    return table.model_copy(update={"id": id, "time": time})


def _find_id(free: Mapping[str, Sequence[Any]]) -> str:
    """Find a column of words that hold for many rows in turn; "" if there is none."""
    for name, cells in free.items():
        runs = 1 + sum(a != b for a, b in pairwise(cells))
        words = isinstance(cells[0], str) and not holds_numbers(cells, NumberFormat("."))
        if words and runs * RUN <= len(cells):
            return name
    return ""


def _find_time(free: Mapping[str, Sequence[Any]], keys: Sequence[Any]) -> str:
    """Find a column of dates, each once in a sequence, or one that grows by the same amount.

    A column alone is the value of the steps, however it grows.
    """
    if len(free) < 2:
        return ""
    within = np.array([a == b for a, b in pairwise(keys)], bool)
    for name, cells in free.items():
        once = len(set(zip(keys, map(str, cells), strict=True))) == len(cells)
        if once and find_time_kind(cells) == "date":
            return name
        read = [NumberFormat(".").read(one) if isinstance(one, str) else one for one in cells]
        if any(isinstance(one, bool) or not isinstance(one, int | float) for one in read):
            continue
        grown = np.diff(np.array(read, np.float64))[within]
        if len(grown) and grown.min() > 0 and np.ptp(grown) <= EVEN * grown.max():
            return name
    return ""


def _find_flags(names: Sequence[str], read: Iterable[Example]) -> list[str]:
    """Find columns of exactly two whole numbers, such as 0 and 1: a density has no place there."""
    seen: dict[str, set[float]] = {name: set() for name in names}
    for one in read:
        content: Mapping[str, Any] = one.content  # type: ignore[assignment]
        for name, values in seen.items():
            values.update(np.unique(content[name])[:3].tolist())
    whole = {name: all(one.is_integer() for one in values) for name, values in seen.items()}
    return [name for name, values in seen.items() if len(values) == 2 and whole[name]]


def read_table(files: Sequence[Path], table: LongTable, listener: Listener) -> list[Example]:
    """Read sequences with these columns; their times give the order of their steps alone.

    Raises DataError for a missing cell.
    """
    found, uneven = [], 0
    for one in table.build(files, labelled=False).examples(listener):
        content = dict(one.content) if not isinstance(one.content, str) else {}
        times = np.diff(content.pop(TIME, np.zeros(1)))
        uneven += bool(len(times) and (times.max() - times.min()) > EVEN * abs(times.max()))
        found.append(replace(one, content=content))
    if uneven:
        what = (
            f"{uneven:,} sequence{'s' * (uneven > 1)} with uneven times: only their order is used"
        )
        hint = "make the time since the step before a column, if it matters"
        listener.report(files[0], what, hint)
    return found


def read_more(files: Sequence[Path], table: LongTable, listener: Listener) -> list[Example]:
    """Read further sequences by the columns of training; one alone needs no id and no times.

    Raises DataError for a missing cell.
    """
    there = {name for row in read_sample(files[0], table) for name in row}
    roles = (role for role in ("id", "time", "label", "group") if getattr(table, role) not in there)
    return read_table(files, table.model_copy(update=dict.fromkeys(roles, "")), listener)


def gather_rows(rows: Sequence[Any], names: Sequence[str], where: str) -> Example:
    """Make a sequence of rows given in Python, which have the columns `names`.

    Raises DataError if there are none, or a row lacks a column.
    """
    complete = all(isinstance(row, Mapping) and {*names} <= row.keys() for row in rows)
    if not rows or not complete:
        what = "a row lacks a column" if rows else "there are no rows"
        hint = f"give a list of rows with {', '.join(names)}, or leave it out"
        raise DataError(what, where=where, hint=hint)
    return Example({name: [row[name] for row in rows] for name in names}, None, where, 1)


def _cut(every: Sequence[Example], shares: Mapping[str, float]) -> dict[str, list[Example]]:
    """Cut each sequence: the validation and test parts are its last steps."""
    parts: dict[str, list[Example]] = {part: [] for part in ("train", *shares)}
    for one in every:
        content: Mapping[str, Any] = one.content  # type: ignore[assignment]
        length = len(next(iter(content.values())))
        ends = [*np.cumsum([0, *(int(length * share) for share in shares.values())])]
        first = length - ends[-1]
        cuts = [(0, first), *((first + a, first + b) for a, b in pairwise(ends))]
        for part, (begin, end) in zip(parts, cuts, strict=True):
            if end > begin:
                piece = {name: values[begin:end] for name, values in content.items()}
                parts[part].append(replace(one, content=piece))
    return parts


def encode_steps(read: ReadSteps, listener: Listener) -> StepData:
    """Fit the codec on the training part, and encode all. Raises DataError if a part is empty."""
    where = str(next(iter(read.files.values()))[0])
    steps = {
        part: sum(len(next(iter(one.content.values()))) for one in own)  # type: ignore[union-attr]
        for part, own in read.parts.items()
    }
    if steps["train"] < MIN_STEPS or not all(steps.values()):
        what = f"{sum(steps.values()):,} steps are too few to train on and to test"
        if len(read.files) > 1:
            what = f"{steps['train']:,} steps are too few to train on"
        raise DataError(what, where=where, hint="give a longer table")
    contents: list[Any] = [one.content for one in read.parts["train"]]
    codec = StepCodec.fit(contents, read.ends and END not in contents[0])
    parts = {part: encode_part(own, codec) for part, own in read.parts.items()}
    for column in codec.numbers:
        if column.constant:
            listener.report(where, f"the column {column.name!r} is constant", "leave it out")
    for part, examples in parts.items():
        if unknown := codec.count_unknown(examples.steps):
            listener.report(where, f"{unknown:,} symbols of the {part} part are not in training")
    return StepData(parts, codec, read.table.model_dump(mode="json"))


def encode_part(sequences: Sequence[Example], codec: StepCodec, whole: bool = True) -> Examples:
    """Encode sequences, which end or go on. Raises DataError if a column is missing."""
    steps = []
    for one in sequences:
        try:
            steps.append(codec.encode(one.content, whole))
        except DataError as error:
            raise DataError(error.what, where=f"{one.file}:{one.line}", hint=error.hint) from None
    lines = [{"line": np.int64(one.line)} for one in sequences]
    return concatenate(steps, lines)
