"""`ensue classify`: say of texts, or of the examples of a file, what they are."""

from __future__ import annotations

import csv
import json as codec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ensue.cli.train.options import NewColumnOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ensue.data.codecs.labels import LabelCodec
    from ensue.tasks.classify.trained import Prediction

app = App(name="classify")


@app.default
def classify(
    run: Path,
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    columns: Annotated[NewColumnOptions, Parameter(name="*")] = NewColumnOptions(),  # noqa: B008 - it is frozen
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Say of texts, or of the examples of a file, what they are: rows of CSV with label,
    probabilities and set.

    Args:
        run: The folder of the run.
        data: A file or folder like those the run was trained on, whose labels may be missing; or a
            text; or - for texts from the standard input, one a line, or a table whose first line
            names their column.
        out: Write the rows to this file.
        json: Print one JSON object an example, for programs.
    """
    from ensue import api
    from ensue.cli.output import Output, as_json, print_json, refuse_overwriting
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.data.contract import Listener
    from ensue.tasks.classify.inputs import read_inputs
    from ensue.training.contract import Working

    refuse_overwriting(data, out)
    with Ticking(follow_answer(data)) as watch:
        watch(Working("opening the run"))
        model = api.open(run, "classify")
        watch(Working("classifying"))
        verdicts = watch.each(read_inputs(model, data, Listener(watch.say), columns.given))
        if json and out is None:
            for verdict in verdicts:
                print_json(verdict.to_json())
        elif out is not None:
            from ensue.atomic_io import write_atomically

            text = StringIO(newline="")
            if json:
                text.writelines(f"{as_json(verdict.to_json())}\n" for verdict in verdicts)
            else:
                write_rows(verdicts, model.labels, text)
            write_atomically(out, text.getvalue().encode())
        else:
            write_rows(verdicts, model.labels, Output())


def write_rows(verdicts: Iterable[Prediction], labels: LabelCodec, file: Any) -> None:
    """Write the columns of each example, those of the first one, and beside them what is said of
    it."""
    rows = csv.writer(file, lineterminator="\n")
    of_number, columns = labels.kind == "regression", []
    names = ("standard_deviation",) if of_number else labels.names
    ours = ["predicted", *(name if of_number else f"p({name})" for name in names), "prediction_set"]
    for number, verdict in enumerate(verdicts):
        own = dict(verdict.example.row) or {"text": verdict.example.content}
        if number == 0:
            columns = list(own)
            rows.writerow([f"{name} (data)" if name in ours else name for name in columns] + ours)
        chances = [verdict.probabilities.get(name) for name in names]
        told = [
            "" if one is None else f"{one:.6g}" if of_number else f"{one:.4f}" for one in chances
        ]
        given = [own.get(name, "") for name in columns]
        rows.writerow([*given, _cell(verdict.label), *told, _cell(list(verdict.set))])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return codec.dumps(
            [float(_cell(one)) if isinstance(one, float) else one for one in value],
            ensure_ascii=False,
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)
