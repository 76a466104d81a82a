"""`ensue check`: the data doctor. Never loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ensue.data.check.contract import Report

app = App(name="check")

MAX_SHOWN = 20
"""Rows of a table that are shown; `--json` has all."""


@app.default
def check(
    *data: Path,
    task: Literal["generate", "classify", "tag", "forecast"] | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    json: bool = False,
    **own: str,
) -> int:
    """Look at data: what it is, how it is read, and what is wrong with it, by line. Exits with 2 if
    it cannot be used.

    Args:
        data: Files or folders.
        task: What it is for; guessed, and said, if not given.
        set_: Say how to read it: --set data.format=lines, --set data.column=text, --set
        data.encoding=latin-1.
        json: Print one JSON object, for programs.
        own: What `ensue train VERB` takes to say how its data is read: --label COLUMN, --format
        trees, --fill zero, ...
    """
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.data.check import check as examine
    from ensue.errors import DataError
    from ensue.training.contract import Working
    from ensue.training.settings import BatchingSettings

    if not data:
        raise DataError("there is no data to look at", where="check", hint="give files or folders")
    with Ticking(follow_answer()) as watch:
        watch(Working("looking at the data"))
        report = examine(data, task, own, set_, BatchingSettings().sequence_length)
    print_json_report(report) if json else show(report)
    return 2 if report.problems else 0


def show(report: Report) -> None:
    """Print the figures, what is worth a look, and on the standard error what is wrong."""
    from ensue.cli.output import show_finding, show_line
    from ensue.cli.tables import show_table

    if report.why:
        show_line(
            f"Looked at as `ensue train {report.task}` would, since {report.why} (choose "
            f"another with --task)."
        )
    if report.described:
        show_line(f"Read as {report.described}:")
        print()
    for name, rows in report.tables.items():
        if rows:
            columns = list(rows[0])
            show_table(
                columns,
                [[cell(row[column]) for column in columns] for row in rows[:MAX_SHOWN]],
                title=f"{name}:",
            )
            print(f"... and {len(rows) - MAX_SHOWN:,} more\n" if len(rows) > MAX_SHOWN else "")
    for finding in report.findings:
        show_line(f"look at: {finding}")
    for problem in report.problems:
        show_finding(problem)
    if not report.problems:
        print(
            "It can be trained on"
            + (", if what is said above is as it should be." if report.findings else ".")
        )


def cell(value: Any) -> str:
    """Write a value as a person reads it.

    >>> cell(12345), cell(0.123456), cell("a.txt"), cell(None)
    ('12,345', '0.1235', 'a.txt', 'not read')
    """
    if value is None:
        return "not read"
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:.4g}"
        if isinstance(value, float)
        else str(value)
    )


def print_json_report(report: Report) -> None:
    """Print everything as one JSON object."""
    from dataclasses import asdict

    from ensue.cli.output import print_json

    told = {
        name: [asdict(one) for one in getattr(report, name)] for name in ("findings", "problems")
    }
    print_json(
        {"task": report.task, "why": report.why, "format": report.format, **report.tables, **told}
    )
