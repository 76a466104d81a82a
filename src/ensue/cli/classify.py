"""`ensue classify`: say of texts, or of the examples of a file, what they are."""

from __future__ import annotations

import csv
import json as codec
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ensue.tasks.classify.model import Verdict

app = App(name="classify")


@app.default
def classify(
    run: Path,
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Say of texts, or of the examples of a file, what they are: rows of CSV with label, probabilities and set.

    Args:
        run: The folder of the run.
        data: A file or folder like those the run was trained on, whose labels may be missing; or a text; or - for
            texts from the standard input, one a line.
        out: Write the rows to this file.
        json: Print one JSON object an example, for programs.
    """
    from ensue import api
    from ensue.cli.machine import print_json, refuse_overwriting, say
    from ensue.data.contract import Listener
    from ensue.tasks.classify.using import asked_about

    refuse_overwriting(data, out)
    verdicts = asked_about(api.open(run, "classify"), data, Listener(say))
    if json:
        for verdict in verdicts:
            print_json(verdict.to_json())
    elif out is not None:
        from ensue.durable import write_atomically

        text = StringIO(newline="")
        write_rows(verdicts, text)
        write_atomically(out, text.getvalue().encode())
    else:
        write_rows(verdicts, sys.stdout)


def write_rows(verdicts: Iterable[Verdict], file: Any) -> None:
    """Write the columns of each example, and beside them what is said of it."""
    rows = csv.writer(file, lineterminator="\n")
    for number, verdict in enumerate(verdicts):
        chances = dict(verdict.probabilities)
        own = dict(verdict.example.row) or {"text": verdict.example.content}
        said = {"predicted": _cell(verdict.label)}
        if isinstance(verdict.label, float):
            said |= {name: f"{spread:.6g}" for name, spread in chances.items()}
        else:
            said |= {f"p({name})": f"{chance:.4f}" for name, chance in chances.items()}
        said |= {"set": _cell(list(verdict.set))}
        if number == 0:
            rows.writerow([*own, *said])
        rows.writerow([*own.values(), *said.values()])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return codec.dumps([float(_cell(one)) if isinstance(one, float) else one for one in value], ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
