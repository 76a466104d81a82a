"""Printing: JSON Lines for programs, escaped lines for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.escape import MAX_PART, for_terminal, shorten

if TYPE_CHECKING:
    from ensue.data.contract import Finding
    from ensue.tasks.contract import Answer


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
    """Print a line, or several `lines`, for people; control characters are escaped.

    A single line is shortened, if it is longer than a problem with place and fix.
    """
    print(for_terminal(text if lines else shorten(text, 3 * MAX_PART), lines))


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


def write_answers(
    answers: Iterable[Answer],
    out: Path | None,
    lines: Callable[[Iterable[Any]], Iterable[str]] | None,
) -> None:
    """Write answers to a file, complete or not at all, or to the standard output one by one.

    They are JSON Lines, or what `lines` makes of them.
    """
    from ensue.atomic_io import write_atomically

    written = lines(answers) if lines else (f"{as_json(one.to_json())}\n" for one in answers)
    if out is not None:
        write_atomically(out, "".join(written).encode())
        return
    for text in written:
        print(text, end="", flush=True, file=Output())
