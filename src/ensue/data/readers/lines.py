"""Readers of text files: one record a line, or one long text, all files concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.data.contract import SILENT, Listener, Piece, Reader
from ensue.data.files import read_text
from ensue.errors import DataError

MAX_LINE_LENGTH = 1_000_000
"""Maximum number of characters in a line; a longer one is hardly a record."""


class LinesReader(Reader):
    """Read each line as a record, without its line break.

    Blank lines are skipped and counted, unless `blanks` is true.
    """

    ends = True

    def __init__(
        self, files: Sequence[Path], encoding: str, limit: int, blanks: bool = False
    ) -> None:
        self.files, self.encoding, self.limit, self.blanks = (files, encoding, limit, blanks)

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Yield one piece a line."""
        for path in self.files:
            blank = 0
            lines = read_lines(path, self.encoding, self.limit, listener)
            for number, line in enumerate(lines, start=1):
                if self.blanks or line.strip():
                    yield Piece(line, str(path), number)
                else:
                    blank += 1
            if blank:
                listener.report(path, f"{blank:,} blank line{'s' * (blank > 1)} left out")


def read_lines(
    path: Path, encoding: str = "utf-8", limit: int | None = None, listener: Listener = SILENT
) -> Iterator[str]:
    """Yield each line of a file without its line break.

    Raises DataError if a line has more than `limit` characters; by default
    MAX_LINE_LENGTH.
    """
    rest, number, longest = "", 1, limit or MAX_LINE_LENGTH
    for text in read_text(path, encoding, listener):
        *lines, rest = (rest + text).split("\n")
        if max(map(len, lines), default=0) > longest:
            for place, line in enumerate(lines, number):
                _check_length(line, longest, path, place, limit)
                yield line
        else:
            yield from lines
        number += len(lines)
        _check_length(rest, longest, path, number, limit)
    if rest:
        yield rest


def _check_length(line: str, longest: int, path: Path, number: int, limit: int | None) -> None:
    if len(line) > longest:
        what = f"the line is longer than {longest:,} characters"
        flag_hint = "give --set max_line_length=N" if limit else None
        raise DataError(what, where=f"{path}:{number}", hint="break it up", flag_hint=flag_hint)


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
