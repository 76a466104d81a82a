"""What a person may say about their data: what kind it is, and which part of it is held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal, TypeAlias

from pydantic import Field

from ensue.data.contract import Finding, Listener, Reader
from ensue.data.files import ending, read_text
from ensue.data.readers.lines import LinesReader
from ensue.data.readers.named_parts import PartFiles
from ensue.data.readers.text import TextReader
from ensue.data.tables.rows import ROWS
from ensue.data.tables.text_column import TableReader
from ensue.errors import SettingError

TextFormat: TypeAlias = Literal["text", "lines", "table"]

SHORT, LONGEST = 40, 200
"""Characters: the median and the longest of lines that are taken for records when the kind is
guessed."""


class DataSettings(PartFiles):
    """How the data is read and split."""

    format: Literal["auto", "text", "lines", "table"] = "auto"
    """One long text, one record a line, or the text column of a table; auto guesses it and says
    so."""
    column: str = ""
    """Table: the column that holds the text; if it is not given, the only one that could."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    max_line_length: int = Field(1_000_000, ge=1)
    """Lines and tables: the most characters that a line of the file may have."""
    validation: float = Field(0.03, gt=0, lt=0.5)
    """The share of the data on which choices are made, at the beginning or of records drawn by
    the seed."""
    test: float = Field(0.1, gt=0, lt=0.5)
    """The share of the data that is only reported, at the end or of records drawn by the seed."""
    max_characters: int = Field(1_000_000, ge=1)
    """The most characters that either of these shares may have: of a very large text, a million
    tell enough."""

    def reader(self, files: Sequence[Path], listener: Listener) -> tuple[TextFormat, Reader]:
        """Make the reader of these files, and say of which kind; tells `listener` if it was
        guessed."""
        kind = self.format
        if kind == "auto":
            kind = guess_format(files, self.encoding)
            hint = "choose another kind with --set data.format=text|lines|table"
            listener.on_finding(Finding(str(files[0]), f"read as {DESCRIBED[kind]}", hint))
        if self.column and kind != "table":
            hint = f"leave it out, or name a table, whose name ends in one of {', '.join(ROWS)}"
            raise SettingError(f"{DESCRIBED[kind]} has no columns", where="data.column", hint=hint)
        if kind == "table":
            return kind, TableReader(files, self.column, self.encoding, self.max_line_length)
        if kind == "lines":
            return kind, LinesReader(files, self.encoding, self.max_line_length)
        return kind, TextReader(files, self.encoding)


DESCRIBED: dict[TextFormat, str] = {
    "text": "one long text",
    "lines": "one record a line",
    "table": "a table, one record a row",
}


def guess_format(files: Sequence[Path], encoding: str, sentences: bool = False) -> TextFormat:
    """Tell tables by their names, and records by lines that are all short, none blank. Raises
    DataError.

    With `sentences` lines may be of any length: a text that was cut into tokens has a sentence on
    each.
    """
    if all(ending(path) in ROWS for path in files):
        return "table"
    beginning = "".join(islice(read_text(files[0], encoding), 1))
    lines = beginning[:100_000].rstrip("\n").split("\n")
    records = len(lines) > 2 and all(line.strip() for line in lines)
    short = max(map(len, lines)) <= LONGEST and median(map(len, lines)) <= SHORT
    return "lines" if records and (short or sentences) else "text"
