"""`ensue check`: validate data files before training. Never loads torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from ensue.tasks import VERBS

if TYPE_CHECKING:
    from ensue.data.check.contract import Report

    TaskName: TypeAlias = str
else:
    TaskName = Literal[tuple(VERBS)]

app = App(name="check")

MAX_SHOWN = 20
"""Limit of printed table rows; `--json` has all of them."""


@app.default
def check(
    *data: Path,
    task: TaskName | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    json: bool = False,
    **own: str,
) -> int:
    """Check data files: format, figures and problems by line. Exits with 2 on a problem.

    Args:
        data: Files or folders.
        task: Task that the data is for; guessed by default.
        set_: Settings of reading, such as --set data.format=lines or --set data.encoding=latin-1.
        json: Print one JSON object.
        own: Flags of `ensue train VERB` about data, such as --label COLUMN or --fill zero.
    """
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.errors import DataError
    from ensue.tasks.check import check as examine
    from ensue.training.contract import Reading, Working
    from ensue.training.settings import StreamsSettings

    if not data:
        raise DataError("no data given", where="check", hint="give files or folders")
    checking = Working("checking the data")
    with Heartbeat(follow_answer()) as progress:
        progress(checking)

        def on_read(done: int, total: int, left: float | None) -> None:
            progress(Reading(done, total, left) if done < total else checking)

        report = examine(data, task, own, set_, StreamsSettings().sequence_length, on_read)
    print_json_report(report) if json else show(report)
    return 2 if report.problems else 0


def show(report: Report) -> None:
    """Print tables and findings; problems go to the standard error."""
    from ensue.cli.output import show_finding, show_line
    from ensue.cli.tables import show_table

    if report.why:
        checked = f"Checked as data for `ensue train {report.task}`: {report.why}"
        show_line(f"{checked} (choose another task with --task).")
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
        show_line(f"Warning: {finding}")
    for problem in report.problems:
        show_finding(problem)
    if not report.problems:
        more = "; look at the warnings above before training" if report.findings else ""
        print(f"No problems found{more}.")


def cell(value: Any) -> str:
    """Format a value for people.

    >>> cell(12345), cell(0.123456), cell("a.txt"), cell(None)
    ('12,345', '0.1235', 'a.txt', 'not read')
    """
    if value is None:
        return "not read"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_json_report(report: Report) -> None:
    """Print the report as one JSON object."""
    from dataclasses import asdict

    from ensue.cli.output import print_json

    entries = {
        name: [asdict(one) for one in getattr(report, name)] for name in ("findings", "problems")
    }
    print_json(
        {
            "task": report.task,
            "why": report.why,
            "format": report.format,
            **report.tables,
            **entries,
        }
    )
