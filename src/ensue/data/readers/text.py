"""One long text: all files one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.data.contract import SILENT, Listener, Piece, Reader
from ensue.data.files import read_text


class TextReader(Reader):
    """Files as one text; where a file does not end with a line break and another follows, one is
    put between."""

    ends = False

    def __init__(self, files: Sequence[Path], encoding: str) -> None:
        self.files, self.encoding = files, encoding

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Give stretches of about a million characters."""
        last = "\n"
        for path in self.files:
            line, between = 1, "" if last.endswith("\n") else "\n"
            for text in read_text(path, self.encoding, listener):
                yield Piece(between + text, str(path), line)
                line, between, last = line + text.count("\n"), "", text[-1]
