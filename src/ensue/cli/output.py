"""What commands print for programs, one JSON object a line, and beside that for people."""

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
    """Print one object on one line, at once."""
    print(as_json(values), flush=True)


def as_json(values: Mapping[str, Any]) -> str:
    """Write an object on one line, in ASCII, whatever the locale; what is no finite number is null,
    and what JSON has no way to write, such as a date, a string."""
    from ensue.settings import to_finite

    return json.dumps(to_finite(values), allow_nan=False, default=str)


def show_line(text: str, lines: bool = False) -> None:
    """Print a line for a person, or several `lines`, with whatever data put into it made
    harmless."""
    print(for_terminal(text, lines))


class Output:
    """The standard output for what is data itself: exact for a file or a program, harmless on a
    terminal."""

    def write(self, text: str) -> None:
        """Write a piece."""
        sys.stdout.write(for_terminal(text, lines=True) if sys.stdout.isatty() else text)

    def flush(self) -> None:
        """Let it be seen at once."""
        sys.stdout.flush()


def show_finding(finding: Finding | str) -> None:
    """Tell a person how their data is read, where the standard output is for what is said of it."""
    print(f"ensue: {for_terminal(str(finding))}", file=sys.stderr)


def refuse_overwriting(data: str, out: Path | None) -> None:
    """Let a file pass that is not the data, and does not lie in it. Raises DataError."""
    from ensue.data.files import existing_path
    from ensue.errors import DataError

    source = existing_path(data)
    if (
        out is not None
        and source is not None
        and source.resolve() in (out.resolve(), *out.resolve().parents)
    ):
        raise DataError(
            "the rows would be written over the data",
            where=str(out),
            hint="name another file with --out",
        )
