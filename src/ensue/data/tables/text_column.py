"""The text column of a table (CSV, TSV, JSON Lines or Parquet), one record per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.data.contract import SILENT, Listener, Piece, Reader
from ensue.data.tables.labelled import LabelledTable
from ensue.data.tables.rows import ROWS, check_endings


class TableReader(Reader):
    """Reader of the text of each row; rows without text are skipped and counted."""

    ends = True

    def __init__(self, files: Sequence[Path], column: str, encoding: str, longest: int) -> None:
        """Raises DataError if one of the files is not a table."""
        check_endings(files, ROWS)
        how = LabelledTable(
            text=column,
            header="yes",
            incomplete="leave out",
            encoding=encoding,
            max_line_length=longest,
        )
        self.files, self.how = files, how

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Yield one piece per row."""
        how = self.how.resolved(self.files, SILENT, labelled=False)
        if not self.how.text:
            listener.report(self.files[0], f"the text is read from column {how.text!r}")
        empty = 0
        for one in how.build(self.files, labelled=False).examples(listener):
            if one.content:
                yield Piece(str(one.content), one.file, one.line)
            empty += not one.content
        if empty:
            some = f"{empty:,} row{'s' * (empty > 1)}"
            listener.report(self.files[0], f"{some} without text left out")
