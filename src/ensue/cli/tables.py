"""Tables: drawn on a terminal, aligned plain text in a file or pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ensue.escape import for_terminal, shorten


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None
) -> None:
    """Print a table; columns of numbers are aligned to the right."""
    columns, *rows = [[for_terminal(shorten(cell)) for cell in row] for row in (columns, *rows)]
    title = None if title is None else for_terminal(title, lines=True)
    if sys.stdout.isatty():
        _draw(columns, rows, title)
        return
    if title:
        print(title)
    print(plain_table(columns, rows))


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align a table with spaces.

    >>> print(plain_table(["model", "nats"], [["network", "1.46"], ["best n-gram", "12.5"]]))
    model        nats
    network      1.46
    best n-gram  12.5
    """
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    right = [_is_numeric([row[i] for row in rows]) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        places = zip(cells, widths, right, strict=True)
        return "  ".join(
            c.rjust(width) if aligned else c.ljust(width) for c, width, aligned in places
        ).rstrip()

    return "\n".join(line(row) for row in (columns, *rows))


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell[:1] in "-+." for cell in cells if cell)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = None if title is None else Text(title)
    table = Table(
        title=shown,
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for i, column in enumerate(columns):
        justify = "right" if _is_numeric([row[i] for row in rows]) else "left"
        # A break after the slash of "nats/character" lets the table of results fit into 80
        # columns. No word or number is cut: a line longer than the terminal does less harm.
        words = [
            word
            for cell in (column.replace("/", "/ "), *(row[i] for row in rows))
            for word in cell.split()
        ]
        table.add_column(
            Text(column.replace("/", "/\n")),
            justify=justify,
            min_width=max(map(len, words), default=0),
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table, crop=False)
