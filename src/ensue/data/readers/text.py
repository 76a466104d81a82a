"""Reader of one long text: all files concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.data.contract import SILENT, Listener, Piece, Reader
from ensue.data.files import read_text


class TextReader(Reader):
    """Concatenate files into one text; a file that lacks a final line break gets one."""

    ends = False

    def __init__(self, files: Sequence[Path], encoding: str) -> None:
        self.files, self.encoding = files, encoding

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Yield pieces of about a million characters."""
        last = "\n"
        for path in self.files:
            line, between = 1, "" if last.endswith("\n") else "\n"
            for text in read_text(path, self.encoding, listener):
                yield Piece(between + text, str(path), line)
                line, between, last = line + text.count("\n"), "", text[-1]
