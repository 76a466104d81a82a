"""Settings of text data: its format, and the parts that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ensue.data.contract import Listener, Reader
from ensue.data.files import get_suffix, read_text
from ensue.data.readers.lines import LinesReader, TextReader
from ensue.data.readers.named_parts import PartFiles
from ensue.data.tables.rows import ROWS, refuse_json
from ensue.data.tables.text_column import TableReader
from ensue.errors import SettingError
from ensue.settings import Flag

TextFormat: TypeAlias = Literal["text", "lines", "table"]

SHORT, LONGEST = 40, 200
"""Maximum median and maximum length of lines that are guessed to be records, in characters."""


class DataSettings(PartFiles):
    """How the data is read and split."""

    format: Annotated[Literal["auto", "text", "lines", "table"], Flag()] = "auto"
    """One long text, one record a line, the text column of a table, or steps (a table with a row
    per step); auto guesses it."""
    column: Annotated[str, Flag()] = ""
    """Table: name of the text column; by default the only one that could be text."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = Field(1_000_000, ge=1)
    """Lines and tables: maximum number of characters in a line."""
    validation: float = Field(0.03, gt=0, lt=0.5)
    """Share of the data for validation: the beginning of a text, or random records."""
    test: float = Field(0.1, gt=0, lt=0.5)
    """Share of the data for the test part: the end of a text, or random records."""
    max_characters: int = Field(1_000_000, ge=1)
    """Upper limit of validation and test part, in characters."""

    def reader(
        self, files: Sequence[Path], listener: Listener, sentences: bool = False
    ) -> tuple[TextFormat, Reader]:
        """Return the format and the reader of these files; reports a guessed format.

        With `sentences`, tokens are read line by line, as lmplz does, if no line is blank.
        """
        kind = self.format
        if kind == "auto":
            kind = guess_format(files, self.encoding, sentences)
            hint = "choose another format with --set data.format=text|lines|table"
            hint += ", or --format steps for a row per step" * (kind == "table")
            listener.report(files[0], f"read as {DESCRIBED[kind]}", hint)
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
    """Guess the format: tables by file name, records by lines that are all short and not blank.

    With `sentences`, lines may have any length: tokenised text has one sentence on each. Raises
    DataError.
    """
    if all(get_suffix(path) in ROWS for path in files):
        return "table"
    refuse_json(files[0], "read it as text with --set data.format=text")
    beginning = "".join(islice(read_text(files[0], encoding), 1))
    lines = beginning[:100_000].rstrip("\n").split("\n")
    records = len(lines) > 2 and all(line.strip() for line in lines)
    short = max(map(len, lines)) <= LONGEST and median(map(len, lines)) <= SHORT
    return "lines" if records and (short or sentences) else "text"
