"""`ensue check`: the data doctor. Never loads torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ensue.data.check import CheckReport

app = App(name="check")


@app.default
def check(
    *data: Path,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    json: bool = False,
) -> int:
    """Look at data: what it is, how it is read, and what is wrong with it, by line. Exits with 2 if it cannot be used.

    Args:
        data: Files or folders.
        set_: Say how to read it: --set data.kind=lines, --set data.column=text, --set data.encoding=latin-1.
        json: Print one JSON object, for programs.
    """
    from ensue.data.check import check as examine
    from ensue.data.settings import DataSettings
    from ensue.errors import DataError
    from ensue.settings import Settings, assign
    from ensue.training.settings import BatchingSettings

    class Said(Settings):
        data: DataSettings = DataSettings()

    if not data:
        raise DataError("there is no data to look at", where="check", mend="give files or folders")
    said = Said()
    for assignment in set_:
        said = assign(said, assignment)
    report = examine(data, said.data, BatchingSettings().length)
    print_json_report(report) if json else show(report)
    return 2 if report.problems else 0


def show(report: CheckReport) -> None:
    """Print the figures of each file, what is worth a look, and on the standard error what is wrong."""
    from ensue.cli.tables import show_table
    from ensue.data.settings import DESCRIBED

    unit = "lines" if report.kind == "text" else "records"
    rows = [
        [file.file, f"{file.bytes:,}", f"{file.characters:,}", str(len(file.alphabet)), f"{file.lines:,}"]
        for file in report.files
    ]
    if len(rows) > 1:
        total = sum(file.lines for file in report.files)
        size = sum(file.bytes for file in report.files)
        rows.append(["all", f"{size:,}", f"{report.characters:,}", str(report.distinct), f"{total:,}"])
    if rows:
        title = f"Read as {DESCRIBED[report.kind]} (choose with --set data.kind=text|lines|table):"
        show_table(["file", "bytes", "characters", "distinct", unit], rows, title=title)
    for finding in report.findings:
        print(f"look at: {finding}")
    for problem in report.problems:
        print(f"ensue: {problem}", file=sys.stderr)
    if not report.problems:
        print("It can be trained on" + (", if what is said above is as it should be." if report.findings else "."))


def print_json_report(report: CheckReport) -> None:
    """Print everything as one JSON object."""
    from dataclasses import asdict

    from ensue.cli.machine import print_json

    files = [
        {name: value for name, value in vars(file).items() if name != "alphabet"} | {"distinct": len(file.alphabet)}
        for file in report.files
    ]
    told = {name: [asdict(one) for one in getattr(report, name)] for name in ("findings", "problems")}
    print_json({"kind": report.kind, "files": files, **told})
