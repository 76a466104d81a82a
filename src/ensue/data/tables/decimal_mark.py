"""Decimal mark of a long table, which is the same in all its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.contract import Finding, Listener
from ensue.data.tables.number_format import NumberFormat, find_number_formats, holds_numbers
from ensue.data.tables.numbers import LARGEST, as_float, read_number
from ensue.errors import DataError


def find_decimal_mark(cells: Mapping[str, Sequence[Any]], path: Path, listener: Listener) -> str:
    """Detect the decimal mark of the columns of numbers, and report a doubt about it.

    It is "" if no number has a mark. Raises DataError if columns differ.
    """
    forms = {
        name: one
        for name, one in find_number_formats(cells, "", {}).items()
        if holds_numbers(cells[name], one)
    }
    marks = {one.decimal: name for name, one in forms.items() if one.decimal}
    if floats := [name for name in forms if any(isinstance(cell, float) for cell in cells[name])]:
        marks["."] = floats[0]
    if len(marks) > 1:
        what = (
            f"column {marks['.']!r} has decimal points, but column {marks[',']!r} has decimal "
            f"commas"
        )
        hint, flag_hint = "write both in the same way", "give --set data.reader.decimal=,"
        raise DataError(what, where=str(path), hint=hint, flag_hint=flag_hint)
    for name, form in forms.items():
        if form.ambiguity:
            hint = f"if that is wrong, give --set data.reader.decimal={form.other}"
            listener.on_finding(
                Finding(str(path), f"in the column {name!r} {form.ambiguity}", hint)
            )
    return next(iter(marks), "")


def read_decimal(cell: Any, decimal: str, place: str, where: str) -> float:
    """Parse a number with its decimal mark. Raises DataError for text and ambiguous numbers."""
    if not isinstance(cell, str):
        return read_number(cell, place, where)
    if decimal == "." or cell.isdecimal():  # most cells leave nothing to decide
        plain = as_float(cell)
        if plain is not None and abs(plain) <= LARGEST:
            return plain
    found = NumberFormat(decimal).read(cell)
    if found is None and as_float(cell) is not None:
        hint = "write it with a decimal comma, like the others"
        raise DataError(f"{cell[:40]!r} in {place} has a decimal point", where=where, hint=hint)
    marked = not decimal and ("." in cell or "," in cell)
    if marked and find_number_formats({"": [cell]}, "", {})[""].ambiguity:
        what = f"{cell[:40]!r} in {place} is ambiguous: thousands or a fraction"
        hint = "write no signs between thousands"
        flag_hint = "give --set data.reader.decimal=. or ,"
        raise DataError(what, where=where, hint=hint, flag_hint=flag_hint)
    return read_number(cell if found is None else found, place, where)
