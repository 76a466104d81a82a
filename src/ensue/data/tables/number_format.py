"""Number formats of people and spreadsheets: a column, or a file, decides what a comma means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Listener
from ensue.data.tables.numbers import LARGEST, as_float, read_number, series_number_error
from ensue.data.tables.times import is_filled
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
            listener.report(path, f"in the column {name!r} {form.ambiguity}", hint)
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


WRITTEN = re.compile(
    r"(?P<open>\()?\s*(?P<minus>[-+\u2212]?)\s*(?P<before>[$€£¥₹]?)\s*(?P<inner>[-+\u2212]?)"
    r"(?P<digits>\d(?:[\d.,'\u2019 \u00a0\u2009\u202f]*\d)?[.,]?|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    r"\s*(?P<after>[$€£¥₹%]?)\s*(?P<close>\))?"
)
"""(1,234.50), -3 %, 12 €, 1 234,5: brackets mean negative, as in bookkeeping."""
PLAIN = re.compile(r"[0-9]+(\.([0-9]{1,2}|[0-9]{4,}))?")
"""Numbers whose marks leave nothing to decide; most numbers are written so."""
SPACES = "'\u2019 \u00a0\u2009\u202f"
"""Signs that divide thousands, and are a decimal mark nowhere."""
TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class NumberFormat:
    """Number format of a column: its decimal mark, and the currency or % sign of its cells."""

    decimal: str = ""
    """A point or a comma; the other divides thousands. Empty if the column has neither."""
    sign: str = ""
    ambiguity: str = ""
    """Why the decimal mark is uncertain, if it is; `data.decimal` overrides it."""

    @property
    def other(self) -> str:
        """The other decimal mark that is possible, if there is a doubt."""
        return "," if self.decimal == "." else "."

    def read(self, cell: Any) -> float | None:
        """Parse a cell; None if it is not a number of this format.

        >>> (NumberFormat(",").read("1.234,5"), NumberFormat(".").read("(1,234.5)"),
        ...  NumberFormat(".").read("1,5"))
        (1234.5, -1234.5, None)
        """
        if not isinstance(cell, str):
            return as_float(cell)
        text = cell.strip()
        plain = self.sign != "%" and (self.decimal != "," or not ("." in text or "," in text))
        found = as_float(text) if plain else None
        if found is not None or not (form := WRITTEN.fullmatch(text)):
            return TRUTHS.get(text.lower()) if found is None else found
        sign = form["before"] or form["after"]
        if (
            (sign and sign != self.sign)
            or (self.sign == "%" and not sign)
            or bool(form["open"]) != bool(form["close"])
        ):
            return None
        whole, _, part = form["digits"].partition(self.decimal or ".")
        whole = _remove_separators(whole, {".": ",", ",": "."}.get(self.decimal, ""))
        if whole is None or not re.fullmatch(r"\d*", part):
            return None
        minus = [one in ("-", "\u2212") for one in (form["minus"], form["inner"])]
        below = bool(form["open"]) + sum(minus)
        value = as_float(f"{whole or 0}.{part or 0}{form['power'] or ''}")
        return None if value is None or below > 1 else -value if below else value

    def read_cell(self, cell: Any, column: str, where: str) -> float:
        """Parse a cell of a series, NaN for an empty one. Raises DataError for text."""
        value = self.read(cell) if is_filled(cell) else np.nan
        if value is None or abs(value) > LARGEST:
            raise series_number_error(cell, column, where, value)
        return value

    def read_plain(self, cells: Sequence[Any]) -> NDArray[np.float64] | None:
        """Parse cells of plain numbers, NaN where none is; None if `read` must decide.

        NumPy is ten times as fast as cell by cell: M5 has 59 million.
        """
        if self.decimal != "," and not self.sign:
            with suppress(ValueError, TypeError, OverflowError):
                values = np.array([None if cell == "" else cell for cell in cells], np.float64)
                if values.ndim == 1 and not (np.abs(values) > LARGEST).any():
                    return values
        return None


def _remove_separators(whole: str, mark: str) -> str | None:
    """Remove thousands separators; None if they do not divide by threes, or by twos as in India."""
    dividers = {one for one in whole if not one.isdigit()}
    if not dividers:
        return whole
    one = dividers.pop()
    if dividers or one not in SPACES + mark:
        return None
    first, *groups = whole.split(one)
    if not (
        1 <= len(first) <= 3
        and len(groups[-1]) == 3
        and all(len(group) in (2, 3) for group in groups)
    ):
        return None
    return "".join((first, *groups))


def find_number_formats(
    columns: Mapping[str, Sequence[Any]], decimal: str, like: Mapping[str, NumberFormat]
) -> dict[str, NumberFormat]:
    """Detect the number format of each column.

    A doubtful column is read as in a table `like` it, or as the other columns. `decimal` is the
    mark of the settings; "" for none.
    """
    found = {name: _find_number_format(cells, decimal) for name, cells in columns.items()}
    sure = {
        one.decimal
        for name, one in found.items()
        if _is_sure(one) and holds_numbers(columns[name], one)
    }
    for name, one in found.items():
        if name in like and like[name].decimal and not _is_sure(one):
            found[name] = NumberFormat(like[name].decimal, one.sign or like[name].sign)
        elif one.ambiguity and len(sure) == 1:
            found[name] = NumberFormat(next(iter(sure)), one.sign)
    return found


def _is_sure(form: NumberFormat) -> bool:
    return bool(form.decimal and not form.ambiguity)


def _find_number_format(cells: Iterable[Any], decimal: str) -> NumberFormat:
    marks, signs, doubtful, whole = Counter[str](), Counter[str](), dict[str, str](), [0, 0]
    for cell in cells:
        if isinstance(cell, str) and PLAIN.fullmatch(cell):
            signs[""] += 1
            if cell.isdecimal():
                whole = [max(whole[0], len(cell)), whole[1] + 1]
            else:
                marks["."] += 1
            continue
        form = WRITTEN.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if form is None:
            continue
        signs[form["before"] or form["after"]] += 1
        digits = form["digits"]
        points = [one for one in digits if one in ".,"]
        if not points:
            whole = [max(whole[0], len(digits)), whole[1] + 1]
        elif len(set(points)) > 1:
            marks[points[-1]] += 1
        elif len(points) > 1:
            marks["," if points[0] == "." else "."] += 1
        else:
            before, _, after = digits.partition(points[0])
            thousands = len(after) == 3 and 1 <= len(before) <= 3 and not form["power"]
            if thousands and before.lstrip("0"):
                doubtful.setdefault(points[0], digits)
            else:
                marks[points[0]] += 1
    sign = max((one for one in signs if one), key=lambda one: signs[one], default="")
    # A cell without a currency sign is an amount like the others; one without % is not a share.
    sign = "" if sign == "%" and signs["%"] * 2 <= signs.total() else sign
    if decimal or marks:
        return NumberFormat(decimal or marks.most_common(1)[0][0], sign)
    if len(doubtful) != 1:
        return NumberFormat("." if doubtful else "", sign)
    mark, example = next(iter(doubtful.items()))
    return _decide_doubtful(mark, example, sign, longest=whole[0], bare=whole[1])


def _decide_doubtful(
    mark: str, example: str, sign: str, *, longest: int, bare: int
) -> NumberFormat:
    """Decide about a column whose marks all precede three digits: 1.003 may be 1003."""
    other = "," if mark == "." else "."
    # If all numbers without a mark are below a thousand, the mark divides thousands. If every
    # number has a mark, a comma usually divides, and a point rarely.
    divides = longest <= 3 if bare else mark == ","
    value = example.replace(mark, "") if divides else example.replace(mark, ".")
    name = "point" if mark == "." else "comma"
    why = f"all have a {name}"
    if bare:
        why = f"numbers without a {name} are {'below' if divides else 'above'} 1000"
    why = f"{example!r} is read as {value}, because {why}"
    return NumberFormat(other if divides else mark, sign, why)


def holds_numbers(cells: Sequence[Any], form: NumberFormat) -> bool:
    """Whether most filled cells of a column are numbers; an empty column counts as numbers."""
    if form.read_plain(cells) is not None:
        return True
    filled = [cell for cell in cells if is_filled(cell)]
    return sum(form.read(cell) is not None for cell in filled) * 2 > len(filled) or not filled
