"""Printing: JSON Lines for programs, escaped lines for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.escape import for_terminal

if TYPE_CHECKING:
    from ensue.data.contract import Finding


def print_json(values: Mapping[str, Any]) -> None:
    """Print one object on one line and flush."""
    print(as_json(values), flush=True)


def as_json(values: Mapping[str, Any]) -> str:
    """Serialise an object on one line of ASCII.

    NaN and infinities become null; values that JSON lacks, such as dates, become strings.
    """
    from ensue.settings import to_finite

    return json.dumps(to_finite(values), allow_nan=False, default=str)


def show_line(text: str, lines: bool = False) -> None:
    """Print a line, or several `lines`, for people; control characters are escaped."""
    print(for_terminal(text, lines))


class Output:
    """Standard output for data: exact in a file or pipe, escaped on a terminal."""

    def write(self, text: str) -> None:
        """Write a piece of text."""
        sys.stdout.write(for_terminal(text, lines=True) if sys.stdout.isatty() else text)

    def flush(self) -> None:
        """Flush the standard output."""
        sys.stdout.flush()


def show_finding(finding: Finding | str) -> None:
    """Print a finding to the standard error; the standard output is for predictions."""
    print(f"ensue: {for_terminal(str(finding))}", file=sys.stderr)


def refuse_overwriting(data: str, out: Path | None) -> None:
    """Raise DataError if the output file is the data, or lies in its folder."""
    from ensue.data.files import existing_path
    from ensue.errors import DataError

    source = existing_path(data)
    if (
        out is not None
        and source is not None
        and source.resolve() in (out.resolve(), *out.resolve().parents)
    ):
        raise DataError(
            "the output would overwrite the data",
            where=str(out),
            hint="name another file with --out",
        )
