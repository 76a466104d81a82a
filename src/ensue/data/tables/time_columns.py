"""Which column of a table holds times, and which may hold ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ensue.data.tables.times import is_filled, is_unix, read_time

NAMES_OF_TIMES = (
    "ds",
    "time",
    "timestamp",
    "step",
    "t",
    "date",
    "datum",
    "day",
    "month",
    "year",
    "index",
)


def find_time_column(columns: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the first column of dates; else of integers with a name of times; else of Unix times.

    None if there is none.
    """
    kinds = {name: find_time_kind(cells) for name, cells in columns.items()}
    dates = [name for name in columns if kinds[name] == "date"]
    named = [
        name
        for name in columns
        if kinds[name] in ("integer", "unix") and name.lower() in NAMES_OF_TIMES
    ]
    unix = [name for name in columns if kinds[name] == "unix"]
    return (dates or named or unix or [None])[0]


def find_time_kind(cells: Sequence[Any]) -> str:
    """Return what most cells of a column are: "date", "integer", "unix" or "" for no times."""
    filled = [cell for cell in cells if is_filled(cell)]
    # Ids and dates of texts recur, and each is parsed once.
    parse = (
        cache(_read_any_order) if all(isinstance(cell, str) for cell in filled) else _read_any_order
    )
    times = [*map(parse, filled)]
    kinds = Counter(
        "date" if isinstance(one, np.datetime64) else type(one).__name__ for one in times
    )
    if kinds["date"] * 2 > len(filled):
        return "date"
    if kinds["int"] < len(filled) or not filled:
        return ""
    return "unix" if all(map(is_unix, times)) and len(set(times)) > len(times) / 2 else "integer"


def _read_any_order(cell: Any) -> Any:
    time = read_time(cell, day_first=False)
    return read_time(cell) if time is None else time


def may_be_ids(cells: Sequence[Any], times: Sequence[Any]) -> bool:
    """Whether a column of words may hold ids.

    Dates are not ids, nor words that alternate although no time occurs twice.
    """
    if find_time_kind(cells) == "date":
        return False
    moves = sum(one != other for one, other in pairwise(cells))
    return moves < len(set(map(str, cells))) or len(set(map(str, times))) < len(times)
