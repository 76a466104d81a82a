"""The text column of a table: CSV, TSV, JSON Lines or Parquet, one record a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ensue.data.contract import SILENT, Finding, Listener, Piece, Reader
from ensue.data.files import ending
from ensue.data.readers.rows import ROWS, Row, refuse_others, refuse_unnamed
from ensue.errors import DataError

LOOKED_AT = 200
"""Rows from which the columns are known."""

LONGEST_NAME = 60
"""Characters: what stands where the header should be, and is longer, is taken for data."""


class TableReader(Reader):
    """The text of each row; rows without any are left out and counted."""

    ends = True

    def __init__(self, files: Sequence[Path], column: str, encoding: str, longest: int) -> None:
        """Raises DataError if one of the files is no table."""
        refuse_others(files, ROWS)
        self.files, self.column, self.encoding, self.longest = files, column, encoding, longest

    def rows(self, path: Path, listener: Listener = SILENT) -> Iterator[Row]:
        """Give all rows of one file as their line and their fields by column."""
        return ROWS[ending(path)](path, self.encoding, self.longest, listener)

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Give one piece a row."""
        column = self.column
        for path in self.files:
            column = choose_column(path, column, list(islice(self.rows(path), LOOKED_AT)))
            if not self.column and path is self.files[0]:
                listener.tell(Finding(str(path), f"the text was taken from column {column!r}"))
            yield from self._column(path, column, listener)

    def _column(self, path: Path, column: str, listener: Listener) -> Iterator[Piece]:
        without = 0
        for line, fields in self.rows(path, listener):
            value = fields.get(column)
            text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
            if text.strip():
                yield Piece(text, str(path), line)
            else:
                without += 1
        if without:
            what = f"{without:,} row{'s' * (without > 1)} without text in column {column!r} left out"
            listener.tell(Finding(str(path), what))


def choose_column(path: Path, wanted: str, sample: Sequence[Row]) -> str:
    """Give the column that holds the text. Raises DataError if it is not there, or several could be meant."""
    if not sample:
        raise DataError("the table has no rows", where=str(path), mend="give a table with a header and some rows")
    columns = list(dict.fromkeys(name for _, fields in sample for name in fields))
    if wanted:
        refuse_unnamed([wanted], columns, str(path))
        return wanted
    texts = [name for name in columns if could_be_text([fields.get(name) for _, fields in sample])]
    if any(len(name) > LONGEST_NAME for name in columns):
        mend = "put a line with the names of the columns above it"
        raise DataError("the first line looks like data, not like a header", where=f"{path}:1", mend=mend)
    if len(texts) == 1 or "text" in texts:
        return "text" if "text" in texts else texts[0]
    what = f"several columns could be the text ({', '.join(texts)})" if texts else "no column looks like text"
    option = f"choose one of {', '.join(columns)} with --set data.column=NAME"
    mend = "call one of them text" if texts else "give texts"
    raise DataError(what, where=str(path), mend=mend, option=option)


def could_be_text(values: Sequence[Any]) -> bool:
    """Tell text from numbers, dates and labels: it has letters, and seldom repeats."""
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    worded = sum(any(character.isalpha() for character in text) for text in texts)
    return bool(texts) and worded > len(texts) / 2 and len(set(texts)) > len(texts) / 2
