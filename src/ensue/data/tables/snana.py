"""Light curves in SNANA's text format, a file per object (Kessler et al. 2009, arXiv:0908.4280)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ensue.data.contract import Listener
from ensue.data.readers.lines import lines_of
from ensue.data.tables.rows import Row
from ensue.errors import DataError


def read_snana_rows(
    path: Path, encoding: str, longest: int | None, listener: Listener
) -> Iterator[Row]:
    """Yield one row per observation: the columns of `VARLIST`, and the header.

    Of each header keyword, the first word counts. Raises DataError that names the line of an
    observation that does not fit `VARLIST`.
    """
    header: dict[str, str] = {}
    names: list[str] = []
    for line, text in enumerate(lines_of(path, encoding, longest, listener), start=1):
        keyword, colon, rest = text.partition(":")
        words = rest.split()
        if not colon or text.startswith("#"):
            continue
        if keyword == "VARLIST":
            names = words
        elif keyword != "OBS":
            header[keyword] = words[0] if words else ""
        elif len(words) != len(names):
            what = f"the observation has {len(words)} values, but VARLIST names {len(names)}"
            raise DataError(
                what, where=f"{path}:{line}", hint="correct the line, or put a VARLIST above it"
            )
        else:
            yield line, header | dict(zip(names, words, strict=True))
