"""Codec of sequences of records: standardised numbers and ids of symbols, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ensue.data.labelled import Content
from ensue.errors import DataError, did_you_mean
from ensue.fields import END, Fields, Number

SMOOTH = 0.7
"""A number is predicted by its change if that varies at most this much as the number itself."""
MAX_DECIMALS = 9
"""Digits that are written after the first one of the largest number; a float32 holds no more."""
ROUNDED = 300
"""Most decimals to which NumPy rounds."""
ROWS = 400
"""Most rows that are generated, unless more are asked for, where sequences do not end."""


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, by the training part."""

    name: str
    mean: float
    sd: float
    change: float
    """Standard deviation of the change from one step to the next, in units of `sd`."""
    decimals: int
    """Most digits after the point."""
    constant: bool = False
    """Whether all its numbers are the same, which is what comes next."""


@dataclass(frozen=True)
class SymbolColumn:
    """A column of symbols, by the training part; unknown symbols share the id after the last."""

    name: str
    symbols: list[str]


@dataclass(frozen=True)
class StepCodec:
    """Codec of steps; fitted on the training part only.

    With `ends`, a last field of symbols says whether a step is the last one of its sequence. It is
    predicted as the others are, and is in no row.

    >>> codec = StepCodec.fit([{"x": np.array([1.0, 2.0, 4.5]), "pitch": ["C", "E", "C"]}])
    >>> steps = codec.encode({"x": np.array([2.0]), "pitch": ["E"]})
    >>> codec.decode(steps)
    [{'pitch': 'E', 'x': 2.0}]
    """

    symbols: list[SymbolColumn]
    numbers: list[NumberColumn]
    length: int
    """Most rows of a generated sequence by default: twice those of the longest one, if they end."""
    ends: bool = False

    @classmethod
    def fit(cls, contents: Sequence[Mapping[str, Any]], ends: bool = False) -> StepCodec:
        """Fit on the sequences of the training part, which are whole if they have `ends`."""
        symbols, numbers = [], []
        for name, first in contents[0].items():
            columns = [content[name] for content in contents]
            if isinstance(first, list):
                known = sorted({symbol for column in columns for symbol in column})
                symbols.append(SymbolColumn(name, known))
            else:
                numbers.append(_fit_number(name, columns))
        lengths = [len(next(iter(content.values()))) for content in contents]
        most = 2 * max(lengths) if ends else min(int(np.median(lengths)), ROWS)
        return cls(symbols, numbers, max(most, 1), ends)

    @property
    def fields(self) -> Fields:
        """The fields of a step."""
        sizes = {one.name: len(one.symbols) + 1 for one in self.symbols}
        return Fields(
            # One more, as of all symbols: the unknown one, which never occurs.
            sizes | ({END: 3} if self.ends else {}),
            {
                one.name: Number(one.sd, one.change if 0 < one.change <= SMOOTH else None)
                for one in self.numbers
            },
        )

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [one.name for one in (*self.symbols, *self.numbers)]

    def encode(self, content: Content, whole: bool = True) -> dict[str, NDArray[Any]]:
        """Return "symbols" (steps, symbols) and "numbers" (steps, numbers).

        A sequence that is not `whole` goes on. Raises DataError if a column is missing, or holds
        what is no number.
        """
        if isinstance(content, str):
            raise DataError("a text is no sequence of steps", hint="give a table of steps")
        if missing := [name for name in self.names if name not in content]:
            hint = did_you_mean(missing[0], content)
            raise DataError(f"there is no column {missing[0]!r}", hint=hint)
        ids = []
        for column in self.symbols:
            place = {symbol: id for id, symbol in enumerate(column.symbols)}
            ids.append([place.get(str(symbol), len(place)) for symbol in content[column.name]])
        numbers = [_scale(content[column.name], column) for column in self.numbers]
        steps = len(content[self.names[0]])
        if self.ends:
            ids.append([0] * (steps - 1) + [int(whole)] * min(steps, 1))
        widest = max(self.fields.symbols.values(), default=1) - 1
        return {
            "symbols": np.array(ids, np.min_scalar_type(widest)).reshape(-1, steps).T,
            "numbers": np.array(numbers, np.float32).reshape(-1, steps).T,
        }

    def decode(self, steps: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        """Return a row for each step, with numbers rounded as in training."""
        columns: dict[str, list[Any]] = {}
        for place, one in enumerate(self.symbols):
            named = [*one.symbols, "<unknown>"]
            columns[one.name] = [named[id] for id in steps["symbols"][:, place].tolist()]
        for place, column in enumerate(self.numbers):
            numbers = np.asarray(steps["numbers"][:, place], np.float64)
            values = column.mean + (0.0 if column.constant else column.sd) * numbers
            small = column.decimals <= ROUNDED
            written = np.round(values, column.decimals) + 0.0 if small else values  # no -0.0
            whole = column.decimals == 0 and bool(np.isfinite(written).all())
            columns[column.name] = [int(one) if whole else one for one in written.tolist()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def count_unknown(self, steps: Mapping[str, NDArray[Any]]) -> int:
        """Count the symbols that training has not."""
        last = [size - 1 for size in self.fields.symbols.values()]
        return int((np.asarray(steps["symbols"]) == np.array(last, np.int64)).sum())

    def to_json(self) -> dict[str, Any]:
        """Return everything that `from_json` needs, as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StepCodec:
        """Restore a codec from `to_json`. Raises ValueError for invalid values."""
        found = TypeAdapter(cls).validate_python(dict(values))
        sizes = [size for one in found.numbers for size in (one.sd, one.change + 1)]
        if not found.names or len(set(found.names)) < len(found.names):
            raise ValueError("its columns are invalid")
        if not all(np.isfinite(one) and one > 0 for one in sizes) or found.length < 1:
            raise ValueError("its scales are invalid")
        if not all(np.isfinite(one.mean) and 0 <= one.decimals <= 400 for one in found.numbers):
            raise ValueError("its numbers are invalid")
        if any(len(set(one.symbols)) < len(one.symbols) for one in found.symbols):
            raise ValueError("its symbols are not distinct")
        return found


def _fit_number(name: str, columns: Iterable[NDArray[np.float64]]) -> NumberColumn:
    columns = [np.asarray(column, np.float64) for column in columns]
    every = np.concatenate(columns)
    # By the largest value, so that squares of numbers near 1e300 stay finite.
    size = float(np.abs(every).max()) or 1.0
    mean, sd = float((every / size).mean()) * size, float((every / size).std()) * size
    sd = sd if sd > 1e-12 * abs(mean) and sd > 0 else size
    moves = np.concatenate([np.diff(column) / sd for column in columns])
    change = float(np.sqrt(np.mean(moves**2))) if len(moves) else 0.0
    constant = bool((every == every[0]).all())
    return NumberColumn(name, mean, sd, change, _count_decimals(every), constant)


def _scale(values: Any, column: NumberColumn) -> NDArray[np.float32]:
    """Standardise numbers (steps,). Raises DataError for what is none, or none of this scale."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        what, hint = f"the column {column.name!r} holds no numbers", "give a number for each step"
        raise DataError(what, hint=hint) from None
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = ((numbers - column.mean) / column.sd).astype(np.float32)
    if not np.isfinite(scaled).all():
        what = f"a number of {column.name!r} is missing, or far beyond those of training"
        raise DataError(what, hint="correct it, or leave its sequence out")
    return scaled


def _count_decimals(values: NDArray[np.float64]) -> int:
    """Count the digits after the point of the numbers as they are written.

    >>> _count_decimals(np.array([1.0, 0.25])), _count_decimals(np.array([1e-5]))
    (2, 5)
    """
    largest = float(np.abs(values).max()) or 1.0
    most = MAX_DECIMALS + max(-int(np.floor(np.log10(largest))), 0)
    exponents = (Decimal(repr(one)).normalize().as_tuple().exponent for one in values.tolist())
    return min(max((0, *(-int(one) for one in exponents))), most)
