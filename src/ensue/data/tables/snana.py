"""Light curves in SNANA's text format, a file per object (Kessler et al. 2009, arXiv:0908.4280)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ensue.data.contract import Listener
from ensue.data.files import get_suffix
from ensue.data.labelled import CHANNEL, STANDARD_ERROR, TIME
from ensue.data.readers.lines import read_lines
from ensue.data.tables.rows import Row
from ensue.errors import DataError

SNANA_USUAL = {
    "id": ("SNID",),
    TIME: ("MJD",),
    CHANNEL: ("FLT", "BAND"),
    STANDARD_ERROR: ("FLUXCALERR",),
}
SNANA_VALUE = ("FLUXCAL",)
"""The observed flux in files of SNANA; other columns, derived or simulated, must be named."""
SIMULATED = "sim_"
"""Prefix, in any case, of columns with the truth of a simulation: no inputs unless named."""


def read_snana_rows(
    path: Path, encoding: str, longest: int | None, listener: Listener
) -> Iterator[Row]:
    """Yield one row per observation: the columns of `VARLIST`, and the header.

    Of each header keyword, the first word counts. Raises DataError that names the line of an
    observation that does not fit `VARLIST`.
    """
    header: dict[str, str] = {}
    names: list[str] = []
    for line, text in enumerate(read_lines(path, encoding, longest, listener), start=1):
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
            where = f"{path}:{line}"
            raise DataError(what, where=where, hint="correct the line, or put a VARLIST above it")
        else:
            yield line, header | dict(zip(names, words, strict=True))


def report_simulated(
    path: Path,
    columns: Iterable[str],
    inputs: Collection[str],
    targets: Collection[str],
    listener: Listener,
) -> None:
    """Report simulated columns: those ignored, and those that are inputs since they are named."""
    truths = [name for name in columns if name.lower().startswith(SIMULATED)]
    if named := [name for name in truths if name in inputs]:
        columns = f"simulated column{'s' * (len(named) > 1)}"
        what = f"{columns} used as input, as requested: {', '.join(named)}"
        listener.report(path, what, "remove it, unless it is also known at prediction time")
    # Of a file of SNANA, columns that are not named are never read.
    elif get_suffix(path) != ".dat" and (left := [one for one in truths if one not in targets]):
        what = f"left out as truth of a simulation: {', '.join(left)}"
        listener.report(path, what, "to use them, name every column of values with --value")
