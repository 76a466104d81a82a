"""Reader of text files with one record a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.data.contract import SILENT, Finding, Listener, Piece, Reader
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
        self, files: Sequence[Path], encoding: str, longest: int, blanks: bool = False
    ) -> None:
        self.files, self.encoding, self.longest, self.blanks = files, encoding, longest, blanks

    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Yield one piece a line."""
        for path in self.files:
            blank = 0
            for number, line in enumerate(
                lines_of(path, self.encoding, self.longest, listener), start=1
            ):
                if self.blanks or line.strip():
                    yield Piece(line, str(path), number)
                else:
                    blank += 1
            if blank:
                listener.on_finding(
                    Finding(str(path), f"{blank:,} blank line{'s' * (blank > 1)} left out")
                )


def lines_of(
    path: Path, encoding: str = "utf-8", longest: int | None = None, listener: Listener = SILENT
) -> Iterator[str]:
    """Yield each line of a file without its line break.

    Raises DataError if a line is longer than `longest`, or than MAX_LINE_LENGTH if there is no
    `longest`.
    """
    rest, number = "", 1
    for text in read_text(path, encoding, listener):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            _refuse_longer(line, longest, f"{path}:{number}")
            yield line
            number += 1
        _refuse_longer(rest, longest, f"{path}:{number}")
    if rest:
        yield rest


def _refuse_longer(line: str, longest: int | None, where: str) -> None:
    if len(line) > (longest or MAX_LINE_LENGTH):
        what, flag_hint = (
            f"the line is longer than {longest or MAX_LINE_LENGTH:,} characters",
            "give --set max_line_length=N",
        )
        raise DataError(
            what, where=where, hint="break it up", flag_hint=flag_hint if longest else None
        )
